"""Who might come, and how often: residents, people present, developments."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.focal import focal_mean, make_flat_disc, sum_near
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.scenario import AccessSettings, DemandSettings

# Settlement is told by the density of 3 x 3 km around a cell (D§2 keeps the legal tier apart from it); the
# window is ours, no source.
DENSITY_WINDOW_M = 3_000.0
# Growth is read within 1 km (D§3.3: "people gained within 1 km").
GROWTH_RADIUS_M = 1_000.0
# People added to both years so that growth of nearly empty places stays finite; no source.
GROWTH_PRIOR_PEOPLE = 10.0
# A development's homes lie within this distance of its point; no source.
DEVELOPMENT_RADIUS_M = 500.0
# Unknown footfall is read off the 3 x 3 cells around at first; no source.
UNKNOWN_WINDOW_CELLS = 3.0
# A share of known cells below this is the rounding of a sum of nothing.
KNOWN_SHARE_MIN = 1e-9
CNY_PER_WAN = 10_000.0
DAYS_PER_YEAR = 365.25

# Half-occupancy time and final occupancy where a kind has its own (D§3.3 [A]: resettlement housing;
# investor-heavy new towns 0.5-0.6). The other kinds follow the scenario's curve.
RESETTLEMENT_HALF_YEARS = 0.7
RESETTLEMENT_FINAL = 0.95
FUNCTIONAL_FINAL = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Demand by cell, and people by cell and county for exact county totals.

    Parameters
    ----------
    cells
        `tables.DEMAND` for all cells of the grid, in its order.
    parts
        `tables.PARTS` as given.
    """

    cells: pd.DataFrame
    parts: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.DEMAND)


@dataclass(frozen=True, slots=True)
class Epochs:
    """Years of the two population rasters; equal when there is one."""

    now: int
    earlier: int


def estimate_demand(
    grid: Grid,
    parts: pd.DataFrame,
    footfall: pd.DataFrame,
    developments: pd.DataFrame,
    epochs: Epochs,
    settings: tuple[DemandSettings, AccessSettings],
) -> Demand:
    """Mix home, work and leisure, each scaled to the same total; add developments without double counting.

    Parameters
    ----------
    parts
        `tables.PARTS`: people by cell and county.
    footfall
        `tables.FOOTFALL_BANDS` by cell; empty without a footfall layer (then all weight is on home). A cell
        that is not there had no traffic; a missing value is unknown, not nothing: the mean of the known cells
        around stands for it.
    developments
        `tables.DEVELOPMENTS`. A raster already holds those who lived in a development in its year: only the
        increase of the modelled occupancy from then to the plan year is added (D§3.4).
    epochs
        Years of the rasters; each stands for its last day.
    settings
        Demand, and access for the densities of the settlement classes.
    """
    people = _people_by_cell(grid, parts, epochs)
    present = footfall.reindex(grid.cells.index, fill_value=0.0)
    side_m = settings[0].footfall_spread_m
    cells = people.assign(
        work=_spread_sightings(grid, _band(grid, present, "footfall_weekday_day"), side_m),
        leisure=_spread_sightings(grid, _band(grid, present, "footfall_weekend_day"), side_m),
        **_developments_by_cell(grid, developments, epochs, settings[0]),
    )
    cells = _settle(grid, cells.assign(**_growth(grid, cells, epochs)), settings[1])
    return Demand(cells.assign(**_volumes(cells, settings[0])), parts)


def occupancy(years: np.ndarray, kind: np.ndarray, settings: DemandSettings) -> np.ndarray:
    """Return the occupied share of a development some years after handover; 0 before it.

    Logistic, D§3.3: final / (1 + exp(-rate (years - half_years))).
    """
    half = np.where(kind == "resettlement", RESETTLEMENT_HALF_YEARS, settings.occupancy_half_years)
    final = np.select(
        [kind == "resettlement", kind == "functional"],
        [RESETTLEMENT_FINAL, FUNCTIONAL_FINAL],
        settings.occupancy_final,
    )
    return np.where(years > 0.0, final / (1.0 + np.exp(-settings.occupancy_rate * (years - half))), 0.0)


