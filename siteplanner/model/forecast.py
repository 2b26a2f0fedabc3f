"""The years to come without any move: growth, new homes, migration online (D§3.1, D§3.3, D§3.4)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplanner import tables
from siteplanner.model.demand import Demand
from siteplanner.model.developments import moved_in
from siteplanner.model.grid import Grid
from siteplanner.model.market import Market
from siteplanner.model.raking import scale_to_totals
from siteplanner.model.residents import GROWTH_PRIOR_PEOPLE, Residents
from siteplanner.model.volumes import Volumes, grown, lay_ground, richer, state_volumes
from siteplanner.scenario import DemandSettings


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Demand of the coming years if nothing is moved.

    Parameters
    ----------
    counties
        `tables.FORECAST`, year by year, each in the order of the county table.
    cells
        `tables.FORECAST_CELLS`: the last year of the horizon, by cell.
    """

    counties: pd.DataFrame
    cells: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.counties, tables.FORECAST)
        tables.check(self.cells, tables.FORECAST_CELLS)


def forecast_demand(
    grid: Grid, residents: Residents, demand: Demand, market: Market, settings: DemandSettings
) -> Forecast:
    """Carry the demand of the plan year on, year by year to the horizon, at today's shares of the market.

    Year 0 is the demand itself. Visits and deposits of later years stand to it as they would without
    calibration: what was observed sets the level, the model its course.
    """
    ground = lay_ground(grid, demand.cells, residents, settings)
    places = _places(residents, ground.own)
    share_own = market.cells["share_own"].reindex(grid.cells.index).to_numpy(dtype=float)
    rows, cells, place = [], pd.DataFrame(), residents.households.place
    level = np.ones((2, len(demand.cells)))
    for year, ages in enumerate(_people(grid, residents, ground.own, settings)):
        volumes = state_volumes(ground, settings, ages, year)
        if year == 0:
            level = _levels(demand, volumes)
        frame = _named(volumes, level, share_own)
        sums = pd.DataFrame(places @ frame.to_numpy(), columns=frame.columns)
        # Money lies with households, whose county is known; only visits of a border cell must be shared.
        held = (ages[:, 1:] * ground.per_head).sum(axis=1) * richer(settings, year) * level[1][place]
        sums["potential_wan"] = _by_county(held, residents)
        sums["deposits_own_wan"] = _by_county(held * share_own[place], residents)
        counted = _by_county(ages.sum(axis=1), residents)
        sums.insert(0, "people", counted)
        sums.insert(0, "year", settings.plan_year + year)
        sums.insert(0, "county_id", residents.counties.index.to_numpy())
        rows.append(sums)
        cells = frame[["visits_per_day", "potential_wan"]]
    last = cells.set_axis(grid.cells.index).rename(
        columns={"visits_per_day": "visits_horizon", "potential_wan": "potential_horizon_wan"}
    )
    return Forecast(pd.concat(rows, ignore_index=True), last)


def _people(
    grid: Grid, residents: Residents, own: np.ndarray, settings: DemandSettings
) -> Iterator[np.ndarray]:
    """Tell the people of the plan year and of each year after it, by row of the households and age.

    Residents grow as they did between the two rasters: a county at its own rate, and within it the cells in
    proportion to theirs, read within 1 km; both rates no larger than the cap. New homes fill as their curve
    says. Where a cell grows, the larger of its growth and its new homes counts: much of past growth was new
    homes, and the same people must not come twice (D§3.4). Who comes is of the ages of the county, who goes
    of those of the cell.
    """
    homes = residents.households
    now = homes.ages.sum(axis=1)
    of_county = residents.shares[homes.county]
    base = grown(residents)
    settled = residents.cells["moved_in"].to_numpy()
    share, rates = _own_rows(residents, own), _rates(residents, settings)
    yield base
    for year in range(1, settings.horizon_years + 1):
        trend = _trend(residents, now, rates, year) - now
        coming = moved_in(grid, residents.estates, settings.plan_year + year, settings) - settled
        fresh = np.maximum(coming, 0.0)[homes.place] * share
        comes = np.where(trend > 0.0, np.maximum(trend, fresh), fresh)
        stays = np.divide(now + np.minimum(trend, 0.0), now, out=np.ones_like(now), where=now > 0.0)
        yield base + homes.ages * (stays - 1.0)[:, None] + comes[:, None] * of_county


