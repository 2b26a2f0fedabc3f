"""The kernel of pings: every point in the cell of the closed form, every hour that of the calendar."""

import pickle
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplanner.engines import tallies
from siteplanner.engines.pings import Placed, make_binner
from siteplanner.engines.shifts import shift, shift_table
from siteplanner.engines.tallies import Partial, make_tally, merge, total
from siteplanner.errors import EngineError, InputError
from siteplanner.layers.clock import days_of_hours
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import Origin
from siteplanner.model.grid import cell_ids, make_grid
from siteplanner.model.lattice import edge_lines, lattice_ids
from siteplanner.scenario import GridSettings

HERE = Origin("here.parquet")
PLACES = {
    "province": ((110.2, 34.5, 114.6, 40.8), 500.0),
    "island": ((-70.1, 12.4, -69.8, 12.7), 50.0),
    "far north": ((20.0, 70.0, 25.0, 84.0), 2_000.0),
    "over the equator": ((-5.0, -40.0, 5.0, 3.0), 1_000.0),
    "nation": ((73.0, 3.0, 135.0, 54.0), 5_000.0),
}


def lattice_of(bounds, cell_m):
    columns = {"county_id": ["1"], "geometry": [shapely.box(*bounds)]}
    counties = gpd.GeoDataFrame(columns, crs="EPSG:4326").set_index("county_id")
    return make_grid(counties, GridSettings(cell_m=cell_m)).lattice


def source(datum="wgs84", zone="Asia/Shanghai", unit=None, **columns):
    return FootfallSource("", "pings", datum, columns, zone, unit)


def batch_of(lon, lat, time, **more):
    return pa.RecordBatch.from_pydict({"lon": lon, "lat": lat, "time": time, **more})


def points_of(bounds, lattice, n=400_000):
    """Return random points, points on edges of rows and columns, and their nearest neighbours in float64."""
    random = np.random.default_rng(11)
    west, south, east, north = bounds
    lon = random.uniform(west - 0.02, east + 0.02, n)
    lat = random.uniform(south - 0.02, min(north + 0.02, 85.0), n)
    lons, lats = edge_lines(lattice)
    lon[::7], lat[::5] = random.choice(lons, len(lon[::7])), random.choice(lats, len(lat[::5]))
    for steps in (1, 2, 30):
        ways = random.choice([-1e9, 1e9], n)
        lon[steps::14] = np.nextafter(random.choice(lons, len(lon[steps::14])), ways[steps::14])
        lat[steps::10] = np.nextafter(random.choice(lats, len(lat[steps::10])), ways[steps::10])
    return lon, lat


@pytest.mark.parametrize("place", PLACES)
def test_every_point_gets_the_cell_of_the_closed_form(place):
    bounds, cell_m = PLACES[place]
    lattice = lattice_of(bounds, cell_m)
    lon, lat = points_of(bounds, lattice)
    cells, wrong = make_binner(lattice, source()).cells(lon, lat)
    assert wrong == 0
    np.testing.assert_array_equal(cells, lattice_ids(lattice, lon, lat))
    assert (cells < 0).any()
    assert (cells >= 0).any()


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_shifted_points_get_the_cell_of_their_true_place(datum):
    bounds = (104.2, 33.7, 106.4, 36.3)
    lattice = lattice_of(bounds, 500.0)
    lon, lat = points_of(bounds, lattice, 60_000)
    cells, _ = make_binner(lattice, source(datum)).cells(lon, lat)
    np.testing.assert_array_equal(cells, lattice_ids(lattice, *to_wgs84(lon, lat, datum)))


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
@pytest.mark.parametrize("nodes", [1 << 20, 20_000])
def test_the_table_of_shifts_is_as_near_as_it_says(datum, nodes, monkeypatch):
    monkeypatch.setattr("siteplanner.engines.shifts.NODES_MAX", nodes)
    shift_table.cache_clear()
    # Around 105 E, 35 N the formula has its cusps.
    table = shift_table(lattice_of((104.2, 33.7, 106.4, 36.3), 500.0), datum)
    random = np.random.default_rng(9)
    lon = np.concatenate([random.uniform(104.2, 106.4, 200_000), 105.0 + random.normal(size=20_000) * 1e-3])
    lat = np.concatenate([random.uniform(33.7, 36.3, 200_000), 35.0 + random.normal(size=20_000) * 1e-3])
    error = np.abs(np.array(shift(table, lon, lat)) - np.array(to_wgs84(lon, lat, datum))).max()
    assert table.error_deg / 50.0 < error < table.error_deg / 1.5
    shift_table.cache_clear()


