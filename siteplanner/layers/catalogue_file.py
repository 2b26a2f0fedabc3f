"""The file of branch formats, the package's own or the planner's, to a checked catalogue."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siteplanner.errors import Fault, InputError
from siteplanner.model.catalogue import FLAGS, NUMBERS, WHOLE, Catalogue
from siteplanner.tables import FORMATS, SETTLEMENTS


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue of formats, the package's own without a path; InputError names every fault."""
    name = "formats.toml" if path is None else str(path)
    try:
        text = (files("siteplanner.layers") / name if path is None else path).read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InputError([Fault(name, "", "", str(error), "a TOML file of formats")]) from error
    faults = [*_format_faults(name, raw), *_rent_faults(name, raw)]
    if faults:
        raise InputError(faults)
    return Catalogue(_frame(raw), {kind: float(raw["rent"][kind]["value"]) for kind in SETTLEMENTS})


def _format_faults(name: str, raw: dict[str, Any]) -> list[Fault]:
    faults = [
        Fault(name, f"[{key}]", "", "an unknown section", "a format or rent")
        for key in raw
        if key not in (*FORMATS, "rent")
    ]
    for kind in FORMATS:
        entry = raw.get(kind)
        if not isinstance(entry, dict):
            faults.append(Fault(name, f"[{kind}]", "", "nothing", "the section of this format"))
            continue
        faults += [
            Fault(name, f"[{kind}]", key, repr(entry.get(key)), "{ value = number >= 0, source = text }")
            for key in NUMBERS
            if not _is_sourced(entry.get(key))
        ]
        faults += [
            Fault(name, f"[{kind}]", key, repr(entry.get(key)), "true or false")
            for key in FLAGS
            if not isinstance(entry.get(key), bool)
        ]
    return faults


def _rent_faults(name: str, raw: dict[str, Any]) -> list[Fault]:
    rent = raw.get("rent")
    rent = rent if isinstance(rent, dict) else {}
    return [
        Fault(name, "[rent]", kind, repr(rent.get(kind)), "{ value = number >= 0, source = text }")
        for kind in SETTLEMENTS
        if not _is_sourced(rent.get(kind))
    ]


def _is_sourced(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
        return False
    value, source = entry["value"], entry["source"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and np.isfinite(value) and value >= 0 and isinstance(source, str) and bool(source)


def _frame(raw: dict[str, Any]) -> pd.DataFrame:
    rows = {
        kind: {
            **{key: float(raw[kind][key]["value"]) for key in NUMBERS},
            **{key: raw[kind][key] for key in FLAGS},
            **{f"source_{key}": raw[kind][key]["source"] for key in NUMBERS},
        }
        for kind in FORMATS
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("format")
    return frame.astype(dict.fromkeys(WHOLE, "int64") | dict.fromkeys(FLAGS, "bool"))