def visits_per_person_day(settings: DemandSettings) -> float:
    """Return branch visits per person and business day after part of them went online (D§3.1)."""
    online = (
        1.0 - settings.cash_share
    ) * settings.migration_share + settings.cash_share * settings.cash_migration_share
    return settings.visits_per_person_year * (1.0 - online) / settings.business_days_per_year


def _people_by_cell(grid: Grid, parts: pd.DataFrame, epochs: Epochs) -> pd.DataFrame:
    columns = ["residents", "residents_earlier", "aged_60"]
    # Sorted first: the sum of floats must not depend on the order of the rows.
    ordered = parts.sort_values(["cell_id", "county_id"])
    people = ordered.groupby("cell_id", sort=True)[columns].sum()
    strangers = people.index.difference(grid.cells.index)
    if len(strangers):
        raise tables.ContractError(f"table parts: {len(strangers)} cells are not in the grid")
    people = people.reindex(grid.cells.index, fill_value=0.0)
    if epochs.now == epochs.earlier:
        people = people.assign(residents_earlier=people["residents"])
    return people


def _band(grid: Grid, present: pd.DataFrame, name: str) -> np.ndarray:
    if name not in present:
        return np.zeros(len(present))
    return _fill_unknown(grid, present[name].to_numpy(dtype=float))


def _fill_unknown(grid: Grid, present: np.ndarray) -> np.ndarray:
    """Put the mean of the known cells around in the place of unknown ones; 0 when no cell at all is known.

    The square around a cell grows to twice its side until it holds a known cell. Known are also the cells
    without any traffic, so that an unknown cell in empty country is given little.
    """
    known = ~np.isnan(present)
    filled = np.where(known, present, 0.0)
    unknown = ~known
    side_m = UNKNOWN_WINDOW_CELLS * grid.lattice.cell_m
    while unknown.any() and known.any():
        share = focal_mean(grid, known.astype(float), side_m)
        found = unknown & (share > KNOWN_SHARE_MIN)
        total = focal_mean(grid, np.where(known, present, 0.0), side_m)
        filled[found] = total[found] / share[found]
        unknown &= ~found
        side_m *= 2.0
    return filled


def _spread_sightings(grid: Grid, present: np.ndarray, side_m: float) -> np.ndarray:
    """Spread people over the ground on which they may have been seen, their total unchanged."""
    if side_m <= grid.lattice.cell_m or present.sum() == 0.0:
        return present
    around = focal_mean(grid, present, side_m)
    return np.asarray(around * (present.sum() / around.sum()))


def _developments_by_cell(
    grid: Grid, developments: pd.DataFrame, epochs: Epochs, settings: DemandSettings
) -> dict[str, np.ndarray]:
    """Return people moved in and households in the pipeline, each spread around the development's point."""
    ordered = developments.sort_index()
    handover = pd.to_datetime(ordered["handover"]).dt
    handed = (handover.year + (handover.day_of_year - 1) / DAYS_PER_YEAR).to_numpy(dtype=float)
    households = ordered["households"].to_numpy(dtype=float)
    kind = ordered["kind"].to_numpy(dtype=object)
    # A year stands for its last day.
    lived = {
        year: households * settings.household_size * occupancy(year + 1.0 - handed, kind, settings)
        for year in (epochs.now, settings.plan_year)
    }
    moved_in = np.maximum(lived[settings.plan_year] - lived[epochs.now], 0.0)
    year = handover.year.to_numpy(dtype=float)
    coming = (year > settings.plan_year) & (year <= settings.plan_year + settings.horizon_years)
    pipeline = np.where(coming, households, 0.0)
    cell = cell_ids(grid, ordered["lon"].to_numpy(), ordered["lat"].to_numpy())
    return {
        "moved_in": _spread(grid, cell, moved_in),
        "pipeline_households": _spread(grid, cell, pipeline),
    }


