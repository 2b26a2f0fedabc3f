"""Foot traffic to cells: bands, days, zones, borders."""

import h3
import numpy as np
import pandas as pd
import pytest

from siteplanner.errors import InputError
from siteplanner.layers.datum import from_wgs84
from siteplanner.layers.records import FootfallSource
from siteplanner.model.grid import cell_ids, edge_lines
from siteplanner.tables import FOOTFALL_BANDS

LON, LAT = 112.05, 37.02


def source(path, kind="points", datum="wgs84", time_zone="Asia/Shanghai", **columns):
    return FootfallSource(str(path), kind, datum, columns, time_zone)


def write(path, rows, header="lon,lat,time,count"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def balanced(answer):
    assert np.allclose(
        answer.account["count_in"].drop("outside"), answer.account["count_out"].drop("outside"), rtol=1e-9
    )
    assert answer.cells.index.is_monotonic_increasing
    assert list(answer.cells.columns) == list(FOOTFALL_BANDS)


def test_bands_are_mean_people_per_hour(tmp_path, engine, grid):
    # Monday 4 and Tuesday 5 March 2024, Saturday 9 March: two weekdays, one day of the weekend.
    rows = [
        f"{LON},{LAT},2024-03-04 00:00:00,12",
        f"{LON},{LAT},2024-03-04 05:59:59,12",
        f"{LON},{LAT},2024-03-04 06:00:00,6",
        f"{LON},{LAT},2024-03-05 09:00:00,16",
        f"{LON},{LAT},2024-03-05 16:59:59,16",
        f"{LON},{LAT},2024-03-05 17:00:00,28",
        f"{LON},{LAT},2024-03-09 23:59:59,7",
        "10,10,2024-03-09 23:59:59,5",
    ]
    answer = engine.sum_points(source(write(tmp_path / "f.csv", rows)), grid)
    balanced(answer)
    # 24 over 2 nights of 6 hours, 6 over 2 mornings of 3, 32 over 2 days of 8, 28 over 2 evenings of 7.
    assert answer.cells.iloc[0].to_list() == [2.0, 1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 1.0]
    assert answer.account.loc["region"].to_list() == [97.0, 97.0]
    assert answer.account.loc["outside"].to_list() == [5.0, 0.0]


def test_times_with_an_offset_are_put_on_the_local_clock(tmp_path, engine, grid):
    # 22:30 UTC on Friday 8 March is 06:30 on Saturday 9 March in China: a morning of the weekend, of 3 hours.
    utc = engine.sum_points(source(write(tmp_path / "f.csv", [f"{LON},{LAT},2024-03-08T22:30:00Z,3"])), grid)
    assert utc.cells.iloc[0].to_dict()["footfall_weekend_morning"] == 1.0
    stamp = pd.to_datetime(["2024-03-08T22:30:00Z"])
    pd.DataFrame({"lon": [LON], "lat": [LAT], "time": stamp, "count": [3]}).to_parquet(tmp_path / "f.parquet")
    pd.testing.assert_frame_equal(engine.sum_points(source(tmp_path / "f.parquet"), grid).cells, utc.cells)


def test_without_times_counts_are_means_of_a_weekdays_daytime(tmp_path, engine, grid):
    path = write(tmp_path / "f.csv", [f"{LON},{LAT},5", f"{LON},{LAT},6"], "lon,lat,count")
    answer = engine.sum_points(source(path), grid)
    balanced(answer)
    assert answer.cells["footfall_weekday_day"].to_list() == [11.0]
    assert answer.cells.to_numpy().sum() == 11.0


def test_columns_of_another_name_and_datum_are_read(tmp_path, engine, grid):
    lon, lat = from_wgs84(np.array([LON]), np.array([LAT]), "gcj02")
    path = write(tmp_path / "f.csv", [f"{lon[0]},{lat[0]}"], "x,y")
    answer = engine.sum_points(source(path, datum="gcj02", lon="x", lat="y"), grid)
    assert answer.cells.index.to_list() == cell_ids(grid, np.array([LON]), np.array([LAT])).tolist()


def test_a_folder_of_pings_is_the_sum_of_its_files(tmp_path, engine, grid, monkeypatch):
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "lon": random.uniform(111.9, 112.2, 5000),
            "lat": random.uniform(36.9, 37.1, 5000),
            "time": pd.Timestamp("2024-03-04")
            + pd.to_timedelta(random.integers(0, 7 * 86_400, 5000), unit="s"),
        }
    )
    (tmp_path / "pings" / "day").mkdir(parents=True)
    frame[:2000].to_parquet(tmp_path / "pings" / "a.parquet")
    frame[2000:].to_parquet(tmp_path / "pings" / "day" / "b.parquet")
    frame.sample(frac=1.0, random_state=1).to_parquet(tmp_path / "all.parquet")
    whole = engine.sum_points(source(tmp_path / "all.parquet", "pings"), grid)
    monkeypatch.setattr("siteplanner.engines.ping_reader.BATCH_ROWS", 700)
    folder = engine.sum_points(source(tmp_path / "pings", "pings"), grid)
    balanced(folder)
    assert folder.account["count_in"].sum() == 5000.0
    pd.testing.assert_frame_equal(whole.cells, folder.cells)
    pd.testing.assert_frame_equal(whole.account, folder.account)


