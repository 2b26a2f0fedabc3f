"""Who lives where: control totals, ages, new homes, growth, settlement."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.ages import age_shares, check_controls, control_residents, county_numbers, split_by_age
from siteplanner.model.developments import Epochs, Estates, list_estates, moved_in, pipeline
from siteplanner.model.focal import focal_mean, make_flat_disc, sum_near
from siteplanner.model.grid import Grid
from siteplanner.scenario import AccessSettings, DemandSettings

# Settlement is told by the density of 3 x 3 km around a cell (D§2 keeps the legal tier apart from it); the
# window is ours, no source.
DENSITY_WINDOW_M = 3_000.0
# Growth is read within 1 km (D§3.3: "people gained within 1 km").
GROWTH_RADIUS_M = 1_000.0
# People added to both years so that growth of nearly empty places stays finite; no source.
GROWTH_PRIOR_PEOPLE = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Households:
    """People by cell and county, one value a row, by cell and county ascending.

    Parameters
    ----------
    place
        Position of the cell in the grid.
    county
        Position of the county in the county table.
    ages
        Residents by age, rows x 4: under 18, then `tables.AGES`.
    newcomers
        People in developments by the plan year beyond the raster.
    """

    place: np.ndarray
    county: np.ndarray
    ages: np.ndarray
    newcomers: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Residents:
    """People of the plan year, and what is known of how they change.

    Parameters
    ----------
    cells
        The columns of `tables.DEMAND` that tell of residents, developments, growth and settlement.
    parts
        `tables.PARTS`, scaled to the census where the scenario asks for it.
    counties
        The county table.
    shares
        Shares of age by county, counties x 4: under 18, then `tables.AGES`.
    """

    cells: pd.DataFrame
    parts: pd.DataFrame
    counties: pd.DataFrame
    shares: np.ndarray
    households: Households
    estates: Estates
    epochs: Epochs


def settle_residents(
    grid: Grid,
    parts: pd.DataFrame,
    counties: pd.DataFrame,
    developments: pd.DataFrame,
    epochs: Epochs,
    settings: tuple[DemandSettings, AccessSettings],
) -> Residents:
    """Find the people of the plan year by cell, county and age.

    Parameters
    ----------
    parts
        `tables.PARTS`: people by cell and county.
    counties
        Index ``county_id``; its optional columns are the control totals (`tables.COUNTIES`).
    developments
        `tables.DEVELOPMENTS`.
    settings
        Demand, and access for the densities of the settlement classes.

    Raises
    ------
    InputError
        Control totals that the raster cannot meet.
    """
    # Sorted first: the sum of floats must not depend on the order of the rows.
    parts = parts.sort_values(["cell_id", "county_id"], ignore_index=True)
    if settings[0].county_control == "residents":
        parts = control_residents(parts, counties)
    people = _people_by_cell(grid, parts, epochs)
    estates = list_estates(grid, developments, people, epochs, settings[0])
    cells = people.assign(
        moved_in=moved_in(grid, estates, settings[0].plan_year, settings[0]),
        pipeline_households=pipeline(grid, estates, settings[0]),
    )
    cells = _settle(grid, cells.assign(**_growth(grid, cells, epochs)), settings[1])
    shares = age_shares(counties, parts, settings[0])
    ages = split_by_age(parts, counties, shares)
    households = _join(grid, parts, ages, cells["moved_in"].to_numpy(), counties)
    alive = households.ages.sum(axis=1) + households.newcomers
    check_controls(counties, np.bincount(households.county, weights=alive, minlength=len(counties)))
    return Residents(cells, parts, counties, shares, households, estates, epochs)


def _people_by_cell(grid: Grid, parts: pd.DataFrame, epochs: Epochs) -> pd.DataFrame:
    columns = ["residents", "residents_earlier", "aged_60"]
    people = parts.groupby("cell_id", sort=True)[columns].sum()
    strangers = people.index.difference(grid.cells.index)
    if len(strangers):
        raise tables.ContractError(f"table parts: {len(strangers)} cells are not in the grid")
    people = people.reindex(grid.cells.index, fill_value=0.0)
    if epochs.now == epochs.earlier:
        people = people.assign(residents_earlier=people["residents"])
    return people


def _join(
    grid: Grid, parts: pd.DataFrame, ages: np.ndarray, newcomers: np.ndarray, counties: pd.DataFrame
) -> Households:
    """Put newcomers of a cell beside the residents of its own county."""
    place = np.searchsorted(grid.cells.index.to_numpy(), parts["cell_id"].to_numpy())
    county = county_numbers(parts["county_id"], counties)
    own = county_numbers(grid.cells["county_id"], counties)
    came = np.flatnonzero(newcomers > 0.0)
    key = np.concatenate((place * len(counties) + county, came * len(counties) + own[came]))
    rows, at = np.unique(key, return_inverse=True)
    joined = np.zeros((rows.size, ages.shape[1]))
    joined[at[: place.size]] = ages
    moved = np.zeros(rows.size)
    moved[at[place.size :]] = newcomers[came]
    return Households(rows // len(counties), rows % len(counties), joined, moved)


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
    now, earlier, coming = (
        sum_near(cells[name].to_numpy(), grid, near)
        for name in ("residents", "residents_earlier", "pipeline_households")
    )
    years = max(epochs.now - epochs.earlier, 1)
    ratio = (now + GROWTH_PRIOR_PEOPLE) / (earlier + GROWTH_PRIOR_PEOPLE)
    return {
        "growth_per_year": ratio ** (1.0 / years) - 1.0,
        "people_gained": now - earlier,
        "pipeline_near": coming,
    }