def test_points_at_the_edge_of_the_box_of_china_are_shifted_or_not_as_the_formula_says():
    lattice = lattice_of((71.8, 45.0, 72.2, 45.4), 500.0)
    random = np.random.default_rng(3)
    lon = np.concatenate([random.uniform(71.9, 72.1, 50_000), np.nextafter(72.004, [0.0, 180.0])])
    lat = random.uniform(45.1, 45.3, len(lon))
    cells, _ = make_binner(lattice, source("gcj02")).cells(lon, lat)
    np.testing.assert_array_equal(cells, lattice_ids(lattice, *to_wgs84(lon, lat, "gcj02")))


ZONES = (
    "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
    "Pacific/Apia", "America/Sao_Paulo", "Asia/Pyongyang", "America/St_Johns", "UTC",
)  # fmt: skip
BANDS = {**dict.fromkeys(range(6), 0), **dict.fromkeys(range(6, 9), 1), **dict.fromkeys(range(9, 17), 2)}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.lists(st.integers(946_771_200, 4_102_358_400), min_size=1, max_size=50),
)
def test_hours_are_those_of_the_calendar_in_any_zone(zone, unit, seconds):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array([second * ticks for second in seconds], pa.timestamp(unit, "UTC"))
    placed = make_binner(LATTICE, source(zone=zone)).place(
        batch_of([112.05] * len(seconds), [37.02] * len(seconds), times), HERE
    )
    local = [pd.Timestamp(second, unit="s", tz="UTC").tz_convert(ZoneInfo(zone)) for second in seconds]
    assert (placed.keys % 8).tolist() == [BANDS.get(one.hour, 3) + 4 * (one.weekday() >= 5) for one in local]
    days = days_of_hours(placed.hours.astype(np.int64)).tolist()
    assert days == [(one.date() - pd.Timestamp(0).date()).days for one in local]


LATTICE = lattice_of((112.0, 37.0, 112.1, 37.05), 500.0)
# 2024-03-09 is a Saturday.
STAMP = pd.Timestamp("2024-03-09 08:59:59.999999")


def band_of(time, **options):
    binner = make_binner(LATTICE, source(**options))
    return int(binner.place(batch_of([112.05], [37.02], time), HERE).keys[0] % 8)


def test_the_last_tick_of_an_hour_is_of_that_hour():
    assert band_of(pa.array([STAMP], pa.timestamp("us"))) == 5
    assert band_of(pa.array([STAMP + pd.Timedelta(1, "us")], pa.timestamp("us"))) == 6
    first = pd.Timestamp("2000-01-01")
    assert band_of(pa.array([first], pa.timestamp("ns"))) == 4
    assert band_of(pa.array([pd.Timestamp("2099-12-31 23:59:59")], pa.timestamp("s"))) == 3