def test_points_on_cell_borders_are_counted_once(tmp_path, engine, grid):
    lons, lats = edge_lines(grid.lattice)
    rows = [f"{lon!r},{lat!r}" for lon in lons[2:8].tolist() for lat in lats[2:8].tolist()]
    answer = engine.sum_points(source(write(tmp_path / "f.csv", rows, "lon,lat")), grid)
    assert answer.account.loc["region"].to_list() == [36.0, 36.0]
    assert answer.cells["footfall_weekday_day"].sum() == 36.0


@pytest.mark.parametrize("as_number", [False, True])
def test_h3_cells_count_at_their_centres(tmp_path, engine, grid, as_number):
    cell = h3.latlng_to_cell(LAT, LON, 9)
    centre = h3.cell_to_latlng(cell)
    value = h3.str_to_int(cell) if as_number else cell
    pd.DataFrame({"h3": [value, value], "count": [3, 4]}).to_parquet(tmp_path / "h.parquet")
    answer = engine.sum_points(source(tmp_path / "h.parquet", "h3"), grid)
    assert answer.cells["footfall_weekday_day"].to_list() == [7.0]
    assert (
        answer.cells.index.to_list() == cell_ids(grid, np.array([centre[1]]), np.array([centre[0]])).tolist()
    )


def test_a_raster_of_traffic_is_split_by_area_and_conserved(
    tmp_path, engine, grid, random_people, write_raster
):
    place = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)
    write_raster(tmp_path / "f.tif", random_people, place)
    answer = engine.sum_points(source(tmp_path / "f.tif", "raster"), grid)
    balanced(answer)
    assert answer.account["count_in"].sum() == random_people.sum()
    assert answer.cells["footfall_weekday_day"].sum() == pytest.approx(
        answer.account.loc["region", "count_in"]
    )
    assert answer.cells.drop(columns="footfall_weekday_day").to_numpy().sum() == 0.0


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (f"{LON},{LAT},2024-03-04 09:00,-1", "count"),
        (f"{LON},{LAT},2024-03-04 09:00,nan", "count"),
        (f"{LON},{LAT},yesterday,1", "time"),
        (f"200,{LAT},2024-03-04 09:00,1", "lon"),
        (f"{LON},inf,2024-03-04 09:00,1", "lat"),
    ],
)
def test_bad_rows_are_refused_by_line(tmp_path, engine, grid, row, column):
    path = write(tmp_path / "f.csv", [f"{LON},{LAT},2024-03-04 09:00,1", row])
    with pytest.raises(InputError, match=rf"^f\.csv line 3, column {column}: found "):
        engine.sum_points(source(path), grid)
