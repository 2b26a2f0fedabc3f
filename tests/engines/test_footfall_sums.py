"""Foot traffic to cells: bands, days, zones, borders."""

import time
from dataclasses import replace

import h3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from siteplanner.errors import InputError
from siteplanner.layers.datum import from_wgs84
from siteplanner.layers.records import FootfallSource
from siteplanner.model.grid import cell_ids, make_grid
from siteplanner.model.lattice import edge_lines
from siteplanner.scenario import GridSettings
from siteplanner.tables import FOOTFALL_BANDS

LON, LAT = 112.05, 37.02


def source(path, kind="points", datum="wgs84", zone="Asia/Shanghai", **columns):
    return FootfallSource(str(path), kind, datum, columns, zone)


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


def test_our_own_cells_are_counted_where_they_are(tmp_path, engine, make_counties):
    triangle = shapely.Polygon([(112.0, 37.0), (112.1, 37.0), (112.1, 37.1)])
    grid = make_grid(make_counties(triangle), GridSettings(cell_m=500.0))
    inner = grid.cells.index[5]
    outer = np.setdiff1d(np.arange(grid.lattice.n_rows * grid.lattice.n_cols), grid.cells.index)[:1]
    ids = [inner, inner, *outer]
    frame = pd.DataFrame({"cell_id": ids, "time": "2024-03-04T01:30:00Z", "count": [8.0, 4.0, 3.0]})
    frame.to_csv(tmp_path / "c.csv", index=False)
    answer = engine.sum_points(source(tmp_path / "c.csv", "cells"), grid)
    balanced(answer)
    assert answer.cells.index.to_list() == [inner]
    # 12 people over the 8 hours of one weekday's daytime.
    assert answer.cells["footfall_weekday_day"].to_list() == [1.5]
    assert answer.account["count_in"].sum() == 15.0
    frame.assign(cell_id=[inner, inner, 10**9]).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(InputError, match=r'^c\.parquet row 3, column cell_id: found "1000000000"'):
        engine.sum_points(source(tmp_path / "c.parquet", "cells"), grid)


DAYS = pd.date_range("2024-03-04", periods=7).to_numpy()


def pings(n, seed, n_devices=60):
    """Return pings of few devices in a few cells, at few places, so that cells hold several devices."""
    random = np.random.default_rng(seed)
    hours = random.integers(0, 24, n).astype("timedelta64[h]")
    return pd.DataFrame(
        {
            "lon": random.choice([112.01, 112.02, 112.07, 111.9], n),
            "lat": random.choice([37.01, 37.03], n),
            "time": (random.choice(DAYS, n) + hours).astype("datetime64[us]"),
            "device": random.integers(0, n_devices, n),
            "weight": random.choice([0.5, 1.0, 3.25], n),
        }
    )


def by_hand(frame, grid, distinct):
    """Count with pandas: mean people per hour, and the devices behind each figure."""
    frame = frame.assign(
        cell=cell_ids(grid, frame["lon"].to_numpy(), frame["lat"].to_numpy()),
        hour=frame["time"].dt.floor("h"),
    )
    if distinct:
        frame = frame.groupby(["cell", "hour", "device"], as_index=False)["weight"].max()
    weekend = frame["hour"].dt.day_of_week >= 5
    part = pd.cut(frame["hour"].dt.hour, [0, 6, 9, 17, 24], right=False, labels=False) + 4 * weekend
    groups = frame.assign(band=[FOOTFALL_BANDS[k] for k in part]).groupby(["cell", "band"])
    n_days = {False: 5, True: 2}
    hours = {"night": 6, "morning": 3, "day": 8, "evening": 7}
    people = groups["weight"].sum()
    for_hours = [n_days["weekend" in band] * hours[band.rsplit("_", 1)[1]] for _, band in people.index]
    return people / for_hours, groups["device"].nunique()


