"""Who lives in new homes, and who of them the raster shows already."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplanner.model.developments import Epochs, list_estates, lived_in, moved_in, spread
from siteplanner.model.grid import make_grid
from siteplanner.scenario import DemandSettings, GridSettings

SETTINGS = DemandSettings()
EPOCHS = Epochs(2020, 2010)


@pytest.fixture(scope="module")
def grid():
    frame = gpd.GeoDataFrame(
        {"county_id": ["a"], "name": ["a"]}, geometry=[shapely.box(112.5, 37.8, 112.6, 37.9)], crs=4326
    )
    return make_grid(frame.set_index("county_id"), GridSettings())


def middle(grid):
    return len(grid.cells) // 2 + 5


def developments_at(grid, *rows):
    """Put each (households, handover) at the middle cell."""
    cell = grid.cells.iloc[middle(grid)]
    return pd.DataFrame(
        {
            "name": "new",
            "lon": cell["lon"],
            "lat": cell["lat"],
            "households": [float(row[0]) for row in rows],
            "handover": pd.to_datetime([row[1] for row in rows]),
            "kind": "commodity",
        },
        index=pd.Index([f"D{i}" for i in range(len(rows))], name="development_id"),
    )


def people_of(grid, gained=0.0):
    """Return residents who were 100 in every cell and of whom the middle cell gained some."""
    residents = np.full(len(grid.cells), 100.0)
    residents[middle(grid)] += gained
    return pd.DataFrame({"residents": residents, "residents_earlier": 100.0}, index=grid.cells.index)


def curve(years):
    return 0.85 / (1.0 + np.exp(-1.1 * (years - 2.0)))


def estates_of(grid, people, *rows, epochs=EPOCHS):
    return list_estates(grid, developments_at(grid, *rows), people, epochs, SETTINGS)


def test_the_raster_shows_at_least_whom_the_curve_expects(grid):
    # Handed over at the end of 2018: 2,500 people x 0.425 at the end of 2020.
    estates = estates_of(grid, people_of(grid), (1_000, "2018-12-31"))
    assert estates.shown == pytest.approx(2_500.0 * curve(2.0), rel=2e-3)
    more = moved_in(grid, estates, 2026, SETTINGS).sum()
    assert more == pytest.approx(2_500.0 * (curve(8.0) - curve(2.0)), rel=2e-3)


def test_people_whom_the_raster_gained_there_are_not_added_again(grid):
    # The curve expects 1,063 by the raster's year, the raster gained 1,800: those are already residents.
    estates = estates_of(grid, people_of(grid, gained=1_800.0), (1_000, "2018-12-31"))
    assert estates.shown == pytest.approx(1_800.0, rel=1e-9)
    more = moved_in(grid, estates, 2026, SETTINGS).sum()
    assert more == pytest.approx(2_500.0 * curve(8.0) - 1_800.0, rel=2e-3)


def test_a_raster_that_gained_more_than_all_homes_hold_leaves_nobody_to_come(grid):
    estates = estates_of(grid, people_of(grid, gained=9_000.0), (1_000, "2018-12-31"))
    assert moved_in(grid, estates, 2026, SETTINGS).sum() == 0.0


def test_a_raster_from_before_the_handover_shows_nobody(grid):
    estates = estates_of(grid, people_of(grid, gained=9_000.0), (1_000, "2021-06-30"))
    assert estates.shown == pytest.approx(0.0)
    assert moved_in(grid, estates, 2026, SETTINGS).sum() == pytest.approx(2_500.0 * curve(5.5), rel=2e-3)


def test_what_a_place_gained_is_divided_among_its_developments(grid):
    rows = ((1_000, "2018-12-31"), (3_000, "2018-12-31"))
    estates = estates_of(grid, people_of(grid, gained=6_000.0), *rows)
    np.testing.assert_allclose(estates.shown, [1_500.0, 4_500.0], rtol=1e-9)


def test_homes_that_were_lived_in_at_the_earlier_year_count_with_their_growth_alone(grid):
    # At the end of 2010 one year old; the gain of ten years is 900, below what the curve expects.
    estates = estates_of(grid, people_of(grid, gained=900.0), (1_000, "2009-12-31"))
    assert estates.shown == pytest.approx(2_500.0 * curve(11.0), rel=2e-3)
    faster = estates_of(grid, people_of(grid, gained=1_900.0), (1_000, "2009-12-31"))
    assert faster.shown == pytest.approx(2_500.0 * curve(1.0) + 1_900.0, rel=2e-3)


def test_one_raster_shows_whom_the_curve_expects(grid):
    people = people_of(grid).assign(residents_earlier=lambda frame: frame["residents"])
    estates = estates_of(grid, people, (1_000, "2018-12-31"), epochs=Epochs(2020, 2020))
    assert estates.shown == pytest.approx(2_500.0 * curve(2.0), rel=2e-3)


def test_developments_outside_the_region_count_nowhere(grid):
    far = developments_at(grid, (1_000, "2018-12-31")).assign(lon=100.0)
    estates = list_estates(grid, far, people_of(grid), EPOCHS, SETTINGS)
    assert estates.place.size == 0
    assert moved_in(grid, estates, 2026, SETTINGS).sum() == 0.0


@given(
    handover=st.dates(pd.Timestamp("1995-01-01").date(), pd.Timestamp("2035-12-31").date()),
    gained=st.floats(-100.0, 9_000.0),
)
def test_the_ramp_never_falls_and_never_passes_the_homes(grid, handover, gained):
    estates = estates_of(grid, people_of(grid, gained=gained), (800, handover), (200, "2019-05-01"))
    lived = np.array([lived_in(estates, year, SETTINGS) for year in range(2015, 2045)])
    assert (np.diff(lived, axis=0) >= 0.0).all()
    assert (lived <= estates.homes * 0.85).all()
    added = np.array([moved_in(grid, estates, year, SETTINGS).sum() for year in range(2020, 2032)])
    assert (np.diff(added) >= -1e-9).all()
    assert (added >= 0.0).all()


def test_spreading_keeps_the_total_at_the_edge_as_well(grid):
    place = np.array([0, len(grid.cells) - 1, 0])
    assert spread(grid, place, np.array([5.0, 7.0, 11.0])).sum() == pytest.approx(23.0, rel=1e-12)
