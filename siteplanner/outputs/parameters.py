"""Every parameter of a scenario with its value, its default and what it means."""

from typing import Any

import pandas as pd
from pydantic_core import PydanticUndefined

from siteplanner.outputs.wording import known
from siteplanner.scenario import Language, Scenario, Section

_NOT_THE_METHOD = ("title_", "inputs.", "output.")


def parameter_rows(scenario: Scenario, language: Language) -> pd.DataFrame:
    """List the parameters in order: ``parameter, value, default, meaning``; None where none is set."""
    rows = list(_walk(scenario, "", language))
    return pd.DataFrame(rows, columns=["parameter", "value", "default", "meaning"], dtype=object)


def changed_parameters(scenario: Scenario, language: Language) -> pd.DataFrame:
    """List the parameters that have a default and differ from it."""
    rows = parameter_rows(scenario, language)
    given = rows["default"].notna() & (rows["value"] != rows["default"])
    return rows[given & ~rows["parameter"].str.startswith(_NOT_THE_METHOD)].reset_index(drop=True)


def _walk(section: Section, prefix: str, language: Language) -> list[tuple[str, Any, Any, str]]:
    rows: list[tuple[str, Any, Any, str]] = []
    for name, field in type(section).model_fields.items():
        path = f"{prefix}{name}"
        value = getattr(section, name)
        default = (
            field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
        )
        if isinstance(value, Section):
            rows += _walk_with_default(value, default, path, language)
        elif not (value is None and default is None and prefix.startswith("inputs.")):
            shown = None if default is PydanticUndefined else _shown(default)
            said = parameter_word(path, language) or field.description or ""
            rows.append((path, _shown(value), shown, said))
    return rows


def _walk_with_default(
    section: Section, default: object, path: str, language: Language
) -> list[tuple[str, Any, Any, str]]:
    """Walk a section whose defaults may be those of its owner, as the travel classes of access are."""
    rows = _walk(section, f"{path}.", language)
    if not isinstance(default, Section):
        return rows
    owners = {row[0]: row[1] for row in _walk(default, f"{path}.", language)}
    return [(name, value, owners.get(name, own), meaning) for name, value, own, meaning in rows]


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
