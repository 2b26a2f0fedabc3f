"""People into visits and deposits, segment by segment (D§3.1)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.ages import county_numbers
from siteplanner.model.grid import Grid
from siteplanner.model.residents import Residents
from siteplanner.scenario import DemandSettings

CNY_PER_WAN = 10_000.0
_PER_1000 = 1_000.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the layers in use; they sum to 1."""

    home: float
    work: float
    leisure: float


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Where people are and what a head holds: all that stays the same from year to year.

    Parameters
    ----------
    work
        People by day, by cell.
    abroad
        Share of every segment's visitors whom work and leisure put into each cell; sums to ``1 - mix.home``.
    own
        Position of each cell's county in the county table.
    per_head
        Deposits a head by row of the households and age, 10,000 CNY.
    """

    residents: Residents
    mix: Mix
    work: np.ndarray
    abroad: np.ndarray
    own: np.ndarray
    per_head: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Volumes:
    """Visits and deposits by cell and segment, in the order of `tables.AGES` and `tables.SEGMENTS`.

    Parameters
    ----------
    people
        Cells x 3.
    businesses
        By cell.
    visits
        Cells x 4, per business day.
    deposits
        Cells x 4, 10,000 CNY.
    """

    people: np.ndarray
    businesses: np.ndarray
    visits: np.ndarray
    deposits: np.ndarray


def visits_per_day(settings: DemandSettings, year: int = 0) -> np.ndarray:
    """Return branch visits per head of each segment and business day after part of them went online (D§3.1).

    ``v ((1 - c)(1 - m)(1 - d)^t + c (1 - m_c))`` with c the share that needs cash or a person, m and m_c the
    shares of both kinds that went online, d the share of the other kind's rest that follows every year.

    Parameters
    ----------
    year
        t, years after the plan year.
    """
    stays = [
        (1.0 - settings.cash_share)
        * (1.0 - getattr(settings, f"migration_{name}_share"))
        * (1.0 - getattr(settings, f"migration_{name}_per_year")) ** year
        + settings.cash_share * (1.0 - settings.cash_migration_share)
        for name in tables.SEGMENTS
    ]
    person = settings.visits_per_person_year
    heads = [person, person, person * settings.aged_60_factor, settings.visits_per_business_year]
    return np.asarray(np.array(heads) * stays / settings.business_days_per_year)


def lay_ground(grid: Grid, cells: pd.DataFrame, residents: Residents, settings: DemandSettings) -> Ground:
    """Weigh the layers and find what a head holds.

    Parameters
    ----------
    cells
        ``work``, ``leisure`` and ``settlement`` by cell, in the grid's order.
    """
    layers = {name: cells[name].to_numpy(dtype=float) for name in ("work", "leisure")}
    mix = _weigh(layers, settings)
    abroad = np.zeros(len(cells))
    for weight, layer in ((mix.work, layers["work"]), (mix.leisure, layers["leisure"])):
        if weight > 0.0:
            abroad += weight * layer / layer.sum()
    factor = {"town": settings.town_deposit_factor, "rural": settings.rural_deposit_factor}
    income = cells["settlement"].astype(str).map(factor).fillna(1.0).to_numpy(dtype=float)
    own = county_numbers(grid.cells["county_id"], residents.counties)
    return Ground(
        residents, mix, layers["work"], abroad, own, _deposits_per_head(income, residents, settings)
    )


def _weigh(layers: dict[str, np.ndarray], settings: DemandSettings) -> Mix:
    """Return the weights of the layers that hold people; an empty one leaves its weight to the others.

    Where all weight stands on empty layers, people at home are what is left.
    """
    work = settings.weight_work if layers["work"].sum() > 0.0 else 0.0
    leisure = settings.weight_visit if layers["leisure"].sum() > 0.0 else 0.0
    whole = settings.weight_home + work + leisure
    if whole <= 0.0:
        return Mix(1.0, 0.0, 0.0)
    return Mix(settings.weight_home / whole, work / whole, leisure / whole)


def state_volumes(ground: Ground, settings: DemandSettings, ages: np.ndarray, year: int = 0) -> Volumes:
    """State visits and deposits of every cell.

    Each segment's people are mixed from home, work and leisure, every layer scaled to the segment's total, so
    that footfall, which is person-hours, does not swamp residents: the mix moves people, none is made.

    Parameters
    ----------
    ages
        People of that year by row of the households and age, newcomers included (`grown`).
    year
        Years after the plan year.
    """
    people = _by_cell(ground, ages[:, 1:])
    present = ground.mix.home * people + ground.abroad[:, None] * people.sum(axis=0)
    businesses = _businesses(ground, ages.sum(axis=1), settings)
    visits = np.column_stack((present, businesses)) * visits_per_day(settings, year)
    deposits = np.column_stack(
        (_by_cell(ground, ages[:, 1:] * ground.per_head), businesses * settings.deposits_per_business_wan)
    )
    return Volumes(people, businesses, visits, deposits * richer(settings, year))


def richer(settings: DemandSettings, year: int) -> float:
    """Return deposits a head some years after the plan year against today's."""
    return float((1.0 + settings.deposits_growth_per_year) ** year)


