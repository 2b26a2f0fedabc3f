"""The embedded sample `data/shanxi` keeps what its README promises."""

import os
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.features import rasterize
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "shanxi"
SHARED = os.environ.get("SITEPLANNER_SHARED_DATA")
CODES = {"township_id": str, "county_id": str}


@pytest.fixture(scope="module")
def counties():
    return gpd.read_file(SAMPLE / "counties.geojson")


@pytest.fixture(scope="module")
def rasters():
    bands = {}
    for name in ("population_2020", "population_2010", "aged60_2020"):
        with rasterio.open(SAMPLE / f"{name}.tif") as source:
            bands[name] = source.read(1)
            bands["transform"], bands["nodata"], bands["crs"] = source.transform, source.nodata, source.crs
    return bands


@pytest.fixture(scope="module")
def county_of_pixel(counties, rasters):
    shapes = zip(counties.geometry, range(len(counties)), strict=True)
    shape = rasters["population_2020"].shape
    return rasterize(shapes, out_shape=shape, transform=rasters["transform"], fill=-1, dtype="int16")


@pytest.fixture(scope="module")
def townships():
    return pd.read_csv(SAMPLE / "townships.csv", dtype=CODES)


@pytest.fixture(scope="module")
def branches():
    return pd.read_csv(SAMPLE / "branches.csv")


@pytest.fixture(scope="module")
def competitors():
    return pd.read_csv(SAMPLE / "competitors.csv")


def locate(frame, counties):
    points = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs=4326)
    joined = points.sjoin(
        counties[["county_id", "geometry"]].rename(columns={"county_id": "inside"}), how="left"
    )
    return joined[~joined.index.duplicated()]["inside"]


def sums_by_county(band, county_of_pixel, count):
    inside = county_of_pixel >= 0
    return np.bincount(county_of_pixel[inside], band[inside], count).astype(int)


def test_counties_hold_the_two_censuses(counties):
    assert len(counties) == 117
    assert counties["residents"].sum() == 34_915_616
    assert counties["residents_2010"].sum() == 35_712_101
    assert counties["aged_60"].sum() == 6_607_025
    assert counties["prefecture"].nunique() == 11
    assert counties["inclusive"].sum() == 36
    assert counties.loc[counties["inclusive"], "list_year"].between(2016, 2020).all()


def test_county_polygons_are_valid_and_do_not_overlap(counties):
    plane = counties.to_crs(6933)
    assert counties.geometry.is_valid.all()
    assert plane.union_all().area == pytest.approx(plane.area.sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "column"),
    [("population_2020", "residents"), ("population_2010", "residents_2010"), ("aged60_2020", "aged_60")],
)
def test_pixels_sum_to_the_census_in_every_county(name, column, rasters, county_of_pixel, counties):
    sums = sums_by_county(rasters[name], county_of_pixel, len(counties))
    np.testing.assert_array_equal(sums, counties[column])


def test_rasters_declare_their_nodata_and_hold_it_exactly_outside(rasters, county_of_pixel):
    assert rasters["crs"].to_epsg() == 4326
    for name in ("population_2020", "population_2010", "aged60_2020"):
        np.testing.assert_array_equal(rasters[name] == rasters["nodata"], county_of_pixel < 0)


def test_the_aged_never_outnumber_the_residents(rasters, county_of_pixel):
    inside = county_of_pixel >= 0
    assert (rasters["aged60_2020"][inside] <= rasters["population_2020"][inside]).all()


def test_townships_lie_in_their_own_county(townships, counties):
    assert len(townships) == 1281
    assert townships["township_id"].is_unique
    assert set(townships["tier"]) == {"U", "C", "T"}
    assert set(townships["located"]) == {"geonames", "model"}
    assert (locate(townships, counties) == townships["county_id"]).all()
    assert set(townships.loc[townships["tier"] != "T", "county_id"]) == set(counties["county_id"])


def test_branches_are_a_network_of_about_four_hundred(branches, counties):
    assert 390 <= len(branches) <= 400
    assert branches["branch_id"].is_unique
    assert branches["name"].is_unique
    assert set(branches["tier"]) == {"U", "C", "T"}
    assert set(branches["format"]) == {"core", "standard", "light"}
    assert set(branches["rating"]) <= set("ABCD")
    assert locate(branches, counties).notna().all()
    assert branches["lease_end"].between("2027-01-01", "2034-12-31").all()
    assert 1 <= branches["locked"].sum() <= 12
    positive = ["counters", "smart_devices", "staff", "area_m2", "deposits_wan", "visits_per_day", "opex_wan"]
    assert (branches[positive] > 0).all().all()