def test_the_hour_of_a_change_of_clocks_is_told():
    # New York, Sunday 10 March 2024: after 01:59:59 comes 03:00:00.
    for utc, hour in (("06:59:59", 1), ("07:00:00", 3)):
        stamp = pa.array([pd.Timestamp(f"2024-03-10 {utc}")], pa.timestamp("s", "UTC"))
        placed = make_binner(LATTICE, source(zone="America/New_York")).place(
            batch_of([112.05], [37.02], stamp), HERE
        )
        assert placed.hours[0] % 24 == hour


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.string(), "2024-03-09T01:00:00Z"),
        (pa.string(), "2024-03-09 09:00:00"),
        (pa.large_string(), "2024-03-09 09:00:00.25"),
        (pa.int64(), 1_709_946_000),
        (pa.int32(), 1_709_946_000),
        (pa.timestamp("ms", "America/New_York"), 1_709_946_000_000),
    ],
)
def test_times_of_any_type_are_read(kind, value):
    unit = "s" if pa.types.is_integer(kind) else None
    assert band_of(pa.array([value], kind), unit=unit) == 6


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        ({"lon": [112.05, 181.0]}, "lon", '"181.0"'),
        ({"lat": [37.02, None]}, "lat", "nothing"),
        ({"lat": [37.02, float("nan")]}, "lat", '"nan"'),
        ({"lon": [112.05, float("-inf")]}, "lon", '"-inf"'),
        ({"time": pa.array([STAMP, None], pa.timestamp("us"))}, "time", "nothing"),
        ({"time": pa.array([1_709_946_000, 1_709_946_000_000])}, "time", '"1709946000000"'),
        ({"time": pa.array([1_709_946_000, 2**63 - 1])}, "time", f'"{2**63 - 1}"'),
        ({"weight": [1.0, -0.5]}, "weight", '"-0.5"'),
        ({"weight": [1.0, float("inf")]}, "weight", '"inf"'),
        ({"weight": [1.0, float("nan")]}, "weight", '"nan"'),
        ({"weight": [1.0, None]}, "weight", "nothing"),
    ],
)
def test_bad_rows_are_named(change, column, found):
    good = {"lon": [112.05] * 2, "lat": [37.02] * 2, "time": pa.array([STAMP] * 2, pa.timestamp("us"))}
    binner = make_binner(LATTICE, source(unit="s"), weighted="weight" in change)
    with pytest.raises(InputError) as caught:
        binner.place(batch_of(**{**good, **change}), Origin("f.parquet", 100))
    (fault,) = caught.value.faults
    assert (fault.file, fault.place, fault.column, fault.found) == ("f.parquet", "row 101", column, found)


def test_swapped_coordinates_are_one_fault():
    binner = make_binner(LATTICE, source())
    times = pa.array([STAMP] * 3, pa.timestamp("us"))
    with pytest.raises(InputError, match="lon and lat look swapped"):
        binner.place(batch_of([37.02] * 3, [112.05] * 3, times), HERE)


def pings(n, seed=0, *, weighted=True):
    random = np.random.default_rng(seed)
    times = pd.Timestamp("2024-03-04") + pd.to_timedelta(random.integers(0, 9 * 86_400, n), unit="s")
    more = {"weight": random.lognormal(0.0, 3.0, n)} if weighted else {}
    return batch_of(random.uniform(111.9, 112.2, n), random.uniform(36.9, 37.1, n), pa.array(times), **more)


def same(one, other):
    for name in ("keys", "rows", "high", "low", "hours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dense_bytes", [0, 1 << 30])
def test_sums_do_not_depend_on_order_parts_or_kind_of_account(monkeypatch, weighted, dense_bytes):
    binner = make_binner(LATTICE, source(), weighted=weighted)
    rows = pings(5_000, weighted=weighted)
    whole = binner.tally()
    whole.add(binner.place(rows, HERE))
    monkeypatch.setattr(tallies, "DENSE_BYTES_MAX", dense_bytes)
    monkeypatch.setattr(tallies, "RUN_ENTRIES", 700)
    shuffled = rows.take(pa.array(np.random.default_rng(1).permutation(5_000)))
    parts = [binner.tally() for _ in range(3)]
    for k, start in enumerate(range(0, 5_000, 613)):
        parts[k % 3].add(binner.place(shuffled.slice(start, 613), HERE))
    partials = [part.partial() for part in parts]
    same(whole.partial(), merge(partials[::-1]))
    table = pa.Table.from_batches([partial.to_batch() for partial in partials])
    same(whole.partial(), Partial.from_batch(table, weighted=weighted))
    taken = make_tally(binner.n_keys, weighted=weighted)
    for partial in partials:
        taken.take(partial)
    same(whole.partial(), taken.partial())
    same(whole.partial(), total(parts))


