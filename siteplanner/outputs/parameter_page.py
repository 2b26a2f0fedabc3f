"""The page of all parameters, with default, range and source, read from the schema itself."""

import json
import re

from siteplanner.labels import label
from siteplanner.outputs.parameters import Parameter, parameter_word, parameters
from siteplanner.outputs.wording import word
from siteplanner.scenario import Language

# What a description cites: sections of the domain notes, planning defaults, papers, statistics.
_SOURCE = re.compile(r"D§[\d.]*\d(?: \[A\])?|\[A\]|no source|[A-Z][a-z]+ & [A-Z][a-z]+ \d{4}|NBS, recalled")


def parameter_table(language: Language) -> str:
    """Return all parameters as a Markdown page: in English as the schema says, in Chinese from the labels."""
    lines = [f"# {_word('title', language)}", "", _word("intro", language)]
    section = None
    for parameter in parameters():
        head, _, name = parameter.key.rpartition(".")
        if head != section:
            section = head
            lines += ["", _heading(head, language), "", *_table_head(language)]
        default = _word("required", language) if parameter.required else _toml(parameter.default, language)
        cells = (f"`{name}`", default, parameter.limits, *_said(parameter, language))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _word(name: str, language: Language) -> str:
    return label(f"report.parameters_{name}", language)


def _heading(head: str, language: Language) -> str:
    words = label(f"parameter_sections.{head or 'top'}", language)
    if language == "en":
        return f"## `[{head}]`" if head else f"## {words}"
    return f"## {words} `[{head}]`" if head else f"## {words}"


def _table_head(language: Language) -> tuple[str, str]:
    names = ["key", "default", "range", "meaning", *(["source"] if language == "zh" else [])]
    return f"| {' | '.join(_word(name, language) for name in names)} |", "|---" * len(names) + "|"


def _said(parameter: Parameter, language: Language) -> tuple[str, ...]:
    """Return meaning and source; the English schema says both in one sentence."""
    if language == "en":
        return (parameter.meaning,)
    cited = (word("sources", source, language) for source in _SOURCE.findall(parameter.meaning))
    return parameter_word(parameter.key, language) or "", label("report.list_comma", language).join(cited)


def _toml(value: object, language: Language) -> str:
    """Return a default as a scenario file would hold it."""
    if value is None:
        return _word("absent", language)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{json.dumps(list(value))}`"
    return f"`{json.dumps(value)}`"
