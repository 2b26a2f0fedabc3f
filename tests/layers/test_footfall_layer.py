"""Foot traffic is checked by file, row and column before the long work starts."""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from siteplanner.errors import InputError


def spec(name, kind="points", datum="wgs84", columns="{}", more='time_zone = "Asia/Shanghai"'):
    keys = f'path = "{name}", kind = "{kind}", datum = "{datum}", columns = {columns}'
    return f"{{ {', '.join(part for part in (keys, more) if part)} }}"


def test_good_traffic_makes_a_source_and_says_what_is_missing(world):
    world.write("f.csv", "x,y\n112.1,37.1\n")
    layers = world.read(footfall=spec("f.csv", columns='{ lon = "x", lat = "y" }'))
    assert layers.footfall.columns == {"lon": "x", "lat": "y"}
    assert layers.footfall.path == str((world.folder / "f.csv").resolve())
    assert ("absent_column", "footfall", "time") in layers.notes
    assert ("absent_column", "footfall", "count") in layers.notes
    assert "f.csv" in layers.files


TIMES = pd.to_datetime(["2024-03-04 09:00:00", "2024-03-05 10:00:00"])


def pings(world, name="pings/a.parquet", **change):
    path = world.folder / name
    path.parent.mkdir(exist_ok=True)
    columns = {"lon": [112.1, 112.2], "lat": [37.1, 37.0], "time": TIMES, **change}
    table = pa.table({key: value for key, value in columns.items() if value is not None})
    pq.write_table(table, path, row_group_size=1)


def ping_spec(**more):
    lines = {"time_zone": '"Asia/Shanghai"', **more}
    return spec("pings", "pings", more=", ".join(f"{key} = {value}" for key, value in lines.items() if value))


def test_every_file_of_a_folder_of_pings_is_checked_and_hashed(world):
    pings(world)
    pings(world, "pings/b.parquet", lat=[37.0, 95.0])
    found = world.faults(footfall=ping_spec())
    expected = 'pings/b.parquet rows 2-2, column lat: found "95.0", expected a number from -85 to 85'
    assert set(found) == {expected}
    pings(world, "pings/b.parquet")
    layers = world.read(footfall=ping_spec())
    assert {"pings/a.parquet", "pings/b.parquet"} <= set(layers.files)
    assert layers.footfall.time_zone == "Asia/Shanghai"


NAIVE_MS = pa.array([1_709_514_000_000, 1_709_600_400_000])


@pytest.mark.parametrize(
    ("change", "more", "expected"),
    [
        ({"lon": [37.1, 37.0], "lat": [112.1, 112.2]}, {}, "column lat: found latitudes beyond 85 (lon"),
        ({"lon": [112.1, 250.0]}, {}, 'rows 2-2, column lon: found "250.0", expected a number from -180'),
        ({"lon": [112.1, None]}, {}, "rows 2-2, column lon: found 1 times nothing, expected a value"),
        ({"lon": [float("nan"), 112.1]}, {}, 'row 1, column lon: found "nan"'),
        ({"lon": ["112.1", "112.2"]}, {}, "found values of type string in column lon, expected numbers"),
        ({"lon": [10.0, 10.0]}, {}, "found 2 rows, all outside, expected some in the counties"),
        ({"time": None}, {}, 'found the columns lon, lat, expected the column "time" (for time)'),
        ({}, {"time_zone": ""}, "found times without a zone, expected inputs.footfall.time_zone"),
        ({"time": NAIVE_MS}, {}, "found times of type int64, expected inputs.footfall.time_unit"),
        (
            {"time": NAIVE_MS},
            {"time_unit": '"s"'},
            'rows 1-1, column time: found "1709514000000", expected a time from 2000 to 2099, in s',
        ),
        (
            {"time": pd.to_datetime(["1970-01-20 18:51:54", "2024-03-05 00:00:00"])},
            {},
            'rows 1-1, column time: found "1970-01-20 18:51:54", expected a time from 2000 to 2099',
        ),
        ({"time": pa.array([9, 9], pa.date32())}, {}, "found times of type date32[day], expected timestamps"),
        ({"weight": [1.0, -2.0]}, {}, 'rows 2-2, column weight: found "-2.0", expected a number >= 0'),
        ({"weight": [1.0, float("inf")]}, {}, 'rows 2-2, column weight: found "inf", expected a number >= 0'),
        ({"device": [1.5, 2.5]}, {}, "found devices of type double, expected text or whole numbers"),
        ({}, {"distinct_devices": "true"}, "found no column of devices, expected a column device"),
    ],
)
def test_faults_of_pings_are_found_before_the_count(world, change, more, expected):
    pings(world, **change)
    found = world.faults(footfall=ping_spec(**more))
    assert found[0].startswith("pings")
    assert expected in found[0]
    assert len(found) <= 2


