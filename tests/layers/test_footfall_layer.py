"""Foot traffic is checked by file, row and column before the long work starts."""

import pandas as pd
import pytest


def spec(name, kind="points", datum="wgs84", columns="{}"):
    return f'{{ path = "{name}", kind = "{kind}", datum = "{datum}", columns = {columns} }}'


def test_good_traffic_makes_a_source_and_says_what_is_missing(world):
    world.write("f.csv", "x,y\n112.1,37.1\n")
    layers = world.read(footfall=spec("f.csv", columns='{ lon = "x", lat = "y" }'))
    assert layers.footfall.columns == {"lon": "x", "lat": "y"}
    assert layers.footfall.path == str((world.folder / "f.csv").resolve())
    assert ("absent_column", "footfall", "time") in layers.notes
    assert ("absent_column", "footfall", "count") in layers.notes
    assert "f.csv" in layers.files


def test_every_file_of_a_folder_of_pings_is_checked_and_hashed(world):
    (world.folder / "pings").mkdir()
    pd.DataFrame({"lon": [112.1], "lat": [37.1]}).to_parquet(world.folder / "pings" / "a.parquet")
    pd.DataFrame({"lon": [112.1], "lat": [95.0]}).to_parquet(world.folder / "pings" / "b.parquet")
    found = world.faults(footfall=spec("pings", "pings"))
    assert found == ['pings/b.parquet row 1, column lat: found "95.0", expected a number from -85 to 85']
    pd.DataFrame({"lon": [112.1], "lat": [37.0]}).to_parquet(world.folder / "pings" / "b.parquet")
    layers = world.read(footfall=spec("pings", "pings"))
    assert {"pings/a.parquet", "pings/b.parquet"} <= set(layers.files)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lon,lat\n", "f.csv: found no rows, expected foot traffic"),
        ("x,y\n1,2\n", 'f.csv: found the columns x, y, expected the column "lon", "lat" (for lon, lat)'),
        (
            "lon,lat\n37.1,112.1\n37.1,112.2\n",
            "f.csv, column lat: found latitudes beyond 85 (lon and lat look",
        ),
        (
            "lon,lat\n10,10\n",
            "f.csv, column lon, lat: found 1 rows, all outside, expected some in the counties",
        ),
        ("lon,lat,count\n112.1,37.1,-5\n", 'f.csv line 2, column count: found "-5", expected a number >= 0'),
        ("lon,lat,count\n112.1,37.1,\n", "f.csv line 2, column count: found nothing, expected a number >= 0"),
        ("lon,lat,time\n112.1,37.1,8\n", 'f.csv line 2, column time: found "8", expected a time'),
        ("lon,lat\n112.1,37.1,5\n", "f.csv: found a broken file (CSV parse error: Expected 2 columns, got 3"),
    ],
)
def test_faults_are_named(world, text, expected):
    world.write("f.csv", text)
    found = world.faults(footfall=spec("f.csv"))
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_many_bad_rows_are_counted(world):
    world.write("f.csv", "lon,lat,count\n" + "112.1,37.1,x\n" * 100)
    found = world.faults(footfall=spec("f.csv"))
    assert len(found) == 21
    assert found[-1] == "f.csv, column count: found 80 more of this kind, expected a number >= 0"


def test_unknown_h3_cells_and_shifted_rasters_are_refused(world):
    world.write("h.csv", "h3,count\nzzz,3\n")
    assert world.faults(footfall=spec("h.csv", "h3")) == [
        'h.csv line 2, column h3: found "zzz", expected an H3 cell'
    ]
    shifted = world.faults(footfall=spec("people.tif", "raster", "gcj02"))
    assert shifted == ['people.tif, column datum: found "gcj02", expected wgs84: a raster cannot be shifted']
