"""The same pipeline, unchanged, on an unlike city: real 100 m residents and real check-ins of Wuhan.

The districts (six boxes over the raster) and the branch table are made for the test.
"""

import json
import shutil
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from checker import Exported, Recount, check_rules
from shapely.geometry import box

pytestmark = [pytest.mark.shared, pytest.mark.slow]

SCENARIO = """
name = "wuhan"
title_zh = "Wuhan test"
title_en = "Wuhan test"

[inputs.branches]
path = "branches.csv"
datum = "wgs84"
[inputs.counties]
path = "districts.geojson"
datum = "wgs84"
[inputs.population]
path = "residents.tif"
year = 2020
aged_60 = "aged.tif"
[inputs.footfall]
path = "checkins.csv"
kind = "points"
datum = "wgs84"
columns = { lon = "Longitude", lat = "Latitude", count = "checkin_users" }

[relocation]
max_moves = 6
"""


def _districts(bounds):
    lons = np.linspace(bounds.left, bounds.right, 4)
    lats = np.linspace(bounds.bottom, bounds.top, 3)
    boxes = [(c, r, box(lons[c], lats[r], lons[c + 1], lats[r + 1])) for c in range(3) for r in range(2)]
    frame = {
        "county_id": [f"D{c}{r}" for c, r, _ in boxes],
        "name": [f"district {c}{r}" for c, r, _ in boxes],
        "prefecture": "Wuhan",
        "inclusive": [c == 0 and r == 0 for c, r, _ in boxes],
    }
    return gpd.GeoDataFrame(frame, geometry=[shape for *_, shape in boxes], crs=4326)


def _branches(residents, transform):
    """Sixty branches drawn where the old centre is dense: the network of another time."""
    rng = np.random.default_rng(7)
    rows, cols = np.nonzero(residents > np.quantile(residents[residents > 0], 0.97))
    pick = rng.choice(len(rows), size=60, replace=False)
    lon, lat = rasterio.transform.xy(transform, rows[pick], cols[pick])
    return pd.DataFrame(
        {
            "branch_id": [f"W{i:03d}" for i in range(60)],
            "name": [f"branch {i}" for i in range(60)],
            "lon": np.asarray(lon),
            "lat": np.asarray(lat),
            "tier": "U",
        }
    )


@pytest.fixture(scope="module")
def wuhan(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wuhan")
    source = shared_data / "other" / "wuhan"
    shutil.copyfile(source / "wuhan_worldpop100m_age20plus.tif", folder / "residents.tif")
    shutil.copyfile(source / "wuhan_worldpop100m_age65plus.tif", folder / "aged.tif")
    shutil.copyfile(source / "wuhan_poi_checkins.csv", folder / "checkins.csv")
    with rasterio.open(folder / "residents.tif") as raster:
        residents = raster.read(1, masked=True).filled(0.0).astype(float)
        _districts(raster.bounds).to_file(folder / "districts.geojson")
        _branches(residents, raster.transform).to_csv(folder / "branches.csv", index=False)
    (folder / "scenario.toml").write_text(SCENARIO, encoding="utf-8")
    command = [sys.executable, "-m", "siteplanner", "run", str(folder / "scenario.toml")]
    done = subprocess.run(
        [*command, "--out", str(folder / "out"), "--lang", "en"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, float(residents.sum())


def test_wuhan_counts_every_person(wuhan):
    folder, people = wuhan
    manifest = json.loads((folder / "out" / "manifest.json").read_text(encoding="utf-8"))
    residents = manifest["conservation"]["residents"]
    assert residents["in"] == pytest.approx(people, rel=1e-9)
    counties = pd.DataFrame(residents["counties"], index=["in", "out"]).T.drop(index="outside")
    assert len(counties) == 6
    np.testing.assert_allclose(counties["in"], counties["out"], rtol=1e-9)


def test_wuhan_gets_a_plan_with_a_bound(wuhan):
    folder, _ = wuhan
    plan = Exported(folder / "out")
    solver = plan.manifest["solver"]
    assert solver["bound"] >= solver["objective_after"] > solver["objective_before"]
    assert 1 <= len(plan.moves) <= 6


def test_wuhan_breaks_no_rule(wuhan):
    assert check_rules(Exported(wuhan[0] / "out")) == []


def test_wuhan_coverage_is_counted_again(wuhan):
    plan = Exported(wuhan[0] / "out")
    for when in ("before", "after"):
        covered = Recount(plan, when).covered(
            plan.scenario["access"]["cover_min"], "residents", plan.people, own=True
        )
        assert plan.manifest["kpis"]["covered_own"][when] == pytest.approx(covered.sum(), rel=1e-6)