def test_bad_statistics_are_found_far_behind_the_first_rows(world):
    lat = [37.1] * 50_000
    lat[49_000] = 89.0
    (world.folder / "pings").mkdir()
    frame = pd.DataFrame({"lon": 112.1, "lat": lat, "time": TIMES[0]})
    frame.to_parquet(world.folder / "pings" / "a.parquet", row_group_size=20_000)
    assert world.faults(footfall=ping_spec()) == [
        'pings/a.parquet rows 40001-50000, column lat: found "89.0", expected a number from -85 to 85'
    ]


def test_files_with_different_optional_columns_are_refused(world):
    pings(world, weight=[1.0, 2.0])
    pings(world, "pings/b.parquet")
    assert world.faults(footfall=ping_spec()) == [
        "pings/b.parquet: found the optional columns [], expected ['weight'], as in pings/a.parquet"
    ]


def test_times_of_good_types_pass(world):
    for time in (
        TIMES.tz_localize("UTC"),
        TIMES.astype("datetime64[ns]"),
        TIMES.astype(str),
        TIMES.as_unit("s"),
    ):
        pings(world, time=time if time.dtype != object else list(time))
        assert world.read(footfall=ping_spec()).footfall is not None
    pings(world, time=NAIVE_MS)
    assert world.read(footfall=ping_spec(time_unit='"ms"')).footfall.time_unit == "ms"


def test_suppression_of_pings_without_devices_is_noted(world):
    pings(world)
    layers = world.read(footfall=ping_spec(suppress="true", suppress_below=15))
    assert layers.footfall.suppress_below == 15
    assert ("footfall_unsure",) in layers.notes
    pings(world, device=["a", "b"])
    layers = world.read(footfall=ping_spec(suppress="true", distinct_devices="true"))
    assert layers.footfall.distinct_devices
    assert ("footfall_unsure",) not in layers.notes


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('time_zone = "Asia/Shangai"', "time_zone must be the name of an IANA time zone"),
        ('time_zone = "../../etc/passwd"', "time_zone must be the name of an IANA time zone"),
        ("distinct_devices = true", "distinct_devices goes with kind pings only"),
        ("suppress_below = 1", "greater than or equal to 2"),
        ('time_unit = "min"', "'s', 'ms', 'us' or 'ns'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(world, more, expected):
    world.write("f.csv", "lon,lat\n112.1,37.1\n")
    with pytest.raises(InputError, match=re.escape(expected)):
        world.scenario(footfall=spec("f.csv", more=more))


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
        (
            "lon,lat,time\n112.1,37.1,1999-12-30\n",
            'f.csv line 2, column time: found "1999-12-30", expected a',
        ),
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


def test_local_times_need_a_zone_and_times_with_an_offset_do_not(world):
    world.write("f.csv", "lon,lat,time\n112.1,37.1,2024-03-04 09:00:00\n")
    assert world.faults(footfall=spec("f.csv", more="suppress = false")) == [
        "f.csv: found times without a zone, expected inputs.footfall.time_zone, e.g. Asia/Shanghai"
    ]
    world.write("f.csv", "lon,lat,time\n112.1,37.1,2024-03-04 09:00:00+08:00\n")
    assert world.read(footfall=spec("f.csv", more="suppress = false")).footfall.time_zone is None


def test_cells_of_our_own_are_read_and_other_ids_named(world):
    world.write("c.csv", "cell_id,count\n12,3\n12.5,1\n-4,1\nabc,1\n")
    expected = "expected the cell_id of this scenario's own cells.parquet"
    assert world.faults(footfall=spec("c.csv", "cells")) == [
        f'c.csv line {line}, column cell_id: found "{value}", {expected}'
        for line, value in ((3, "12.5"), (4, "-4"), (5, "abc"))
    ]
    shifted = world.faults(footfall=spec("c.csv", "cells", "gcj02"))
    assert shifted == ['c.csv, column datum: found "gcj02", expected wgs84: a cell cannot be shifted']
    world.write("c.csv", "cell_id,count\n12,3\n")
    assert world.read(footfall=spec("c.csv", "cells")).footfall.kind == "cells"
