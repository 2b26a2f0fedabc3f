"""Write the generated pages of docs/: parameters and data dictionary."""

from pathlib import Path

from siteplanner.outputs.dictionary import data_dictionary
from siteplanner.outputs.parameter_page import parameter_table

DOCS = Path(__file__).resolve().parents[1] / "docs"


def pages() -> dict[str, str]:
    """Return the text of every generated page by file name."""
    return {
        "parameters.md": parameter_table("en"),
        "parameters.zh-CN.md": parameter_table("zh"),
        "data-dictionary.md": data_dictionary("en"),
        "data-dictionary.zh-CN.md": data_dictionary("zh"),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")
