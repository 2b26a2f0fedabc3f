"""The rules that class a cell: percentiles within its settlement class, clusters by Gi*, the policy list."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access
from siteplanner.model.demand import Demand
from siteplanner.model.focal import Disc, make_disc, spread, sum_near, take
from siteplanner.model.gi_star import adjust_upper_tail, gi_star
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.model.market import Market
from siteplanner.model.saturation import shrunk_lq
from siteplanner.scenario import ZoneSettings

# Kinds of cells in the raster of rules; zones refine dense and blank by what lies inside them.
BALANCED, THIN, DENSE, BLANK, INFLOW, INCLUSIVE = range(6)

# One outlet is no concentration, however little demand there is around it.
DENSE_MIN_OUTLETS = 2

_MEDIAN = 50.0

# What holds for this share of the visits of an area holds for the area; no source. A cell is its own area.
MAIN_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Discs of the two Gi* distance bands, and the cells that use the one for towns."""

    urban: Disc
    rural: Disc
    is_urban: np.ndarray


def make_bands(grid: Grid, settlement: np.ndarray, settings: ZoneSettings) -> Bands:
    """Make the distance bands: core, urban and town cells look `band_urban_m` far, others `band_rural_m`."""
    return Bands(
        urban=make_disc(grid.lattice, settings.band_urban_m),
        rural=make_disc(grid.lattice, settings.band_rural_m),
        is_urban=settlement != "rural",
    )


def sum_in_band(values: np.ndarray, grid: Grid, bands: Bands) -> np.ndarray:
    """Sum values of cells over each cell's own distance band."""
    urban, rural = (sum_near(values, grid, disc) for disc in (bands.urban, bands.rural))
    return np.where(bands.is_urban, urban, rural)


def percentile_within(
    values: np.ndarray, settlement: np.ndarray, counted: np.ndarray, percent: float
) -> np.ndarray:
    """Return by cell the percentile of the counted cells of its settlement class; infinite without any."""
    out = np.full(values.shape, np.inf)
    for name in tables.SETTLEMENTS:
        of_class = settlement == name
        if (of_class & counted).any():
            out[of_class] = np.percentile(values[of_class & counted], percent)
    return out


def typical_supply(supply: np.ndarray, visits: np.ndarray, settlement: np.ndarray) -> np.ndarray:
    """Return S*, by cell: the median own supply of its settlement class, each cell weighing as its visits.

    Where more than half of a class's demand has no own supply at all, the median says nothing and the
    weighted mean stands in; it is 0 only when the whole class has none.
    """
    out = np.zeros(supply.shape)
    for name in tables.SETTLEMENTS:
        of_class = (settlement == name) & (visits > 0)
        if not of_class.any():
            continue
        order = np.argsort(supply[of_class], kind="stable")
        sorted_supply, weight = supply[of_class][order], visits[of_class][order]
        passed = np.cumsum(weight) >= weight.sum() * _MEDIAN / 100.0
        median = sorted_supply[np.argmax(passed)]
        out[settlement == name] = median if median > 0 else np.average(sorted_supply, weights=weight)
    return out