def grown(residents: Residents) -> np.ndarray:
    """Return the people of the plan year by row and age: newcomers are of the ages of their county."""
    homes = residents.households
    return np.asarray(homes.ages + homes.newcomers[:, None] * residents.shares[homes.county])


def name_volumes(volumes: Volumes, index: pd.Index) -> pd.DataFrame:
    """Return `tables.DEMAND_SEGMENTS`."""
    columns = {f"people_{age}": volumes.people[:, i] for i, age in enumerate(tables.AGES)}
    columns["businesses"] = volumes.businesses
    columns |= {f"visits_{name}": volumes.visits[:, i] for i, name in enumerate(tables.SEGMENTS)}
    columns |= {f"potential_{name}_wan": volumes.deposits[:, i] for i, name in enumerate(tables.SEGMENTS)}
    return pd.DataFrame(columns, index=index)


def _by_cell(ground: Ground, rows: np.ndarray) -> np.ndarray:
    place, size = ground.residents.households.place, ground.work.size
    sums = [np.bincount(place, weights=rows[:, column], minlength=size) for column in range(rows.shape[1])]
    return np.column_stack(sums)


def _businesses(ground: Ground, people: np.ndarray, settings: DemandSettings) -> np.ndarray:
    """Return small businesses by cell: where people are by day, else where they live; county by county.

    A county keeps the number that its table tells; elsewhere they go with its people.
    """
    residents = ground.residents
    homes, counties = residents.households, residents.counties
    size = len(counties)
    # A county's number is of today; it grows with its people.
    today = np.bincount(homes.county, weights=grown(residents).sum(axis=1), minlength=size)
    now = np.bincount(homes.county, weights=people, minlength=size)
    number = now * settings.businesses_per_1000 / _PER_1000
    if "small_businesses" in counties:
        told = counties["small_businesses"].to_numpy(dtype=float)
        grew = np.divide(now, today, out=np.ones(size), where=today > 0.0)
        number = np.where(np.isnan(told), number, told * grew)
    by_day = np.bincount(ground.own, weights=ground.work, minlength=size)
    per_sighting = np.divide(number, by_day, out=np.zeros(size), where=by_day > 0.0)
    left = np.where(by_day > 0.0, 0.0, number)
    per_head = np.divide(left, now, out=np.zeros(size), where=now > 0.0)
    at_home = np.bincount(homes.place, weights=people * per_head[homes.county], minlength=ground.work.size)
    return np.asarray(ground.work * per_sighting[ground.own] + at_home)


def _deposits_per_head(income: np.ndarray, residents: Residents, settings: DemandSettings) -> np.ndarray:
    """Return household deposits a head by row of the households and age, 10,000 CNY (D§3.1, eta = 1).

    A head holds less where incomes are lower and at some ages; in the plan year the deposits of a county that
    tells them sum to what it tells, those of all others to the scenario's deposits a head.
    """
    homes, counties = residents.households, residents.counties
    of_age = np.array([settings.deposits_18_34_factor, 1.0, settings.deposits_60_factor])
    relative = income[homes.place][:, None] * of_age
    today = grown(residents)
    weight, people = (
        np.bincount(homes.county, weights=rows, minlength=len(counties))
        for rows in ((today[:, 1:] * relative).sum(axis=1), today.sum(axis=1))
    )
    told = np.full(len(counties), np.nan)
    if "deposits_wan" in counties:
        told = counties["deposits_wan"].to_numpy(dtype=float)
    others = np.isnan(told)
    total = people[others].sum() * settings.deposits_per_person_cny / CNY_PER_WAN
    usual = total / weight[others].sum() if weight[others].sum() > 0.0 else 0.0
    level = np.divide(told, weight, out=np.full(len(counties), usual), where=~others & (weight > 0.0))
    return np.asarray(relative * level[homes.county][:, None])
