"""Files to tables: every format, every fault, every placing rule."""

import gzip
import hashlib

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from siteplanner import tables
from siteplanner.layers.datum import from_wgs84
from siteplanner.layers.reading import check_files

H = "branch_id,name,lon,lat"
PLACED = [column.name for column in tables.PLACED]


def test_five_planted_faults_are_listed_at_once(world):
    world.write(
        "branches.csv",
        "branch_id,name,lon,lat,format,visits_per_day,lease_end\n"
        "B1,a,112.1,37.1,huge,10,2030-01-31\n"
        "B2,b,112.1,37.1,core,about 8000,2030-02-30\n"
        "B1,c,112.1,37.1,core,10,\n",
    )
    world.raster("people.tif", np.full((40, 60), -7.0, dtype="float32"))
    expected = """
branches.csv line 2 (branch_id B1), column format: found "huge", expected one of core, standard, light, \
community, self_service
branches.csv line 3 (branch_id B2), column visits_per_day: found "about 8000", expected a number >= 0
branches.csv line 3 (branch_id B2), column lease_end: found "2030-02-30", expected a date YYYY-MM-DD
branches.csv line 4 (branch_id B1), column branch_id: found "B1" again, expected a unique id (first in line 2)
tickets.csv: found no such file, expected a file at tickets.csv, relative to the scenario
people.tif pixel row 0, column 0: found -7 (negative pixels in all: 2,400), expected persons >= 0; \
declare the value that stands for no data
"""
    assert world.faults(tickets='{ path = "tickets.csv" }') == expected.strip().split("\n")


def test_faults_of_the_scenario_and_of_its_files_are_listed_together(world):
    world.write("branches.csv", "branch_id,name,lon,lat\nB1,a,112.1,north\n")
    world.scenario(sites=world.table("sites.csv"))
    scenario = world.folder / "scenario.toml"
    text = scenario.read_text().replace('path = "branches.csv", datum = "wgs84"', 'path = "branches.csv"')
    scenario.write_text(text + "\n[grid]\ncel_m = 5\n")
    expected = """
scenario.toml key inputs.branches.datum: found nothing, expected a value; the key is required
scenario.toml key grid.cel_m: found a key that has no meaning, expected one of cell_m, h3_resolution, \
pixel_method
--set key zones.fdr_q: found 7, expected less than 1
branches.csv line 2 (branch_id B1), column lat: found "north", expected a number from -85 to 85
sites.csv: found no such file, expected a file at sites.csv, relative to the scenario
"""
    faults = [str(fault) for fault in check_files(scenario, ["zones.fdr_q=7"])]
    assert sorted(faults) == sorted(expected.strip().split("\n"))


def test_faults_of_one_kind_are_shown_twenty_times_and_counted(world):
    rows = "".join(f"B{i},a,112.1,37.1,{i}.5\n" for i in range(1000))
    world.write("branches.csv", "branch_id,name,lon,lat,atms\n" + rows)
    found = world.faults()
    assert len(found) == 21
    assert found[-1] == (
        "branches.csv, column atms: found 980 more of this kind, expected a whole number from 0 to 500"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found an empty file (0 bytes), expected a file with content"),
        (H + "\n", "found no rows, expected at least one row"),
        ("\n\n", "found no header and no rows, expected a header and rows"),
        (H + "\nB1,a,112.1\n", "line 2: found 3 fields, expected 4 fields, as in the header"),
        (H + "\nB1,a,112.1,37.1,9\n", "line 2: found 5 fields, expected 4 fields, as in"),
        (H + '\nB1,"a,112.1,37.1\n', "line 2: found broken quoting"),
        ("branch_id,name,name,lon,lat\n", "line 1: found the column name twice, expected each column once"),
        ("id,name,lon,lat\nB1,a,112.1,37.1\n", "column branch_id: found the columns id, name, lon, lat"),
        (H + "\n,a,112.1,37.1\n", "line 2, column branch_id: found nothing, expected a text"),
        (H + "\nB1 ,a,112.1,37.1\n", 'found "B1 ", expected an id without blanks around it'),
        (H + "\nB1,a,nan,37.1\n", 'column lon: found "nan", expected a number from -180 to 180'),
        (H + "\nB1,a,1e999,37.1\n", 'column lon: found "1e999", expected a number from'),
        (H + "\nB1,a\0,112.1,37.1\n", "line 2: found a NUL character, expected text"),
        (H + ',customers\nB1,a,112.1,37.1,"1,234"\n', 'found "1,234", expected a number >= 0'),
        (H + ",locked\nB1,a,112.1,37.1,maybe\n", 'found "maybe", expected one of 0, 1, true'),
        (H + ",lease_end\nB1,a,112.1,37.1,45292\n", 'found "45292", expected a date'),
        (H + "\nB1,a,37.1,112.1\n", "found latitudes beyond 85 in 1 of 1 rows (lon and lat"),
    ],
)  # fmt: skip
def test_one_fault_one_line(world, text, expected):
    world.write("branches.csv", text)
    found = world.faults()
    assert len(found) == 1
    assert found[0].startswith("branches.csv")
    assert expected in found[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("none.csv", "no such file"),
        (".", "a folder"),
        ("scenario.toml", 'the ending ".toml"'),
        ("/vsicurl/http://example.org/b.csv", "a virtual or remote path"),
        ("https://example.org/b.csv", "a virtual or remote path"),
        ("WFS:http://example.org", "a virtual or remote path"),
    ],
)
def test_only_ordinary_files_are_opened(world, path, expected):
    assert f"found {expected}" in world.faults(branches=world.table(path))[0]