def as_table(series):
    return series[series.index.get_level_values("cell") >= 0].unstack("band", fill_value=0.0).sort_index()  # noqa: PD010 - of a series


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("ids", ["text", "int32", "uint64", "category"])
def test_devices_are_counted_exactly_and_few_are_hidden(tmp_path, engine, grid, distinct, ids, monkeypatch):
    monkeypatch.setattr("siteplanner.engines.devices.PART_ROWS", 500)
    frame = pings(6_000, 1)
    named = frame["device"].map("device-{:03d}".format)
    device = {"text": named, "category": named.astype("category")}.get(ids)
    device = frame["device"].astype(ids) if device is None else device
    (tmp_path / "p").mkdir()
    frame.assign(device=device)[:2_500].to_parquet(tmp_path / "p" / "a.parquet", row_group_size=700)
    frame.assign(device=device)[2_500:].to_parquet(tmp_path / "p" / "b.parquet")
    base = source(tmp_path / "p", "pings")
    shown = engine.sum_points(replace(base, distinct_devices=distinct), grid)
    balanced(shown)
    people, behind = by_hand(frame, grid, distinct)
    expected = as_table(people).reindex(columns=list(FOOTFALL_BANDS), fill_value=0.0)
    np.testing.assert_allclose(shown.cells.to_numpy(), expected.to_numpy(), rtol=1e-14)
    assert shown.cells.index.to_list() == expected.index.to_list()
    limit = int(behind.quantile(0.5))
    hidden = engine.sum_points(replace(base, distinct_devices=distinct, suppress_below=limit), grid)
    few = (as_table(behind).reindex(columns=list(FOOTFALL_BANDS), fill_value=0.0) < limit) & (expected > 0)
    assert 0 < few.to_numpy().sum() < few.size
    np.testing.assert_array_equal(hidden.cells.isna().to_numpy(), few.to_numpy())
    known = ~few.to_numpy()
    np.testing.assert_array_equal(hidden.cells.to_numpy()[known], shown.cells.to_numpy()[known])
    assert hidden.account["count_in"].sum() == pytest.approx(shown.account["count_in"].sum(), rel=1e-14)
    assert hidden.account.loc["region", "count_in"] == hidden.account.loc["region", "count_out"]
    assert hidden.account.loc["suppressed", "count_in"] > 0.0
    assert hidden.account.loc["suppressed", "count_out"] == 0.0


