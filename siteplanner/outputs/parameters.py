"""Every parameter of a scenario with its value, its default and what it means."""

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import pandas as pd
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from siteplanner.outputs.wording import known
from siteplanner.scenario import Language, Scenario

_NOT_THE_METHOD = ("title_", "inputs.", "output.")


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


def parameter_rows(scenario: Scenario, language: Language) -> pd.DataFrame:
    """List the parameters in order: ``parameter, value, default, meaning``; None where none is set.

    Keys of an input that is not given are left out, and so are those left open of one that is.
    """
    rows = []
    for parameter in parameters():
        value = _value(scenario, parameter.key)
        if value is None and parameter.key.startswith("inputs."):
            continue
        default = None if parameter.required else _shown(parameter.default)
        said = parameter_word(parameter.key, language) or parameter.meaning
        rows.append((parameter.key, _shown(value), default, said))
    return pd.DataFrame(rows, columns=["parameter", "value", "default", "meaning"], dtype=object)


def changed_parameters(scenario: Scenario, language: Language) -> pd.DataFrame:
    """List the parameters that have a default and differ from it."""
    rows = parameter_rows(scenario, language)
    given = rows["default"].notna() & (rows["value"] != rows["default"])
    return rows[given & ~rows["parameter"].str.startswith(_NOT_THE_METHOD)].reset_index(drop=True)


def _value(scenario: Scenario, key: str) -> object:
    value: object = scenario
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def parameter_word(path: str, language: Language) -> str | None:
    """Return the words for a parameter; inputs share those of the keys that all of them have."""
    if not path.startswith("inputs."):
        return known("parameters", path, language)
    section, name = path.split(".")[1:]
    shared = known("input_parameters", name, language)
    return known("input_parameters", f"{section}.{name}", language) or shared


def _shown(value: object) -> object:
    """Return what a cell can hold: numbers as numbers, lists and tables as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {item}" for key, item in sorted(value.items()))
    return value


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