def test_ids_are_kept_letter_for_letter(world):
    ids = ["00123", "100000", "123", "12345678901234567890", "1E5", "NA", "null"]
    rows = "".join(f"{i},a,112.1,37.1\n" for i in reversed(ids))
    world.write("branches.csv", "branch_id,name,lon,lat\n" + rows)
    assert list(world.read().branches.index) == ids


def test_full_width_digits_and_columns_of_another_name_are_read(world):
    lon = "\uff11\uff11\uff12\uff0e\uff11"
    world.write("branches.csv", f"no;what;x;y\nB1;a;{lon};37.1\n")
    columns = '{ branch_id = "no", name = "what", lon = "x", lat = "y" }'
    branches = world.read(branches=world.table("branches.csv", columns=columns)).branches
    assert branches.loc["B1", "lon"] == 112.1


@pytest.mark.parametrize("text", ["2030-01-31", "2030/1/31", "2030-01-31 00:00:00", "2030-01-31T00:00"])
def test_dates_with_the_year_first_are_read(world, text):
    world.write("branches.csv", f"branch_id,name,lon,lat,lease_end\nB1,a,112.1,37.1,{text}\n")
    assert world.read().branches.loc["B1", "lease_end"] == pd.Timestamp("2030-01-31")


@pytest.mark.parametrize(
    "text", ["31/01/2030", "01-31-2030", "2030-02-30", "2030-01", "20300131", "2030-01-31 09:00"]
)
def test_other_dates_are_refused(world, text):
    world.write("branches.csv", f"branch_id,name,lon,lat,lease_end\nB1,a,112.1,37.1,{text}\n")
    assert f'found "{text}", expected a date YYYY-MM-DD' in world.faults()[0]


def test_declared_columns_must_exist_and_have_a_meaning(world):
    found = world.faults(branches=world.table("branches.csv", columns='{ tier = "level", foo = "x" }'))
    assert (
        found[0]
        == 'branches.csv, column tier: found the columns branch_id, name, lon, lat, expected a column "level"'
    )
    assert found[1].startswith(
        "branches.csv, column foo: found a column name that table branches does not have"
    )


def as_frame():
    return pd.DataFrame(
        {
            "branch_id": ["007", "B2"],
            "name": ["\u7532\u53bf", "\u4e59\u53bf"],
            "lon": [112.1, 112.3],
            "lat": [37.1, 37.1],
            "atms": [2, 3],
            "lease_end": pd.to_datetime(["2030-01-31", "2031-12-31"]),
            "locked": [True, False],
        }
    )


def as_points():
    frame = as_frame()
    points = gpd.points_from_xy(frame["lon"], frame["lat"])
    return gpd.GeoDataFrame(frame.drop(columns=["lon", "lat"]), geometry=points, crs="EPSG:4326")


def as_shapes():
    """A Shapefile knows dates and numbers, no times and no truth."""
    points = as_points()
    return points.assign(locked=[1, 0], lease_end=points["lease_end"].dt.date)


