"""The page of all parameters, with default, range and source, read from the schema itself."""

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from siteplanner.labels import label
from siteplanner.outputs.parameters import parameter_word
from siteplanner.outputs.wording import word
from siteplanner.scenario import Language, Scenario

# What a description cites: sections of the domain notes, planning defaults, papers, statistics.
_SOURCE = re.compile(r"D§[\d.]*\d(?: \[A\])?|\[A\]|no source|[A-Z][a-z]+ & [A-Z][a-z]+ \d{4}|NBS, recalled")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a scenario; ``default`` is None and ``required`` true where there is none."""

    key: str
    default: Any
    required: bool
    limits: str
    meaning: str


def parameters() -> tuple[Parameter, ...]:
    """Return every parameter of a scenario in the order of the schema."""
    return tuple(_of_section(Scenario, ""))


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


def _of_section(model: type[BaseModel], prefix: str) -> Iterator[Parameter]:
    nested = []
    for name, info in model.model_fields.items():
        inner = _model_in(info.annotation)
        if inner is not None:
            nested.append((f"{prefix}{name}.", inner, info))
            continue
        default = info.get_default(call_default_factory=True)
        required = default is PydanticUndefined
        yield Parameter(
            f"{prefix}{name}", None if required else default, required, _limits(info), info.description or ""
        )
    for head, inner, info in nested:
        yield from (_with_default(parameter, head, info) for parameter in _of_section(inner, head))


def _with_default(parameter: Parameter, head: str, info: FieldInfo) -> Parameter:
    """Take the default from the section's own default where one is given (travel classes)."""
    whole = info.get_default(call_default_factory=True)
    rest = parameter.key.removeprefix(head)
    if not isinstance(whole, BaseModel) or "." in rest:
        return parameter
    return replace(parameter, default=getattr(whole, rest), required=False)


def _model_in(annotation: object) -> type[BaseModel] | None:
    candidates = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _limits(info: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    found = [
        f"{sign} {_plain(getattr(rule, name))}"
        for rule in info.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    choices = [f"`{json.dumps(choice)}`" for choice in get_args(info.annotation) if isinstance(choice, str)]
    return ", ".join([*found, *choices])


def _plain(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:.10g}"
