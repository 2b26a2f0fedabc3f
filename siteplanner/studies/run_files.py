"""The result folder of a finished run, read back and checked against its manifest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplanner.errors import Fault, InputError

MANIFEST, PLAN, CELLS = "manifest.json", "plan.gpkg", "cells.parquet"

FOLDER = "the output folder of a finished run"

NEEDED = ("siteplanner", "scenario", "kpis", "inputs", "files", "synthetic")
"""Entries of a manifest without which a run cannot be told."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class RunFiles:
    """What a finished run left behind.

    Parameters
    ----------
    name
        How the run is called beside others.
    manifest
        As it stands in the folder.
    moves
        `tables.MOVE_ROWS`, by ``seq``.
    counties
        Counties with their borders.
    """

    name: str
    folder: Path
    manifest: dict[str, Any]
    moves: pd.DataFrame
    counties: gpd.GeoDataFrame

    @property
    def scenario(self) -> dict[str, Any]:
        """Return the scenario of the run, defaults filled in."""
        scenario: dict[str, Any] = self.manifest["scenario"]
        return scenario

    def cells(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of the cells, by ``cell_id``."""
        return pd.read_parquet(self.folder / CELLS, columns=["cell_id", *columns]).set_index("cell_id")


def read_runs(folders: Sequence[Path]) -> list[RunFiles]:
    """Read finished runs; each is called by its scenario, and by its folder too where that is not enough.

    Raises
    ------
    InputError
        With every folder that holds no whole run, and every file that its manifest does not vouch for.
    """
    faults: list[Fault] = []
    manifests = [_read_manifest(folder, faults) for folder in folders]
    if faults:
        raise InputError(faults)
    names = _name_apart([str(one["scenario"]["name"]) for one in manifests], folders)
    return [
        RunFiles(name, folder, manifest, *_read_plan(folder))
        for name, folder, manifest in zip(names, folders, manifests, strict=True)
    ]


def _read_manifest(folder: Path, faults: list[Fault]) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        faults.append(Fault(str(folder), "", "", f"no {MANIFEST}", FOLDER))
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        faults.append(Fault(str(path), "", "", "no JSON text", f"the {MANIFEST} of a run"))
        return {}
    lacking = [name for name in NEEDED if not isinstance(manifest, dict) or name not in manifest]
    if lacking:
        faults.append(Fault(str(path), "", "", f"no entry {', '.join(lacking)}", f"the {MANIFEST} of a run"))
        return {}
    faults += [fault for name in (PLAN, CELLS) for fault in _check_file(folder / name, manifest)]
    return dict(manifest)


def _check_file(path: Path, manifest: dict[str, Any]) -> list[Fault]:
    if not path.is_file():
        return [Fault(str(path), "", "", "no such file", FOLDER)]
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    told = manifest["files"].get(path.name, {}).get("sha256")
    if digest.hexdigest() == told:
        return []
    return [
        Fault(
            str(path), "", "", "another content than the run wrote", f"the file that {MANIFEST} vouches for"
        )
    ]


def _read_plan(folder: Path) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    moves = gpd.read_file(folder / PLAN, layer="moves", ignore_geometry=True)
    counties = gpd.read_file(folder / PLAN, layer="counties")
    return pd.DataFrame(moves).set_index("seq").sort_index(), counties


def _name_apart(names: list[str], folders: Sequence[Path]) -> list[str]:
    """Return names that differ: the scenario's, else with the folder's, else with a number."""
    if len(set(names)) < len(names):
        names = [f"{name} ({folder.name})" for name, folder in zip(names, folders, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {at}" for at, name in enumerate(names, start=1)]
    return names