def _spread(grid: Grid, cell: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Spread amounts evenly over the region's cells around theirs; the total is kept."""
    inside = cell >= 0
    place = np.searchsorted(grid.cells.index.to_numpy(), cell[inside])
    own = np.bincount(place, weights=amount[inside], minlength=len(grid.cells))
    near = make_flat_disc(grid.lattice, DEVELOPMENT_RADIUS_M)
    neighbours = sum_near(np.ones(len(grid.cells)), grid, near)
    return sum_near(own / neighbours, grid, near)


def _settle(grid: Grid, cells: pd.DataFrame, settings: AccessSettings) -> pd.DataFrame:
    cell_km2 = (grid.lattice.cell_m / 1_000.0) ** 2
    # A district built since the raster's year is no longer the countryside it was.
    people = (cells["residents"] + cells["moved_in"]).to_numpy()
    density = focal_mean(grid, people, DENSITY_WINDOW_M) / cell_km2
    code = np.select(
        [density >= getattr(settings, name).density_per_km2 for name in tables.SETTLEMENTS[:-1]],
        np.arange(len(tables.SETTLEMENTS) - 1),
        len(tables.SETTLEMENTS) - 1,
    )
    names = pd.array(list(tables.SETTLEMENTS), dtype="str")
    return cells.assign(density_per_km2=density, settlement=names.take(code))


def _growth(grid: Grid, cells: pd.DataFrame, epochs: Epochs) -> dict[str, np.ndarray]:
    """Return growth per year and people gained within 1 km, and the pipeline near (D§3.3)."""
    near = make_flat_disc(grid.lattice, GROWTH_RADIUS_M)
    now, earlier, pipeline = (
        sum_near(cells[name].to_numpy(), grid, near)
        for name in ("residents", "residents_earlier", "pipeline_households")
    )
    years = max(epochs.now - epochs.earlier, 1)
    ratio = (now + GROWTH_PRIOR_PEOPLE) / (earlier + GROWTH_PRIOR_PEOPLE)
    return {
        "growth_per_year": ratio ** (1.0 / years) - 1.0,
        "people_gained": now - earlier,
        "pipeline_near": pipeline,
    }


def _volumes(cells: pd.DataFrame, settings: DemandSettings) -> dict[str, np.ndarray]:
    """Return visits and deposits; age and income move them between cells, not their total."""
    people = cells["residents"].to_numpy() + cells["moved_in"].to_numpy()
    home = people + (settings.aged_60_factor - 1.0) * cells["aged_60"].to_numpy()
    layers = (
        (settings.weight_home, home),
        (settings.weight_work, cells["work"].to_numpy()),
        (settings.weight_visit, cells["leisure"].to_numpy()),
    )
    mixed = _mix(layers, people.sum())
    return {
        "visits_per_day": mixed * visits_per_person_day(settings),
        "potential_wan": _deposits(people, cells["settlement"], settings),
    }


def _deposits(people: np.ndarray, settlement: "pd.Series[str]", settings: DemandSettings) -> np.ndarray:
    """Return household deposits, 10,000 CNY: a head holds less where incomes are lower (D§3.1, eta = 1)."""
    factor = {"town": settings.town_deposit_factor, "rural": settings.rural_deposit_factor}
    weighed = people * settlement.astype(str).map(factor).fillna(1.0).to_numpy(dtype=float)
    total = people.sum() * settings.deposits_per_person_cny / CNY_PER_WAN
    return weighed * (total / weighed.sum()) if weighed.sum() > 0.0 else weighed


def _mix(layers: tuple[tuple[float, np.ndarray], ...], total: float) -> np.ndarray:
    """Scale each layer to the total and mix; an empty layer leaves its weight to the others."""
    filled = [(weight, layer) for weight, layer in layers if layer.sum() > 0.0]
    weights = sum(weight for weight, _ in filled)
    if weights == 0.0:
        # Weight stands only on layers that are empty: people at home are what is left.
        filled, weights = [(1.0, layers[0][1])] if layers[0][1].sum() > 0.0 else [], 1.0
    mixed = np.zeros(layers[0][1].size)
    for weight, layer in filled:
        mixed += weight / weights * total / layer.sum() * layer
    return mixed