def test_ten_devices_are_shown_and_nine_are_missing(tmp_path, engine, grid):
    rows = [(112.01, 37.01, f"d{k}") for k in range(10)] + [(112.07, 37.01, f"d{k}") for k in range(9)] * 5
    frame = pd.DataFrame(rows, columns=["lon", "lat", "device"])
    frame.assign(time=pd.Timestamp("2024-03-04 10:00")).to_parquet(tmp_path / "p.parquet")
    settings = replace(source(tmp_path / "p.parquet", "pings"), suppress_below=10)
    answer = engine.sum_points(settings, grid)
    # 10 sightings over 8 hours, and 45 sightings of 9 devices that nobody may see.
    assert answer.cells["footfall_weekday_day"].sort_index().to_list() == [
        1.25,
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert answer.account.loc["suppressed", "count_in"] == 45.0


def test_without_devices_people_per_hour_must_reach_the_limit(tmp_path, engine, grid):
    rows = [f"{LON},{LAT},2024-03-04 {hour:02d}:00:00,10" for hour in range(9, 17)]
    rows += [f"112.07,{LAT},2024-03-04 09:00:00,79", f"112.07,{LAT},2024-03-04 22:00:00,700"]
    path = write(tmp_path / "f.csv", rows)
    answer = engine.sum_points(replace(source(path), suppress_below=10), grid)
    # 80 over 8 hours are 10 an hour; 79 over 8 hours are fewer; the evening of 7 hours has 100 an hour.
    assert answer.cells["footfall_weekday_day"].min() == 10.0
    assert answer.cells["footfall_weekday_day"].isna().sum() == 1
    assert answer.cells["footfall_weekday_evening"].to_list() in ([0.0, 100.0], [100.0, 0.0])
    assert answer.account.loc["suppressed"].to_list() == [79.0, 0.0]


def test_the_answer_has_the_same_bits_in_any_order_and_by_any_number_of_threads(
    tmp_path, engine, grid, monkeypatch
):
    frame = pings(20_000, 3).assign(weight=np.random.default_rng(2).lognormal(0.0, 4.0, 20_000))
    for settings in ({}, {"distinct_devices": True, "suppress_below": 5}):
        answers = []
        for threads, seed in ((1, None), (2, 1), (5, 2)):
            monkeypatch.setattr("siteplanner.engines.ping_reader.n_threads", lambda n=threads: n)
            rows = frame if seed is None else frame.sample(frac=1.0, random_state=seed)
            rows.to_parquet(tmp_path / "p.parquet", row_group_size=3_000)
            answers.append(
                engine.sum_points(replace(source(tmp_path / "p.parquet", "pings"), **settings), grid)
            )
        for answer in answers[1:]:
            pd.testing.assert_frame_equal(answers[0].cells, answer.cells, check_exact=True)
            pd.testing.assert_frame_equal(answers[0].account, answer.account, check_exact=True)


def test_the_first_bad_row_is_named_whatever_thread_meets_it(tmp_path, engine, grid, monkeypatch):
    monkeypatch.setattr("siteplanner.engines.ping_reader.BATCH_ROWS", 500)
    frame = pings(20_000, 4)
    frame.loc[[7_123, 19_000], "lat"] = np.nan
    frame.to_parquet(tmp_path / "p.parquet", row_group_size=4_000)
    for _ in range(3):
        with pytest.raises(InputError, match=r"^p\.parquet row 7124, column lat: found nothing"):
            engine.sum_points(source(tmp_path / "p.parquet", "pings"), grid)


def test_a_row_without_a_device_is_named_and_nothing_is_left_behind(tmp_path, engine, grid, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    frame = pings(3_000, 5).assign(device="a")
    frame.loc[2_000, "device"] = None
    frame.to_parquet(tmp_path / "p.parquet")
    settings = replace(source(tmp_path / "p.parquet", "pings"), distinct_devices=True)
    with pytest.raises(InputError, match=r"^p\.parquet row 2001, column device: found nothing"):
        engine.sum_points(settings, grid)
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)  # a cluster is cancelled by its context
@pytest.mark.parametrize("distinct", [False, True])
def test_an_interrupt_ends_the_count_soon_and_leaves_nothing(tmp_path, engine, grid, monkeypatch, distinct):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("siteplanner.engines.ping_reader.BATCH_ROWS", 1_000)
    monkeypatch.setattr("siteplanner.engines.threads.REPORT_EVERY_S", 0.01)
    pings(300_000, 6).to_parquet(tmp_path / "p.parquet", row_group_size=100_000)

    def interrupt(share):
        if share > 0.0:
            raise KeyboardInterrupt

    settings = replace(source(tmp_path / "p.parquet", "pings"), distinct_devices=distinct)
    begun = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        engine.sum_points(settings, grid, interrupt)
    assert time.perf_counter() - begun < 2.0
    assert not list((tmp_path / "temporary").iterdir())


def test_progress_is_told_to_the_end(tmp_path, engine, grid, monkeypatch):
    monkeypatch.setattr("siteplanner.engines.threads.REPORT_EVERY_S", 0.001)
    pings(50_000, 6).to_parquet(tmp_path / "p.parquet", row_group_size=5_000)
    for distinct in (False, True):
        told = []
        settings = replace(source(tmp_path / "p.parquet", "pings"), distinct_devices=distinct)
        engine.sum_points(settings, grid, told.append)
        assert told == sorted(told)
        assert told[-1] == 1.0


@pytest.mark.parametrize(
    "options",
    [
        {"use_dictionary": True},
        {"use_dictionary": False, "use_byte_stream_split": ["lon", "lat"], "compression": "zstd"},
        {
            "use_dictionary": False,
            "column_encoding": {"time": "DELTA_BINARY_PACKED"},
            "data_page_version": "2.0",
        },
        {"use_deprecated_int96_timestamps": True, "store_schema": False},
    ],
)
def test_files_of_any_encoding_give_the_same_counts(tmp_path, engine, grid, options):
    frame = pings(4_000, 7)[["lon", "lat", "time"]]
    table = pa.Table.from_pandas(frame.assign(time=frame["time"].dt.tz_localize("UTC")), preserve_index=False)
    pq.write_table(table, tmp_path / "usual.parquet")
    pq.write_table(table, tmp_path / "other.parquet", **options)
    usual, other = (
        engine.sum_points(source(tmp_path / name, "pings", zone=None), grid)
        for name in ("usual.parquet", "other.parquet")
    )
    pd.testing.assert_frame_equal(usual.cells, other.cells)


def test_a_broken_page_is_an_error_that_names_the_file(tmp_path, engine, grid):
    path = tmp_path / "p.parquet"
    frame = pings(5_000, 8)
    frame.to_parquet(path, write_page_checksum=True, compression=None)
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"^p\.parquet: found a broken file"):
        engine.sum_points(source(path, "pings"), grid)
