"""The page of all parameters, with default, range and source, read from the schema itself."""

import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from siteplanner.scenario import Scenario


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


def parameter_table() -> str:
    """Return all parameters as a Markdown page."""
    lines = [
        "# Parameters of a scenario",
        "",
        "Written by `scripts/make_docs.py` from the schema; a test keeps it in step. `D§n` cites",
        '[domain.md](domain.md); `[A]` and "no source" mark planning defaults.',
    ]
    section = None
    for parameter in parameters():
        head = parameter.key.rpartition(".")[0]
        if head != section:
            section = head
            lines += [
                "",
                f"## `[{head}]`" if head else "## top",
                "",
                "| key | default | range | meaning |",
                "|---|---|---|---|",
            ]
        default = "required" if parameter.required else f"`{parameter.default!r}`"
        name = parameter.key.rpartition(".")[2]
        lines.append(f"| `{name}` | {default} | {parameter.limits} | {parameter.meaning} |")
    return "\n".join([*lines, ""])


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
        f"{sign} {getattr(rule, name):g}"
        for rule in info.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    choices = [repr(choice) for choice in get_args(info.annotation) if isinstance(choice, str)]
    return ", ".join([*found, *choices])
