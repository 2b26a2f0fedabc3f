"""Residents by age: shares by county, and people of each cell raked to both margins (D§3.1)."""

import numpy as np
import pandas as pd

from siteplanner.errors import Fault, InputError
from siteplanner.model.raking import MarginError, rake, scale_to_totals
from siteplanner.scenario import DemandSettings
from siteplanner.tables import AGES

# Each cell is taken to hold this many people of its county's ages beside its own, so that a cell of few
# people has no empty age; no source.
_PRIOR_PEOPLE = 10.0


def county_numbers(county_id: pd.Series, counties: pd.DataFrame) -> np.ndarray:
    """Return the position of each row's county in the county table."""
    return np.asarray(counties.index.get_indexer(pd.Index(county_id)))


def control_residents(parts: pd.DataFrame, counties: pd.DataFrame) -> pd.DataFrame:
    """Scale people of all layers so that the residents of each county sum to its census.

    Counties without a census stay as the raster has them. Shares of age and growth do not change.

    Raises
    ------
    InputError
        A county with a census in which the raster shows nobody.
    """
    if "residents" not in counties:
        return parts
    group = county_numbers(parts["county_id"], counties)
    now = parts["residents"].to_numpy(dtype=float)
    census = counties["residents"].to_numpy(dtype=float)
    try:
        residents = scale_to_totals(now, group, census)
    except MarginError as error:
        raise InputError(
            [
                Fault(
                    "counties", f"county_id {counties.index[number]}", "residents",
                    f"{census[number]:,.0f} residents where the population raster has none",
                    "a census of the same places as the raster, or no demand.county_control",
                )
                for number in error.groups.tolist()
            ]
        ) from error  # fmt: skip
    sums = np.bincount(group, weights=now, minlength=len(counties))
    factor = np.divide(census, sums, out=np.ones(len(counties)), where=(sums > 0.0) & ~np.isnan(census))
    others = {name: parts[name] * factor[group] for name in ("residents_earlier", "aged_60")}
    return parts.assign(residents=residents, **others)


def check_controls(counties: pd.DataFrame, people: np.ndarray) -> None:
    """Refuse deposits and businesses of a county in which nobody lives.

    Parameters
    ----------
    people
        Residents and newcomers by county.

    Raises
    ------
    InputError
        One fault for each such number.
    """
    faults = [
        Fault(
            "counties", f"county_id {counties.index[number]}", column,
            f"{counties[column].iloc[number]:,.10g} where neither the raster nor a development has people",
            "no number, or a raster that covers the county",
        )
        for column in ("deposits_wan", "small_businesses")
        if column in counties
        for number in np.flatnonzero((counties[column].to_numpy() > 0.0) & (people <= 0.0)).tolist()
    ]  # fmt: skip
    if faults:
        raise InputError(faults)


def age_shares(counties: pd.DataFrame, parts: pd.DataFrame, settings: DemandSettings) -> np.ndarray:
    """Return the shares of residents by county: under 18, then `tables.AGES`; they sum to 1.

    A share that the county table tells stands; 60+ that it does not tell is the age raster's, where there is
    one. What is left goes to the other ages in proportion to the scenario's shares.
    """
    given = np.full((len(counties), 4), np.nan)
    for column, age in enumerate(AGES, start=1):
        if f"share_{age}" in counties:
            given[:, column] = counties[f"share_{age}"].to_numpy(dtype=float)
    aged = _raster_share(counties, parts)
    given[:, 3] = np.where(np.isnan(given[:, 3]) & (aged > 0.0), aged, given[:, 3])
    usual = np.array([getattr(settings, f"share_{age}") for age in AGES])
    usual = np.array([1.0 - usual.sum(), *usual])
    told = ~np.isnan(given)
    left = np.maximum(1.0 - np.where(told, given, 0.0).sum(axis=1), 0.0)
    open_ = np.where(told, 0.0, usual)
    open_sum = open_.sum(axis=1)
    # All that could take what is left has a usual share of 0: those under 18 take it.
    open_[open_sum <= 0.0, 0] = 1.0
    filled = open_ / open_.sum(axis=1)[:, None] * left[:, None]
    shares = np.where(told, given, filled)
    return np.asarray(shares / shares.sum(axis=1)[:, None])


def _raster_share(counties: pd.DataFrame, parts: pd.DataFrame) -> np.ndarray:
    group = county_numbers(parts["county_id"], counties)
    people, aged = (
        np.bincount(group, weights=parts[name].to_numpy(dtype=float), minlength=len(counties))
        for name in ("residents", "aged_60")
    )
    return np.minimum(np.divide(aged, people, out=np.zeros_like(people), where=people > 0.0), 1.0)


def split_by_age(parts: pd.DataFrame, counties: pd.DataFrame, shares: np.ndarray) -> np.ndarray:
    """Split the residents of each part by age: its own total and its county's ages are both met.

    The seed is the age raster, where a county has one, and the county's shares elsewhere.

    Parameters
    ----------
    shares
        From `age_shares`.

    Returns
    -------
    Parts x 4: under 18, then `tables.AGES`.
    """
    group = county_numbers(parts["county_id"], counties)
    people = parts["residents"].to_numpy(dtype=float)
    aged = np.minimum(parts["aged_60"].to_numpy(dtype=float), people)
    usual = shares[group]
    seen = _raster_share(counties, parts)[group] > 0.0
    younger = np.divide(usual[:, :3], usual[:, :3].sum(axis=1)[:, None], out=np.zeros_like(usual[:, :3]),
                        where=usual[:, :3].sum(axis=1)[:, None] > 0.0)  # fmt: skip
    own = np.column_stack((younger * (people - aged)[:, None], aged))
    seed = np.where(seen[:, None], own, usual * people[:, None]) + _PRIOR_PEOPLE * usual
    whole = np.bincount(group, weights=people, minlength=len(counties))
    return rake(seed, people, group, shares * whole[:, None])
