"""The same region with less, with more and with other rules: a plan or one clear line, never a defect."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from region import BRANCHES, OPTIONAL, county_frame, people, write_raster, write_region

from siteplanner import cli

SITES = '[inputs.sites]\npath = "sites.csv"\ndatum = "wgs84"\n'
SPOTS = [("X1", 112.258, 37.570), ("X2", 112.285, 37.590), ("X3", 112.310, 37.530), ("X4", 112.250, 37.600)]


class Bench:
    """Writes the region, spoils it, runs the command and keeps what it said."""

    def __init__(self, folder, monkeypatch, capfd):
        self.folder, self.monkeypatch, self.capfd = folder, monkeypatch, capfd
        self.out = folder / "out"

    def branches(self, change):
        path = self.folder / "branches.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)

    def sites(self, spots=SPOTS, **more):
        frame = pd.DataFrame(spots, columns=["site_id", "lon", "lat"]).assign(**more)
        frame.to_csv(self.folder / "sites.csv", index=False)

    def run(self, *overrides, code=0):
        words = ["siteplanner", "run", str(self.folder / "scenario.toml"), "--out", str(self.out)]
        for override in overrides:
            words += ["--set", override]
        self.monkeypatch.setattr(sys, "argv", [*words, "--lang", "en"])
        ended = 0
        try:
            cli.main()
        except SystemExit as end:
            ended = end.code
        said = self.capfd.readouterr()
        assert ended == code, said.err
        if code:
            assert not self.out.exists()
            assert all(line.startswith("error: ") for line in said.err.splitlines())
            assert "defect" not in said.err
            return said.err
        assert said.err == ""
        return pd.read_csv(self.out / "moves.csv")


@pytest.fixture
def bench(tmp_path, monkeypatch, capfd):
    write_region(tmp_path)
    return Bench(tmp_path, monkeypatch, capfd)


def test_the_whole_region(bench):
    moves = bench.run()
    assert len(moves) == 3
    assert set(moves["branch_id"]) <= {row[0] for row in BRANCHES}


@pytest.mark.parametrize("layer", [*OPTIONAL, "all of these"])
def test_without_a_layer(bench, layer):
    write_region(bench.folder, without=tuple(OPTIONAL) if layer == "all of these" else (layer,))
    # Deposits earn enough for a branch to live on any of the region's few people.
    assert len(bench.run("economics.spread=0.2")) == 3


@pytest.mark.parametrize("without", [(), tuple(OPTIONAL)])
def test_with_the_required_columns_alone(bench, without):
    write_region(bench.folder, without=without)
    bench.branches(lambda table: table[["branch_id", "name", "lon", "lat"]])
    moves = bench.run()
    assert len(moves) == 3
    # The catalogue says what a branch of the standard format costs and who works there.
    assert moves["opex_wan"].notna().all()
    assert moves["cost_effect_wan"].notna().all()


def test_with_the_user_s_sites(bench):
    write_region(bench.folder, more=SITES)
    bench.sites(rent=[60.0, 70.0, 80.0, 90.0], area_m2=100.0, name="shop", tier="U")
    moves = bench.run()
    assert 1 <= len(moves) <= 3
    assert set(moves["site_id"]) <= {spot[0] for spot in SPOTS}
    assert (moves["area_m2"] == 100.0).all()


def test_with_a_site_named_like_a_branch_and_one_over_the_border(bench):
    write_region(bench.folder, more=SITES)
    bench.sites([*((f"B0{i}", lon, lat) for i, (_, lon, lat) in enumerate(SPOTS, 1)), ("Z", 111.99, 37.6)])
    assert len(bench.run()) >= 1


def test_with_a_site_far_away(bench):
    write_region(bench.folder, more=SITES)
    bench.sites([*SPOTS, ("far", 118.0, 30.0)])
    assert "site_id far" in bench.run(code=2)


def test_with_branches_named_like_rivals(bench):
    write_region(bench.folder, without=("tickets",))
    bench.branches(lambda table: table.assign(branch_id=[f"R{i:05d}" for i in range(1, len(table) + 1)]))
    assert len(bench.run()) == 3


def test_with_branches_numbered(bench):
    write_region(bench.folder, without=("tickets",))
    bench.branches(lambda table: table.assign(branch_id=range(1, len(table) + 1)))
    assert len(bench.run()) == 3


def test_without_moves(bench):
    assert bench.run("relocation.max_moves=0").empty


def test_with_a_single_branch(bench):
    write_region(bench.folder, without=("tickets",))
    bench.branches(lambda table: table.head(1))
    assert bench.run().empty  # the last of its county stays
    free = ("rules.keep_last_own_in_county=false", "rules.keep_last_in_township=false")
    assert len(bench.run(*free, "relocation.sources=[]")) == 1


def test_with_one_county(bench):
    whole = county_frame().dissolve().reset_index(drop=True)[["geometry"]].assign(county_id="1", name="All")
    whole.to_file(bench.folder / "counties.geojson", driver="GeoJSON")
    assert len(bench.run()) == 3


def test_protected_branches_stay(bench):
    first = set(bench.run()["branch_id"])
    second = bench.run(f"rules.protected={sorted(first)}")
    assert len(second)
    assert not first & set(second["branch_id"])


def test_rules_switched_off(bench):
    off = ("rules.keep_last_own_in_county=false", "rules.keep_last_in_township=false")
    everywhere = ("relocation.sources=[]", "relocation.destinations=[]", "relocation.max_moves=16")
    assert len(bench.run(*off, *everywhere)) > 3


def test_a_plan_replaces_the_one_before(bench):
    bench.run()
    assert len(bench.run("relocation.max_moves=1")) == 1


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("rules.county_floor={140102=40}", "140102"),
        ("rules.county_floor={140101=9,140102=4}", "140102"),
        ("rules.county_cap={140121=1}", "140121"),
        ("rules.county_floor={140102=9}", "140102"),
    ],
)
def test_impossible_limits_end_with_three_and_name_the_rule(bench, override, named):
    said = bench.run(override, code=3)
    assert named in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ('rules.protected=["B03","B3"]', '"B3"'),
        ("rules.county_floor={140199=1}", '"140199"'),
        ("rules.county_cap={140101=-1}", "-1"),
        ("access.bands_min=[30.0,20.0,10.0]", "ascend"),
        ("economics.loss_min=0.9", "loss_max"),
        ("access.town.density_per_km2=1e6", "density_per_km2"),
    ],
)
def test_settings_without_sense_end_with_two_and_name_the_key(bench, override, named):
    assert named in bench.run(override, code=2)


@pytest.mark.parametrize(
    "overrides",
    [
        ["grid.cell_m=20000"],
        ["market.outside_share=0"],
        ["zones.min_residents=1e9"],
        ["demand.weight_home=0", "demand.weight_work=0", "demand.weight_visit=0"],
        ["relocation.money_weight=1", "relocation.inclusion_weight=0", "relocation.cover_weight=0"],
        ["demand.horizon_years=1"],
        ["demand.plan_year=2001"],
        [f"relocation.spacing_{kind}_km=0" for kind in ("core", "urban", "town", "rural")],
        [f"relocation.spacing_{kind}_km=50" for kind in ("core", "urban", "town", "rural")],
        ["relocation.time_limit_s=1e-6"],
        ["access.rural.reach_km=1", "access.town.reach_km=1"],
    ],
    ids=" ".join,
)
def test_settings_at_the_edge_give_a_plan(bench, overrides):
    assert len(bench.run(*overrides)) <= 3


@pytest.mark.parametrize(
    "columns",
    [
        {"format": "self_service"},
        {"format": "community"},
        {"tier": "V"},
        {"staff": 0, "counters": 0, "opex_wan": 0},
        {"locked": "true"},
        {"deposits_wan": 0, "visits_per_day": 0},
    ],
    ids=str,
)
def test_branches_all_of_one_kind_give_a_plan(bench, columns):
    bench.branches(lambda table: table.assign(**columns))
    assert len(bench.run()) <= 3


def test_next_to_nobody_gives_a_plan(bench):
    write_region(bench.folder, without=("earlier", "aged"))
    one = np.zeros(people(3).shape)
    one[30, 40] = 1.0
    write_raster(bench.folder / "people.tif", one)
    assert len(bench.run()) <= 3


def test_nobody_at_all_is_refused(bench):
    write_raster(bench.folder / "people.tif", np.zeros(people(3).shape))
    assert "people.tif" in bench.run(code=2)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("moment", ["at work", "writing"])
def test_ctrl_c_ends_with_130_and_leaves_nothing(bench, moment):
    results = bench.folder / "results"
    results.mkdir()
    words = ["run", str(bench.folder / "scenario.toml"), "--out", str(results / "plan")]
    command = [sys.executable, "-m", "siteplanner", *words, "--set", "grid.cell_m=250"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() < begun + 60.0:
        writing = any(results.glob(".plan.tmp-*"))
        if writing or (moment == "at work" and time.monotonic() > begun + 3.0):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "interrupted: nothing was written")
    assert {path.name for path in results.iterdir()} <= {".plan.lock"}
