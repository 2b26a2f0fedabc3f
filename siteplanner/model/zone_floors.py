"""Areas that are too small to act on: too few outlets, too few people, too little for a light branch."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from siteplanner.model import zone_rules as rules
from siteplanner.model.grid import Grid
from siteplanner.model.zone_areas import Areas
from siteplanner.scenario import ZoneSettings

# Remote people are few by nature; below this many a hamlet is no zone of its own. No source.
INCLUSIVE_MIN_RESIDENTS = 200.0

# Deposits that a light branch would win at spots (`lon`, `lat`): today, and at the end of the horizon.
Win = Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]


def sum_parts(grid: Grid, cells: pd.DataFrame, areas: Areas) -> pd.DataFrame:
    """Describe every area to act on, by number: what it holds, its county and kind, and its best spot.

    The best spot is the cell with most deposits within its distance band, the first of equals.
    """
    kept = ~np.isin(areas.kind, (rules.BALANCED, rules.THIN))
    frame = cells.loc[
        kept, ["county_id", "residents", "visits", "potential_wan", "own_inside", "listed", "potential_near"]
    ].assign(
        number=areas.number[kept],
        kind=areas.kind[kept],
        lon=grid.cells["lon"].to_numpy()[kept],
        lat=grid.cells["lat"].to_numpy()[kept],
        cell=cells.index.to_numpy()[kept],
    )
    groups = frame.groupby("number", sort=True)
    sums = groups[["residents", "visits", "potential_wan", "own_inside"]].sum()
    ordered = frame.sort_values(["number", "potential_near", "cell"], ascending=[True, False, True])
    best = ordered.drop_duplicates("number").set_index("number")
    of_best = best[["county_id", "kind", "listed", "lon", "lat", "cell"]]
    return sums.rename(columns={"visits": "visits_per_day"}).join(of_best)


def find_small(parts: pd.DataFrame, settings: ZoneSettings) -> "pd.Series[str]":
    """Return by area why it is too small to act on, empty where it is not; areas by list never are."""
    wanted = parts["kind"].isin([rules.BLANK, rules.INFLOW])
    reason = np.select(
        [
            parts["listed"] > 0,
            wanted & (parts["residents"] < settings.min_residents),
            (parts["kind"] == rules.DENSE) & (parts["own_inside"] < rules.DENSE_MIN_OUTLETS),
            (parts["kind"] == rules.INCLUSIVE) & (parts["residents"] < INCLUSIVE_MIN_RESIDENTS),
        ],
        ["", "few_residents", "few_outlets", "few_remote"],
        default="",
    )
    return pd.Series(reason, index=parts.index, dtype="str")


def starve(small: "pd.Series[str]", parts: pd.DataFrame, win: Win, least_wan: float) -> "pd.Series[str]":
    """Add the areas in which a light branch would not break even: blank ones today, inflow ones in time.

    It is asked at the area's best spot, for all that comes to it from there, also from beyond the area.
    """
    asked = (small == "") & parts["kind"].isin([rules.BLANK, rules.INFLOW])
    spots = parts.loc[asked, ["lon", "lat"]]
    if spots.empty:
        return small
    today, then = win(spots)
    won = np.where(parts.loc[asked, "kind"] == rules.BLANK, today, np.maximum(today, then))
    poor = pd.Series(won < least_wan, index=spots.index).reindex(small.index, fill_value=False)
    return small.mask(poor, "not_viable")