WRITERS = {
    "b.csv": lambda path: as_frame().to_csv(path, index=False),
    "gbk.csv": lambda path: as_frame().to_csv(path, index=False, encoding="gbk"),
    "b.csv.gz": lambda path: path.write_bytes(gzip.compress(as_frame().to_csv(index=False).encode())),
    "b.xlsx": lambda path: as_frame().to_excel(path, index=False),
    "b.parquet": lambda path: as_frame().to_parquet(path),
    "geo.parquet": lambda path: as_points().to_parquet(path),
    "b.gpkg": lambda path: as_points().to_file(path),
    "utm.gpkg": lambda path: as_points().to_crs("EPSG:32649").to_file(path),
    "b.geojson": lambda path: as_points().to_file(path, driver="GeoJSON"),
    "b.shp": lambda path: as_shapes().to_file(path, encoding="gbk"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_table(world, name):
    WRITERS[name](world.folder / name)
    (world.folder / "b.cpg").unlink(missing_ok=True)
    branches = world.read(branches=world.table(name)).branches
    assert branches.index.to_list() == ["007", "B2"]
    assert branches["name"].to_list() == world.names
    assert np.abs(branches["lon"] - [112.1, 112.3]).max() < 1e-9
    assert branches["atms"].to_list() == [2.0, 3.0]
    assert branches["lease_end"].to_list() == [pd.Timestamp("2030-01-31"), pd.Timestamp("2031-12-31")]
    assert branches["locked"].to_list() == [True, False]


def test_spreadsheet_serial_dates_are_read(world):
    as_frame().assign(lease_end=[45292, 45293]).to_excel(world.folder / "b.xlsx", index=False)
    # 45292 is 1 January 2024 in every spreadsheet.
    dates = world.read(branches=world.table("b.xlsx")).branches["lease_end"]
    assert dates.to_list() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]


@pytest.mark.parametrize("name", ["b.xlsx", "b.gpkg", "b.shp", "b.parquet", "b.geojson", "b.csv.gz"])
def test_a_file_that_is_not_what_it_says_is_named(world, name):
    world.write(name, "something else")
    found = world.faults(branches=world.table(name))
    assert len(found) == 1
    assert found[0].startswith(name)
    assert str(world.folder) not in found[0]


def test_broken_streams_and_foreign_bytes_are_named(world):
    # Each of these once left the reader as another error.
    packed = bytearray(gzip.compress(as_frame().to_csv(index=False).encode()))
    packed[20:24] = b"\xff\xff\xff\xff"
    world.write("b.csv.gz", bytes(packed))
    assert "found a broken gzip file" in world.faults(branches=world.table("b.csv.gz"))[0]
    as_frame().assign(name=["zzzzzz", "b"]).to_parquet(world.folder / "b.parquet", compression="none")
    data = (world.folder / "b.parquet").read_bytes()
    world.write("b.parquet", data.replace(b"zzzzzz", b"z\xff\xfezzz"))
    assert "found a broken Parquet file" in world.faults(branches=world.table("b.parquet"))[0]
    as_points().assign(name=["zzzzzz", "b"]).to_file(world.folder / "b.gpkg")
    data = (world.folder / "b.gpkg").read_bytes()
    world.write("b.gpkg", data.replace(b"zzzzzz", b"z\xff\xfezzz"))
    assert "found a broken GeoPackage" in world.faults(branches=world.table("b.gpkg"))[0]


def test_absent_columns_are_filled_as_promised_and_noted(world):
    layers = world.read()
    branches = layers.branches
    assert branches["format"].to_list() == ["standard", "standard"]
    assert branches["hours_per_week"].to_list() == [40.0, 40.0]
    assert branches["rating"].to_list() == ["B", "B"]
    assert branches["counters"].isna().all()
    assert not branches["locked"].any()
    assert ("absent_column", "branches", "rating") in layers.notes
    assert ("absent_layer", "competitors") in layers.notes
    assert ("tier_unknown", "branches", "U", "2") in layers.notes
    for table, frame in (
        (tables.BRANCHES, branches),
        (tables.COUNTIES, layers.counties),
        (tables.SITES, layers.sites),
    ):
        tables.check(frame, table)
    assert set(PLACED) <= set(branches.columns)
    assert set(PLACED) <= set(layers.competitors.columns)
    assert layers.counties["prefecture"].to_list() == ["region", "region"]


def test_datum_is_undone_on_reading(world):
    lon, lat = from_wgs84(np.array([112.1]), np.array([37.1]), "bd09")
    world.write("branches.csv", f"branch_id,name,lon,lat\nB1,a,{float(lon[0])!r},{float(lat[0])!r}\n")
    branches = world.read(branches=world.table("branches.csv", "bd09")).branches
    # One degree is 111 km: 1e-8 of it is about a millimetre.
    assert abs(branches.loc["B1", "lon"] - 112.1) < 1e-8
    assert abs(branches.loc["B1", "lat"] - 37.1) < 1e-8


def test_points_just_outside_belong_to_the_nearest_county_and_far_ones_are_faults(world):
    # 0.01 degree of longitude at 37.1 N is 0.887 km, 0.03 degree 2.66 km.
    world.write("branches.csv", world.branches_text + "B3,c,111.99,37.1\n")
    layers = world.read()
    assert layers.branches["county_id"].to_list() == ["01", "02", "01"]
    assert ("moved_into_county", "branches", "1") in layers.notes
    world.write("branches.csv", world.branches_text + "B3,c,111.97,37.1\n")
    assert world.faults() == [
        (
            "branches.csv line 4 (branch_id B3), column lon, lat: found 111.970000, 37.100000 (WGS 84), which"
            " is outside every county, expected a point within 2 km of a county"
        )
    ]


def test_competitors_far_outside_are_left_out_and_counted(world):
    world.write("rivals.csv", "lon,lat,bank,class\n112.3,37.1,Y,big\n100,30,Z,city\n112.1,37.1,X,rural\n")
    layers = world.read(competitors=world.table("rivals.csv"))
    assert layers.competitors.index.to_list() == ["R00001", "R00002"]
    assert layers.competitors["bank"].to_list() == ["X", "Y"]
    assert ("outside_region", "competitors", "1") in layers.notes


def test_a_list_mostly_outside_is_one_fault(world):
    world.write("branches.csv", "branch_id,name,lon,lat\nB1,a,37.1,80.1\nB2,b,12,47\nB3,c,112.1,37.1\n")
    found = world.faults()
    assert len(found) == 1
    assert "found 2 of 3 points outside every county" in found[0]


def test_township_is_the_nearest_seat_of_the_same_county(world):
    # T2 is nearer to the branch, but in the other county; the branch's tier follows its township.
    world.write(
        "townships.csv",
        "township_id,name,lon,lat,tier\nT1,far,112.02,37.1,C\nT2,near,112.21,37.1,T\nT3,other,112.395,37.1,V\n",
    )
    world.write("branches.csv", "branch_id,name,lon,lat,tier\nB1,a,112.19,37.1,\nB2,b,112.3,37.1,U\n")
    branches = world.read(townships=world.table("townships.csv")).branches
    assert branches["township_id"].to_list() == ["T1", "T2"]
    assert branches["tier"].to_list() == ["C", "U"]


def test_a_point_on_the_shared_border_belongs_to_the_smaller_id(world):
    world.write("branches.csv", "branch_id,name,lon,lat\nB1,a,112.2,37.1\n")
    assert world.read().branches.loc["B1", "county_id"] == "01"


def test_row_order_does_not_matter(world):
    rows = [f"{112.0 + i / 100},{37.0 + i / 77},bank{i % 3},big\n" for i in range(15)]
    world.write("rivals.csv", "lon,lat,bank,class\n" + "".join(rows))
    first = world.read(competitors=world.table("rivals.csv")).competitors
    world.write("rivals.csv", "lon,lat,bank,class\n" + "".join(reversed(rows)))
    pd.testing.assert_frame_equal(first, world.read(competitors=world.table("rivals.csv")).competitors)


def test_a_view_in_a_geopackage_is_not_read(world):
    import sqlite3

    as_points().to_file(world.folder / "b.gpkg")
    base = sqlite3.connect(world.folder / "b.gpkg")
    base.execute(
        "CREATE VIEW endless AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r) SELECT * FROM r"
    )
    base.execute("UPDATE gpkg_contents SET table_name = 'endless'")
    base.commit()
    base.close()
    assert "found the layers none" in world.faults(branches=world.table("b.gpkg"))[0]


def test_tickets_are_numbered_and_checked(world):
    good = "B1,2026-03-16 09:00,2026-03-16 09:05\nB1,2026-03-16T08:00:00+00:00,\n"
    world.write("tickets.csv", "branch_id,taken,called\n" + good)
    tickets = world.read(tickets='{ path = "tickets.csv" }').tickets
    assert tickets.index.to_list() == ["T00000001", "T00000002"]
    # 08:00 UTC is 16:00 in China.
    assert tickets["taken"].to_list() == [pd.Timestamp("2026-03-16 09:00"), pd.Timestamp("2026-03-16 16:00")]
    assert tickets["abandoned"].to_list() == [False, True]
    world.write("tickets.csv", "branch_id,taken,called\n" + good + "B9,2026-03-16 09:00,2026-03-16 08:59\n")
    expected = """
tickets.csv line 4, column called: found 2026-03-16 08:59:00, before taken 2026-03-16 09:00:00, \
expected a call after the ticket was taken
tickets.csv line 4, column branch_id: found "B9", expected a branch_id of the branches layer
"""
    assert world.faults(tickets='{ path = "tickets.csv" }') == expected.strip().split("\n")


def test_checksums_of_all_files_are_kept_and_inputs_are_untouched(world):
    before = {path.name: path.read_bytes() for path in world.folder.iterdir()}
    files = world.read().files
    assert sorted(files) == ["branches.csv", "counties.geojson", "people.tif"]
    assert files["branches.csv"] == hashlib.sha256(world.branches_text.encode()).hexdigest()
    after = {path.name: path.read_bytes() for path in world.folder.iterdir() if path.name != "scenario.toml"}
    assert after == before
