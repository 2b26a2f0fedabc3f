"""Checks an exported plan from its files alone; shares no code with the planner.

Every rule is replayed step by step and every figure of the manifest is counted again, with plain numpy and a
KD-tree on the sphere: pairs, minutes, coverage, the outside option, Huff shares, totals by county.
"""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.optimize import bisect
from scipy.spatial import cKDTree

EARTH_KM = 6371.0088
LEVEL = {"U": 2, "C": 1, "T": 0, "V": 0}


def unit(lon, lat):
    lon, lat = np.radians(np.asarray(lon, float)), np.radians(np.asarray(lat, float))
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def arc_km(a, b):
    return 2 * EARTH_KM * np.arcsin(np.minimum(np.linalg.norm(a - b, axis=-1) / 2, 1.0))


class Exported:
    """The files of one run, read once."""

    def __init__(self, folder):
        folder = Path(folder)
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.scenario = self.manifest["scenario"]
        layers = ("outlets", "sites", "counties", "branches", "zones")
        for name in layers:
            setattr(self, name, gpd.read_file(folder / "plan.gpkg", layer=name, ignore_geometry=True))
        self.moves = pd.read_csv(folder / "moves.csv", dtype={"from_county_id": str, "to_county_id": str})
        self.cells = pd.read_parquet(folder / "cells.parquet").set_index("cell_id")
        self.people = pd.read_parquet(folder / "people.parquet")

    def network(self, when):
        states = ["stays", "leaves"] if when == "before" else ["stays", "arrives"]
        return self.outlets[self.outlets["state"].isin(states)].reset_index(drop=True)


def check_rules(plan):
    """Replay the order and return every rule that is broken, in words."""
    broken = []
    rules, limits = plan.scenario["rules"], plan.scenario["relocation"]
    before = plan.network("before")
    own = before[before["own"]].set_index("outlet_id")
    rivals = before[~before["own"]]
    here = own.copy()
    arrivals = plan.outlets[plan.outlets["state"] == "arrives"].set_index("outlet_id")
    settlement = plan.sites.set_index("site_id")["settlement"]
    if len(plan.moves) > limits["max_moves"]:
        broken.append("more moves than max_moves")
    if plan.moves["branch_id"].duplicated().any() or plan.moves["site_id"].duplicated().any():
        broken.append("a branch or a site is used twice")
    served = lambda frame: set(frame["township_id"]) - {""}  # noqa: E731 - a word for one rule
    for move in plan.moves.sort_values("seq").itertuples():
        old, new = own.loc[move.branch_id], arrivals.loc[move.branch_id]
        if old["prefecture"] != new["prefecture"]:
            broken.append(f"CN-1 {move.seq}: leaves its prefecture")
        if LEVEL[new["tier"]] > LEVEL[old["tier"]]:
            broken.append(f"CN-2 {move.seq}: moves upward from {old['tier']} to {new['tier']}")
        if move.branch_id in rules["protected"]:
            broken.append(f"{move.seq}: a protected branch moves")
        others = here.drop(index=move.branch_id)
        spacing = limits[f"spacing_{settlement[move.site_id]}_km"]
        near = arc_km(unit(others["lon"], others["lat"]), unit([new["lon"]], [new["lat"]]))
        if near.size and near.min() < spacing - 1e-6:
            broken.append(f"SPACING {move.seq}: {near.min():.3f} km to an own branch, {spacing} asked for")
        after = pd.concat([others, new.to_frame().T])
        if rules["keep_last_in_township"]:
            lost = served(pd.concat([here, rivals])) - served(pd.concat([after, rivals]))
            broken += [f"CN-5 {move.seq}: township {township} loses its last outlet" for township in lost]
        if rules["keep_last_own_in_county"]:
            lost = set(here["county_id"]) - set(after["county_id"])
            broken += [f"CN-6 {move.seq}: county {county} loses its last own branch" for county in lost]
        counts = after["county_id"].value_counts()
        start = own["county_id"].value_counts()
        for row in plan.counties.itertuples():
            n, was = counts.get(row.county_id, 0), start.get(row.county_id, 0)
            if n < min(row.floor, was):
                broken.append(f"FLOOR {move.seq}: county {row.county_id} has {n}, floor {row.floor}")
            if n > max(row.cap, was):
                broken.append(f"CAP {move.seq}: county {row.county_id} has {n}, cap {row.cap}")
        here = after
    if len(here) != len(own):
        broken.append("the number of branches changed")
    final = plan.network("after")
    final = final[final["own"]].set_index("outlet_id").sort_index()
    if not np.allclose(final[["lon", "lat"]].astype(float), here.sort_index()[["lon", "lat"]].astype(float)):
        broken.append("the network after is not the moves carried out")
    return broken