def _own_rows(residents: Residents, own: np.ndarray) -> np.ndarray:
    """Return 1 for the row of each cell that takes its newcomers, 0 for the others.

    It is the row of the cell's own county, else the one with most people, ties to the first.
    """
    homes = residents.households
    is_own = (homes.county == own[homes.place]).astype(float)
    order = np.lexsort((np.arange(homes.place.size), -homes.ages.sum(axis=1), -is_own, homes.place))
    first = np.r_[True, np.diff(homes.place[order]) > 0] if order.size else np.zeros(0, dtype=bool)
    share = np.zeros(homes.place.size)
    share[order[first]] = 1.0
    return share


def _rates(residents: Residents, settings: DemandSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return growth per year by row of the households and by county, no larger than the cap."""
    homes, epochs, cap = residents.households, residents.epochs, settings.growth_cap_per_year
    years = epochs.now - epochs.earlier
    if years <= 0:
        return np.zeros(homes.place.size), np.zeros(len(residents.counties))
    cells = residents.cells["growth_per_year"].to_numpy(dtype=float)[homes.place]
    sums = residents.parts.groupby("county_id")[["residents", "residents_earlier"]].sum()
    sums = sums.reindex(residents.counties.index, fill_value=0.0) + GROWTH_PRIOR_PEOPLE
    counties = ((sums["residents"] / sums["residents_earlier"]) ** (1.0 / years) - 1.0).to_numpy(dtype=float)
    return cells.clip(-cap, cap), counties.clip(-cap, cap)


def _trend(
    residents: Residents, now: np.ndarray, rates: tuple[np.ndarray, np.ndarray], year: int
) -> np.ndarray:
    """Return residents by row after some years: cells at their rates, then scaled to their county's."""
    cells, counties = ((1.0 + rate) ** year for rate in rates)
    return scale_to_totals(now * cells, residents.households.county, _by_county(now, residents) * counties)


def _by_county(rows: np.ndarray, residents: Residents) -> np.ndarray:
    return np.bincount(residents.households.county, weights=rows, minlength=len(residents.counties))


def _levels(demand: Demand, volumes: Volumes) -> np.ndarray:
    """Return calibrated over modelled visits and deposits by cell; where there are none, in all."""
    modelled = (volumes.visits.sum(axis=1), volumes.deposits[:, :3].sum(axis=1))
    rows = []
    for name, plain in zip(("visits_per_day", "potential_wan"), modelled, strict=True):
        stated = demand.cells[name].to_numpy(dtype=float)
        overall = stated.sum() / plain.sum() if plain.sum() > 0.0 else 1.0
        rows.append(np.divide(stated, plain, out=np.full(plain.size, overall), where=plain > 0.0))
    return np.array(rows)


def _named(volumes: Volumes, level: np.ndarray, share_own: np.ndarray) -> pd.DataFrame:
    visits = volumes.visits * level[0][:, None]
    potential = volumes.deposits[:, :3].sum(axis=1) * level[1]
    columns = {"visits_per_day": visits.sum(axis=1)}
    columns |= {f"visits_{name}": visits[:, i] for i, name in enumerate(tables.SEGMENTS)}
    columns |= {
        "potential_wan": potential,
        "potential_business_wan": volumes.deposits[:, 3],
        "visits_own": visits.sum(axis=1) * share_own,
        "deposits_own_wan": potential * share_own,
    }
    return pd.DataFrame(columns)


def _places(residents: Residents, own: np.ndarray) -> sp.csr_array:
    """Return the share of each cell in each county: by people, else the county of the grid."""
    homes, size = residents.households, own.size
    people = grown(residents).sum(axis=1)
    in_cell = np.bincount(homes.place, weights=people, minlength=size)
    lived = in_cell[homes.place] > 0.0
    share = people[lived] / in_cell[homes.place[lived]]
    empty = np.flatnonzero(in_cell <= 0.0)
    return sp.csr_array(
        (
            np.concatenate((share, np.ones(empty.size))),
            (
                np.concatenate((homes.county[lived], own[empty])),
                np.concatenate((homes.place[lived], empty)),
            ),
        ),
        shape=(len(residents.counties), size),
    )