def test_poor_counties_have_thin_service(branches, counties):
    number = locate(branches, counties).value_counts().reindex(counties["county_id"], fill_value=0)
    poor = number.to_numpy()[counties["inclusive"]]
    assert 8 <= (poor == 1).sum() <= 15
    assert 1 <= (poor == 0).sum() <= 6
    assert (number.to_numpy()[~counties["inclusive"]] >= 1).all()


def test_all_banks_have_the_national_number_of_outlets_per_head(branches, competitors, counties):
    assert len(branches) + len(competitors) == 5760
    assert set(competitors["class"]) == {"big", "postal", "joint", "city", "rural"}
    assert locate(competitors, counties).notna().all()


def test_nearly_every_township_has_an_outlet_of_some_bank(branches, competitors, townships, counties):
    outlets = pd.concat([branches[["lon", "lat"]], competitors[["lon", "lat"]]], ignore_index=True)
    outlets["county_id"] = locate(outlets, counties)
    shrink = [np.cos(np.radians(37.7)), 1]
    served = set()
    for county_id, group in outlets.groupby("county_id"):
        own = townships[townships["county_id"] == county_id]
        nearest = cKDTree(own[["lon", "lat"]] * shrink).query(group[["lon", "lat"]] * shrink)[1]
        served |= set(own["township_id"].iloc[nearest])
    assert 0.97 <= len(served) / len(townships) <= 0.98


def test_communities_lie_in_the_province_and_span_the_years(counties):
    frame = pd.read_csv(SAMPLE / "developments.csv")
    assert 250 <= len(frame) <= 400
    assert frame["name"].is_unique
    assert set(frame["kind"]) == {"commodity", "resettlement", "rental", "functional", "market"}
    assert frame["handover"].between("2016-01-01", "2029-12-31").all()
    assert locate(frame, counties).notna().all()


def test_footfall_shows_nobody_alone_and_keeps_the_day_rhythm():
    frame = pd.read_parquet(SAMPLE / "footfall.parquet")
    assert list(frame.columns) == ["lon", "lat", "time", "count"]
    assert frame["count"].dtype == np.int32
    assert frame["count"].min() >= 10
    assert frame["time"].nunique() == 48
    assert not frame.duplicated(["lon", "lat", "time"]).any()
    weekday = frame[frame["time"].dt.day == 18].pivot_table(
        index=["lon", "lat"], columns=frame["time"].dt.hour, values="count"
    )
    busiest = weekday.sort_values(10, ascending=False).head(20)
    assert (busiest[10] > busiest[3]).mean() > 0.8
    assert (weekday[10] < weekday[3]).mean() > 0.6


def test_tickets_follow_their_branches_and_the_busiest_keep_people_waiting(branches):
    frame = pd.read_csv(SAMPLE / "tickets.csv.gz", parse_dates=["taken", "called", "served_end"])
    assert frame["branch_id"].nunique() == 30
    assert set(frame["branch_id"]) <= set(branches["branch_id"])
    assert (frame["called"] >= frame["taken"]).all()
    served = frame["abandoned"] == 0
    assert frame.loc[~served, "served_end"].isna().all()
    assert (frame.loc[served, "served_end"] >= frame.loc[served, "called"]).all()
    late = (frame["called"] - frame["taken"]) > pd.Timedelta(minutes=10)
    share = late.groupby(frame["branch_id"]).mean().sort_values()
    assert 0.25 <= share.iloc[-5:].mean() <= 0.42
    assert share.iloc[:5].mean() < 0.05


def test_the_sample_is_small_and_called_synthetic():
    sizes = [path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()]
    assert sum(sizes) < 25_000_000
    assert max(sizes) < 3_000_000
    assert "synthetic" in (SAMPLE / "README.md").read_text(encoding="utf-8")


@pytest.mark.shared
@pytest.mark.skipif(SHARED is None, reason="set SITEPLANNER_SHARED_DATA to the folder of reference layers")
def test_the_model_follows_the_reference_grid(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from shanxi import verify

    words = tomllib.loads((ROOT / "scripts/shanxi/facts/words.toml").read_text(encoding="utf-8"))
    rows = dict(verify.compare(SAMPLE, Path(SHARED), words))
    assert rows["Pearson correlation, cells"] >= 0.95
    assert "shanxi" in sys.modules
