"""No words that nobody reads."""

import re

from siteplanner.labels import all_labels

# Keys that are made of a stem and a code, as f"head_{name}" or "tab_" + name.
STEM = r"(?<!\w){stem}(\{{|\$\{{|[\"'`])"


def _is_read(key, code):
    name = re.split(r"[. ]", key)[-1]
    stems = [name[: place.end()] for place in re.finditer("_", name)]
    patterns = [rf"(?<!\w){re.escape(name)}(?!\w)", *(STEM.format(stem=re.escape(stem)) for stem in stems)]
    return any(re.search(pattern, code) for pattern in patterns)


def test_every_word_is_read_somewhere(root):
    files = [
        path for path in root.glob("siteplanner/**/*") if path.suffix in {".py", ".js", ".html", ".toml"}
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files if path.name != "labels.toml")
    assert [key for key in all_labels() if not _is_read(key, code)] == []
