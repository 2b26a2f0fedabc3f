"""The people of all rasters together: faults of every raster at once, nobody nowhere."""

from types import SimpleNamespace

import numpy as np
import pytest

from siteplanner.engines.people import conservation, sum_footfall, sum_people
from siteplanner.errors import InputError
from siteplanner.layers.records import FootfallSource

PLACE = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)


def layers(counties, now, earlier=None, aged=None):
    return SimpleNamespace(counties=counties, population=now, population_earlier=earlier, aged_60=aged)


def test_pixel_faults_of_all_rasters_are_told_together(
    tmp_path, engine, grid, counties, random_people, write_raster
):
    wrong = random_people.copy()
    wrong[3, 2] = np.nan
    now = write_raster(tmp_path / "now.tif", wrong, PLACE)
    earlier = write_raster(tmp_path / "earlier.tif", random_people, PLACE)
    aged = write_raster(tmp_path / "aged.tif", random_people * 0.0, PLACE)
    with pytest.raises(InputError) as caught:
        sum_people(engine, layers(counties, now, earlier, aged), grid)
    assert [str(fault).split(", expected")[0] for fault in caught.value.faults] == [
        "now.tif pixel row 3, column 2: found nan (missing pixels in all: 1)",
        "aged.tif: found no people at all",
    ]


def test_the_account_holds_every_layer_and_its_pixels_without_data(
    tmp_path, engine, grid, counties, random_people, write_raster
):
    holes = random_people.copy()
    holes[5, 5:9] = -1.0
    now = write_raster(tmp_path / "now.tif", holes, PLACE, nodata=-1.0)
    earlier = write_raster(tmp_path / "earlier.tif", random_people, PLACE)
    people = sum_people(engine, layers(counties, now, earlier), grid)
    table = conservation(people.accounts)
    sums = table.groupby("layer")[["count_in", "nodata_pixels"]].sum()
    assert sums.loc["residents"].to_list() == [random_people.sum() - random_people[5, 5:9].sum(), 4.0]
    assert sums.loc["residents_earlier"].to_list() == [random_people.sum(), 0.0]
    assert (people.parts["aged_60"] == 0.0).all()


def test_a_raster_of_traffic_without_traffic_is_refused(tmp_path, engine, grid, random_people, write_raster):
    raster = write_raster(tmp_path / "f.tif", random_people * 0.0, PLACE)
    footfall = FootfallSource(raster.paths[0], "raster", "wgs84", {}, raster=raster)
    with pytest.raises(InputError, match=r"f\.tif: found no people at all"):
        sum_footfall(engine, SimpleNamespace(footfall=footfall), grid)
