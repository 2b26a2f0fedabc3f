"""Finished runs side by side: indicators, moves, settings, and which moves made the difference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.studies.run_files import RunFiles

PLACE_DIGITS = 5
"""Decimals of longitude and latitude, about a metre, to which two sites are the same place: numbers of sites
differ from run to run."""

CAUSES = {
    "visits_own": {"net_visits": 1.0},
    "covered_own": {"covered_gained": 1.0, "covered_lost": -1.0},
    "opex_wan": {"cost_effect_wan": -1.0},
    "gross_gain_wan": {"gross_gain_wan": 1.0},
    "cannibalised_wan": {"cannibalised_wan": 1.0},
    "lost_wan": {"lost_wan": 1.0},
    "net_wan": {"net_wan": 1.0},
    "capex_wan": {"capex_wan": 1.0},
    "npv_wan": {"npv_wan": 1.0},
}
"""Indicators that are a baseline and a sum over the moves, with the columns of moves that add up to them."""

BASELINE, REMAINDER = "baseline", "remainder"
"""What stands in the place of a branch where a difference comes from no move."""

TOLD_SHARE = 1e-6
"""A remainder below this share of the indicator is rounding: files hold ten digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What tells runs apart; the first is the one that the others are compared with.

    Parameters
    ----------
    runs
        The runs, in the order given.
    kpis
        By indicator: ``unit``, and for each run its number under (run, ``before``), ``after``, ``change``.
    moves
        One row for each branch that moves in some run: who it is, ``state`` (``common``: to the same place in
        all runs; ``elsewhere``: it moves in all, not to the same place; ``some``: not in all), and for each
        run where it goes and what that brings.
    causes
        Long: indicator, run, branch, and what it contributes to the difference between the run and the first.
        For each indicator and run the contributions add up to the difference.
    settings, inputs
        Parameters and input files that are not the same in all runs.
    cells
        Cells that are within reach of an own branch after one plan and not after another: place, residents,
        and for each run whether they are. None where the runs have different lattices.
    """

    runs: tuple[RunFiles, ...]
    kpis: pd.DataFrame
    moves: pd.DataFrame
    causes: pd.DataFrame
    settings: pd.DataFrame
    inputs: pd.DataFrame
    cells: pd.DataFrame | None

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the runs are called."""
        return tuple(run.name for run in self.runs)

    @property
    def counties(self) -> gpd.GeoDataFrame:
        """Return the counties of the first run."""
        return self.runs[0].counties


def compare_runs(runs: Sequence[RunFiles]) -> Comparison:
    """Compare finished runs with the first of them."""
    kpis = _kpis(runs)
    return Comparison(
        runs=tuple(runs),
        kpis=kpis,
        moves=_moves(runs),
        causes=_causes(runs, kpis),
        settings=_differing({run.name: dict(_flat(run.scenario)) for run in runs}, "parameter"),
        inputs=_differing({run.name: run.manifest["inputs"] for run in runs}, "file"),
        cells=_cells(runs),
    )


def _kpis(runs: Sequence[RunFiles]) -> pd.DataFrame:
    parts: dict[tuple[str, str], pd.Series] = {}
    for run in runs:
        told = pd.DataFrame.from_dict(run.manifest["kpis"], orient="index")
        numbers = told[["before", "after"]].astype(float)
        parts[run.name, "before"], parts[run.name, "after"] = numbers["before"], numbers["after"]
        parts[run.name, "change"] = numbers["after"] - numbers["before"]
    units = pd.concat([pd.DataFrame.from_dict(run.manifest["kpis"], orient="index")["unit"] for run in runs])
    order = list(dict.fromkeys(units.index))
    frame = pd.DataFrame(parts).reindex(order)
    frame.insert(0, ("", "unit"), units[~units.index.duplicated()].reindex(order))
    return frame.rename_axis("kpi")


