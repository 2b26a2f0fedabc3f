"""A folder to start from: a commented scenario, tables with headers only, the data dictionary."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from siteplanner import tables
from siteplanner.errors import Fault, InputError, OutputError
from siteplanner.labels import label
from siteplanner.layers.typed import LOCAL_ZONE
from siteplanner.outputs.dictionary import data_dictionary
from siteplanner.outputs.parameters import Parameter, parameter_word, parameters
from siteplanner.scenario import Language

SCENARIO = "scenario.toml"
REQUIRED = (tables.BRANCHES,)
OPTIONAL = (tables.COMPETITORS, tables.DEVELOPMENTS, tables.TOWNSHIPS, tables.SITES, tables.TICKETS)
_NOT_IN_A_NAME = re.compile(r"[^\w. -]+")


def write_starter(folder: Path, language: Language) -> Path:
    """Write the folder and return the path of its scenario.

    Raises
    ------
    InputError
        When the folder holds anything: nothing of the user's is ever overwritten.
    OutputError
        When it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            [Fault(str(folder), "", "", "something that is already there", "a new or empty folder")]
        )
    texts = {
        SCENARIO: _scenario(folder.resolve().name, language),
        "data-dictionary.md": data_dictionary(language),
        **{f"{table.name}.csv": ",".join(_headers(table)) + "\n" for table in (*REQUIRED, *OPTIONAL)},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    return folder / SCENARIO


def _headers(table: tables.Table) -> list[str]:
    return [column.name for column in table.columns]


def _scenario(folder: str, language: Language) -> str:
    name = _NOT_IN_A_NAME.sub("-", folder).strip(". ") or "plan"
    lines = [f"# {line}" for line in label("starter.scenario", language).splitlines()]
    lines += ["", f"name = {json.dumps(name, ensure_ascii=False)}", ""]
    lines += _input("branches", {"path": "branches.csv", "datum": "wgs84"})
    lines += _input("counties", {"path": "counties.geojson", "datum": "wgs84"})
    lines += _input("population", {"path": "population.tif", "year": 2020})
    lines += [f"# {label('starter.optional', language)}", ""]
    for table in OPTIONAL:
        datum = {} if table is tables.TICKETS else {"datum": "wgs84"}
        lines += [
            f"# {line}" if line else "" for line in _input(table.name, {"path": f"{table.name}.csv", **datum})
        ]
    footfall = {"path": "footfall.parquet", "kind": "points", "datum": "wgs84", "time_zone": LOCAL_ZONE}
    lines += [f"# {line}" if line else "" for line in _input("footfall", footfall)]
    lines += [f"# {label('starter.parameters', language)}"]
    return "\n".join([*lines, *_parameters(language), ""])


def _input(name: str, keys: Mapping[str, object]) -> list[str]:
    return [f"[inputs.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), ""]


def _parameters(language: Language) -> list[str]:
    """Return every parameter of the method at its default, commented out, section by section."""
    lines: list[str] = []
    section = ""
    for parameter in parameters():
        head, _, name = parameter.key.rpartition(".")
        if not head or head.startswith("inputs") or parameter.required or parameter.default is None:
            continue
        if head != section:
            section = head
            lines += ["", f"[{head}]"]
        lines.append(f"# {name} = {_toml(parameter.default)}  # {_meaning(parameter, language)}")
    return lines


def _meaning(parameter: Parameter, language: Language) -> str:
    words = parameter.meaning if language == "en" else parameter_word(parameter.key, language)
    return words or parameter.meaning


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(part)}" for key, part in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