class Recount:
    """Minutes, shares and coverage, counted again for one network."""

    def __init__(self, plan, when, outside=None):
        access, market = plan.scenario["access"], plan.scenario["market"]
        cells = plan.cells[(plan.cells[["residents", "visits_per_day", "moved_in"]] > 0).any(axis=1)]
        outlets = plan.network(when)
        self.cells, self.outlets = cells, outlets
        classes = pd.DataFrame({kind: access[kind] for kind in ("core", "urban", "town", "rural")}).T
        mine = classes.loc[cells["settlement"]]
        pace = (mine["detour"] / mine["speed_kmh"] * 60).to_numpy(float)
        reach = mine["reach_km"].to_numpy(float)
        points, places = unit(cells["lon"], cells["lat"]), unit(outlets["lon"], outlets["lat"])
        tree = cKDTree(places)
        chord = 2 * np.sin((reach + 1e-9) / EARTH_KM / 2)
        found = tree.query_ball_point(points, chord, return_sorted=True)
        lengths = np.array([len(row) for row in found])
        self.row = np.repeat(np.arange(len(cells)), lengths)
        self.place = np.concatenate([np.asarray(row, dtype=int) for row in found if row])
        km = arc_km(points[self.row], places[self.place])
        floor_km = plan.scenario["grid"]["cell_m"] / 4000
        self.minutes = np.maximum(km, floor_km) * pace[self.row]
        decay = np.exp(-market["decay_per_min"] * self.minutes)
        self.utility = outlets["attractiveness"].to_numpy(float)[self.place] * decay
        self.own = outlets["own"].to_numpy(bool)[self.place]
        self.total = np.bincount(self.row, self.utility, len(cells))
        self.nearest_any = self._nearest(np.ones(len(self.row), bool))
        self.nearest_own = self._nearest(self.own)
        self.outside = self._outside(market["outside_share"], pace) if outside is None else outside

    def _nearest(self, which):
        nearest = np.full(len(self.cells), np.inf)
        np.minimum.at(nearest, self.row[which], self.minutes[which])
        return nearest

    def _outside(self, share, pace):
        outside = np.empty(len(self.cells))
        visits = self.cells["visits_per_day"].to_numpy(float)
        kinds = self.cells["settlement"].to_numpy()
        for kind in np.unique(kinds):
            near = (kinds == kind) & (self.nearest_any <= pace)
            total, weight = self.total[near], visits[near]
            if weight.sum() > 0:
                excess = lambda u, t=total, w=weight: np.average(u / (u + t), weights=w) - share  # noqa: E731
                outside[kinds == kind] = bisect(excess, 1e-12, 1e6, xtol=1e-15, maxiter=500)
            else:
                decay = np.exp(-0.11 * pace[kinds == kind])
                outside[kinds == kind] = share / (1 - share) * decay
        return outside

    def own_visits_by_cell(self):
        ours = np.bincount(self.row, self.utility * self.own, len(self.cells))
        share = np.divide(ours, ours + self.rest(), out=np.zeros_like(ours), where=ours > 0)
        return share * self.cells["visits_per_day"].to_numpy(float)

    def rest(self):
        return self.outside + np.bincount(self.row, self.utility * ~self.own, len(self.cells))

    def covered(self, minutes, column, people, *, own):
        """People by county within reach, from people by cell and county."""
        nearest = self.nearest_own if own else self.nearest_any
        inside = self.cells.index[nearest <= minutes]
        return people[people["cell_id"].isin(inside)].groupby("county_id")[column].sum()