def _moves(runs: Sequence[RunFiles]) -> pd.DataFrame:
    tables = {run.name: run.moves.reset_index().set_index("branch_id") for run in runs}
    branches = sorted(set().union(*(table.index for table in tables.values())))
    known = pd.concat([table[["branch_name", "from_county"]] for table in tables.values()])
    frame = known[~known.index.duplicated()].reindex(branches)
    places = pd.DataFrame({name: _places(table).reindex(branches) for name, table in tables.items()})
    everywhere = places.notna().all(axis=1)
    same = everywhere & places.eq(places.iloc[:, 0], axis=0).all(axis=1)
    frame["state"] = np.select([same, everywhere], ["common", "elsewhere"], default="some")
    frame.columns = pd.MultiIndex.from_product([[""], frame.columns])
    told = ("seq", "site_name", "to_county", "net_wan", "npv_wan", "net_visits")
    parts = {(name, column): tables[name][column].reindex(branches) for name in tables for column in told}
    joined = pd.concat([frame, pd.DataFrame(parts, index=pd.Index(branches))], axis=1)
    return joined.rename_axis("branch_id")


def _places(table: pd.DataFrame) -> pd.Series:
    lon, lat = (table[name].astype(float).round(PLACE_DIGITS) for name in ("to_lon", "to_lat"))
    return lon.map("{:.5f} ".format) + lat.map("{:.5f}".format)


def _causes(runs: Sequence[RunFiles], kpis: pd.DataFrame) -> pd.DataFrame:
    """Split each difference to the first run: the do-nothing network, then branch by branch."""
    rows = [row for run in runs[1:] for row in _split(runs[0], run, kpis)]
    columns = ["kpi", "run", "branch_id", "first", "this", "contribution"]
    return pd.DataFrame(rows, columns=columns)


def _split(
    first: RunFiles, this: RunFiles, kpis: pd.DataFrame
) -> Iterator[tuple[str, str, str, float, float, float]]:
    for kpi, columns in CAUSES.items():
        if kpi not in kpis.index:
            continue
        both = pd.concat([_by_branch(run, columns) for run in (first, this)], axis=1)
        both = both.fillna(0.0).sort_index()
        before, after = (
            [float(kpis[run.name, when].astype(float)[kpi]) for run in (first, this)]
            for when in ("before", "after")
        )
        parts = [(BASELINE, before[0], before[1])]
        parts += [(str(branch), float(a), float(b)) for branch, a, b in both.itertuples()]
        for branch, a, b in parts:
            if a != b:
                yield kpi, this.name, branch, a, b, b - a
        left = after[1] - after[0] - sum(b - a for _, a, b in parts)
        scale = max(*map(abs, after), 1.0)
        if abs(left) > TOLD_SHARE * scale:
            yield kpi, this.name, REMAINDER, 0.0, left, left


def _by_branch(run: RunFiles, columns: dict[str, float]) -> "pd.Series[float]":
    """Return what each moved branch adds to an indicator, from the columns that make it up."""
    moves = run.moves.set_index("branch_id")
    return moves[list(columns)].astype(float).mul(pd.Series(columns)).sum(axis=1, skipna=False)


def _flat(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from _flat(value, name)
        else:
            yield name, _said(value)


def _said(value: object) -> str:
    """Write a value as a scenario file would."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _differing(told: dict[str, dict[str, Any]], key: str) -> pd.DataFrame:
    """Return the entries that are not the same in all runs, in the order of the first that has them."""
    names = list(dict.fromkeys(name for entries in told.values() for name in entries))
    rows = {name: [str(entries.get(name, "")) for entries in told.values()] for name in names}
    kept = {name: row for name, row in rows.items() if len(set(row)) > 1}
    return pd.DataFrame.from_dict(kept, orient="index", columns=list(told)).rename_axis(key)


def _cells(runs: Sequence[RunFiles]) -> pd.DataFrame | None:
    first = runs[0].cells(["lon", "lat", "residents", "minutes_own_after"])
    within = {runs[0].name: _is_within(first, runs[0])}
    for run in runs[1:]:
        cells = run.cells(["lon", "lat", "minutes_own_after"])
        if not cells.index.equals(first.index) or not np.allclose(
            cells[["lon", "lat"]], first[["lon", "lat"]]
        ):
            return None
        within[run.name] = _is_within(cells, run)
    reached = pd.DataFrame(within)
    lived = first["residents"] > 0.0
    differs = lived & reached.ne(reached.iloc[:, 0], axis=0).any(axis=1)
    return pd.concat([first.loc[differs, ["lon", "lat", "residents"]], reached[differs]], axis=1)


def _is_within(cells: pd.DataFrame, run: RunFiles) -> pd.Series:
    return cells["minutes_own_after"] <= float(run.scenario["access"]["cover_min"])