@pytest.mark.parametrize("waiting", [1_000, 1 << 21])
def test_a_key_may_have_more_rows_than_16_bits_hold(monkeypatch, waiting):
    monkeypatch.setattr(tallies, "WAITING_ROWS", waiting)
    n_keys = 8 * 50_000
    # None, one less than a round, one round exactly, one more, three rounds; and rows of no cell.
    wanted = {3: 65_535, 8_000: 65_536, 399_999: 65_537, n_keys: 200_000, 17: 1}
    keys = np.random.default_rng(5).permutation(np.repeat(list(wanted), list(wanted.values())))
    parts = [tallies.DenseTally(n_keys, weighted=False) for _ in range(2)]
    none = np.empty(0, dtype=np.int64)
    for k, piece in enumerate(np.array_split(keys, 9)):
        parts[k % 2].add(Placed(piece, np.zeros(len(piece), dtype=np.int32), none, none))
    taken = make_tally(n_keys, weighted=False)
    for part in parts:
        taken.take(part.partial())
    for answer in (merge([part.partial() for part in parts]), taken.partial(), total(parts)):
        assert dict(zip(answer.keys.tolist(), answer.rows.tolist(), strict=True)) == wanted
        assert (np.diff(answer.keys) > 0).all()
        assert answer.hours.tolist() == [0]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 2.0**34), min_size=1, max_size=60), st.randoms())
def test_weights_are_summed_exactly_in_any_order(weights, random):
    binner = make_binner(LATTICE, source(), weighted=True)

    def summed(values):
        tally = binner.tally()
        times = pa.array([STAMP] * len(values), pa.timestamp("us"))
        where = [112.05] * len(values), [37.02] * len(values)
        tally.add(binner.place(batch_of(*where, times, weight=values), HERE))
        return float(tally.partial().people()[0])

    # Each weight is cut at 2**-62 people; the sum is rounded once.
    exact = sum(int(w * 2.0**20) * 2**42 + int((w * 2.0**20 % 1.0) * 2.0**42) for w in weights)
    assert summed(weights) == pytest.approx(exact / 2**62, rel=5e-16, abs=0.0)
    assert summed(weights) == pytest.approx(sum(sorted(weights)), rel=1e-12, abs=1e-15)
    mixed = list(weights)
    random.shuffle(mixed)
    assert summed(mixed) == summed(weights)


def test_weights_beyond_exact_sums_are_refused():
    binner = make_binner(LATTICE, source(), weighted=True)
    rows = batch_of(
        [112.05] * 8, [37.02] * 8, pa.array([STAMP] * 8, pa.timestamp("us")), weight=[2.0**40] * 8
    )
    tally = binner.tally()
    with pytest.raises(EngineError, match="more than is counted exactly"):
        tally.add(binner.place(rows, HERE))


def test_a_binner_is_small_and_can_be_sent():
    binner = make_binner(LATTICE, source("gcj02", lon="x"), weighted=True)
    sent = pickle.dumps(binner)
    assert len(sent) < 2_000
    assert pickle.loads(sent) == binner  # noqa: S301 - our own bytes


def test_columns_of_other_names_and_types_are_read():
    binner = make_binner(LATTICE, source(lon="x", lat="y", time="t"))
    assert binner.columns == ("x", "y", "t")
    rows = pa.RecordBatch.from_pydict(
        {
            "y": pa.array([37.02], pa.float32()),
            "x": pa.array(["112.05"]).cast(pa.decimal128(9, 2)),
            "t": pa.array([STAMP], pa.timestamp("us")),
        }
    )
    assert (
        binner.place(rows, HERE).keys[0] // 8
        == lattice_ids(LATTICE, np.array([112.05]), np.array([37.02]))[0]
    )


def test_cells_of_the_grid_are_cells_of_the_lattice(grid):
    lon, lat = grid.cells["lon"].to_numpy(), grid.cells["lat"].to_numpy()
    cells, _ = make_binner(grid.lattice, source()).cells(lon, lat)
    np.testing.assert_array_equal(cells, cell_ids(grid, lon, lat))