def unmet_visits(supply: np.ndarray, visits: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return the gap, visits (1 - min(1, S / S*)) (D§6.3): all visits where the class has no supply."""
    ratio = np.divide(supply, typical, out=np.zeros(supply.shape), where=typical > 0)
    return np.asarray(visits * (1.0 - np.minimum(ratio, 1.0)))


def surplus_visits(supply: np.ndarray, visits: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return the gap's mirror, visits (1 - min(1, S* / S)): the share of own supply beyond the typical.

    Bounded like the gap: plain excess S / S* - 1 has so long a tail that a few cells beside lone branches
    would hide every crowded centre from Gi*.
    """
    ratio = np.divide(typical, supply, out=np.ones(supply.shape), where=(supply > 0) & (typical > 0))
    return np.asarray(visits * (1.0 - np.minimum(ratio, 1.0)))


def _score_cluster(values: np.ndarray, cells: pd.DataFrame, grid: Grid, bands: Bands) -> np.ndarray:
    """Gi* of values standardised within settlement class, over cells with visits, each with its own band.

    A core cell holds a hundred times the visits of a rural one: unstandardised, every town would be a hot
    spot and no village ever (D§6.3 takes z-scores within tier).
    """
    counted = cells["visits"].to_numpy() > 0
    settlement = cells["settlement"].to_numpy()
    standard = np.zeros(len(cells))
    for name in tables.SETTLEMENTS:
        of_class = counted & (settlement == name)
        inside = values[of_class]
        if inside.size and np.ptp(inside) > 0:
            standard[of_class] = (inside - inside.mean()) / inside.std()
    field, populated = spread(standard, grid.cells, grid.lattice), spread(counted, grid.cells, grid.lattice)
    urban, rural = (take(gi_star(field, populated, disc), grid) for disc in (bands.urban, bands.rural))
    return np.where(bands.is_urban, urban, rural)


def _discoveries(scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    q = np.ones(scores.shape)
    if counted.any():
        q[counted] = adjust_upper_tail(scores[counted])
    return q


def count_in_cells(grid: Grid, points: pd.DataFrame, weight: np.ndarray) -> np.ndarray:
    """Sum a weight of points (lon, lat) by cell, in the order of the cells; points outside are left out."""
    ids = cell_ids(grid, points["lon"].to_numpy(), points["lat"].to_numpy())
    inside = ids >= 0
    place = np.searchsorted(grid.cells.index.to_numpy(), ids[inside])
    return np.bincount(place, weights=np.asarray(weight, dtype=float)[inside], minlength=len(grid.cells))


def gather_cells(grid: Grid, demand: Demand, access: Access) -> pd.DataFrame:
    """Join what the rules start from, by cell of the grid: demand, access and county."""
    renamed = demand.cells.rename(columns={"visits_per_day": "visits"})
    cells = renamed.join(access.cells).reindex(grid.cells.index)
    return cells.assign(
        county_id=grid.cells["county_id"],
        unreached=np.isinf(cells["minutes_own"].to_numpy()).astype(float),
        remote=(np.isinf(cells["minutes_any"].to_numpy()) & (cells["residents"].to_numpy() > 0)).astype(
            float
        ),
    )


def own_points(access: Access, market: Market) -> pd.DataFrame:
    """List own outlets by id with the visits they win and how many of these siblings would serve."""
    own = access.outlets.loc[access.outlets["own"].to_numpy(dtype=bool)].sort_index()
    volume = market.outlets.reindex(own.index)
    won = volume["visits_per_day"].to_numpy(dtype=float)
    return own[["lon", "lat"]].assign(won=won, shared=won * volume["overlap"].to_numpy(dtype=float))


def measure_cells(grid: Grid, cells: pd.DataFrame, own: pd.DataFrame, settings: ZoneSettings) -> pd.DataFrame:
    """Return what the rules look at, by cell: gap and surplus with their Gi*, own outlets near, overlap.

    ``own_near`` and ``overlap_near`` count the own outlets within the cell's distance band; the overlap of
    D§6.2 is weighted by their predicted visits.

    Parameters
    ----------
    cells
        `gather_cells`, on this grid or shifted to it.
    own
        `own_points`.
    """
    visits, settlement = cells["visits"].to_numpy(), cells["settlement"].to_numpy()
    supply = cells["supply_own"].to_numpy()
    typical = typical_supply(supply, visits, settlement)
    gap = unmet_visits(supply, visits, typical)
    bands = make_bands(grid, settlement, settings)
    gap_z = _score_cluster(gap, cells, grid, bands)
    surplus_z = _score_cluster(surplus_visits(supply, visits, typical), cells, grid, bands)
    won, shared, one = (
        count_in_cells(grid, own, weight)
        for weight in (own["won"].to_numpy(), own["shared"].to_numpy(), np.ones(len(own)))
    )
    won_near, shared_near = (sum_in_band(values, grid, bands) for values in (won, shared))
    own_near = np.round(sum_in_band(one, grid, bands))
    return cells.assign(
        typical_supply=typical,
        gap=gap,
        gap_z=gap_z,
        gap_q=_discoveries(gap_z, visits > 0),
        surplus_z=surplus_z,
        surplus_q=_discoveries(surplus_z, visits > 0),
        own_inside=one,
        own_near=own_near,
        overlap_near=np.divide(
            shared_near, won_near, out=np.zeros(len(cells)), where=(own_near > 0) & (won_near > 0)
        ),
        potential_near=sum_in_band(cells["potential_wan"].to_numpy(), grid, bands),
    )


def prepare_rules(cells: pd.DataFrame, counties: pd.DataFrame, settings: ZoneSettings) -> pd.DataFrame:
    """Add to measured cells what the rules compare them with: bars by settlement class, city, quotient.

    All of it are numbers (yes is 1), so that an area can be judged by the means of its cells.
    """
    settlement, counted = cells["settlement"].to_numpy(), cells["visits"].to_numpy() > 0
    city = cells["county_id"].map(counties["prefecture"])
    totals = cells.assign(city=city).groupby("city")[["own_inside", "potential_wan"]].transform("sum")

    def bar(column: str, percent: float) -> np.ndarray:
        return percentile_within(cells[column].to_numpy(), settlement, counted, percent)

    return cells.assign(
        listed=cells["county_id"].map(counties["inclusive"]).astype(float),
        city_own=totals["own_inside"],
        city_potential=totals["potential_wan"],
        lq=shrunk_lq(
            cells["own_near"], cells["potential_near"], totals["own_inside"], totals["potential_wan"]
        ),
        gap_found=(counted & (cells["gap_q"].to_numpy() <= settings.fdr_q)).astype(float),
        surplus_found=(counted & (cells["surplus_q"].to_numpy() <= settings.fdr_q)).astype(float),
        dense_bar=bar("supply_own", settings.dense_supply_pct),
        wanted_bar=bar("visits", settings.blank_demand_pct),
        blank_bar=bar("supply_own", settings.blank_supply_pct),
        growth_bar=bar("growth_per_year", settings.inflow_growth_pct),
        thin_bar=bar("visits", settings.thin_demand_pct),
    )


def _is_dense(areas: pd.DataFrame, settings: ZoneSettings) -> "pd.Series[bool]":
    crowded = (areas["overlap_near"] >= settings.dense_overlap) | (areas["lq"] >= settings.dense_lq)
    several = areas["own_near"] >= DENSE_MIN_OUTLETS
    high = areas["supply_own"] >= areas["dense_bar"]
    return high & crowded & several & (areas["surplus_found"] >= MAIN_SHARE)


def _is_blank(areas: pd.DataFrame) -> "pd.Series[bool]":
    unserved = (areas["supply_own"] <= areas["blank_bar"]) | (areas["unreached"] >= MAIN_SHARE)
    return (areas["visits"] >= areas["wanted_bar"]) & unserved & (areas["gap_found"] >= MAIN_SHARE)


def _is_inflow(areas: pd.DataFrame, settings: ZoneSettings) -> "pd.Series[bool]":
    fast = (areas["growth_per_year"] >= areas["growth_bar"]) & (areas["growth_per_year"] > 0)
    grown = fast & (areas["people_gained"] >= settings.inflow_people)
    coming = areas["pipeline_near"] >= settings.inflow_households
    return (grown | coming) & ((areas["supply_own"] < areas["typical_supply"]) | (areas["supply_own"] == 0))


def classify_areas(areas: pd.DataFrame, settings: ZoneSettings) -> np.ndarray:
    """Return the kind of every cell, or of every area of cells (D§6.3); the first rule that holds decides.

    1. *inclusive by list*: policy, not measurement, names the county; all of it, so that no such county is
       ever a source of moves.
    2. *dense*: where outlets crowd, more people need no more of them.
    3. *blank*: demand that is there today goes before demand to come.
    4. *inflow*: demand to come (D§6.3: "D not yet high") below the typical own supply.
    5. *inclusive by distance*: people without any bank within reach who are too few for 3 and 4.
    6. *thin*, 7. *balanced*.

    Parameters
    ----------
    areas
        Columns of `prepare_rules`, of cells or of areas (`zone_areas.describe_areas`).
    """
    counted = areas["visits"] > 0
    return np.select(
        [
            areas["listed"] >= MAIN_SHARE,
            counted & _is_dense(areas, settings),
            counted & _is_blank(areas),
            _is_inflow(areas, settings),
            areas["remote"] >= MAIN_SHARE,
            (areas["visits"] <= areas["thin_bar"]) | ~counted,
        ],
        [INCLUSIVE, DENSE, BLANK, INFLOW, INCLUSIVE, THIN],
        default=BALANCED,
    )
