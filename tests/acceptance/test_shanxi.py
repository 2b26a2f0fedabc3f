"""The main job on the committed sample, run as a user runs it and checked from its files alone."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checker import Exported, Recount, check_rules

pytestmark = pytest.mark.slow

PEOPLE = 34_915_616  # residents of Shanxi, seventh census (2020)


def run(root, out, *options):
    scenario = root / "data" / "shanxi" / "scenario.toml"
    command = [sys.executable, "-m", "siteplanner", "run", str(scenario), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shanxi(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "shanxi"
    printed = run(root, out, "--lang", "en")
    return Exported(out), out, printed


def test_everything_that_the_design_promises_is_written(shanxi):
    _, out, printed = shanxi
    wanted = {
        "map.html",
        "report.html",
        "moves.csv",
        "moves.xlsx",
        "plan.gpkg",
        "cells.parquet",
        "manifest.json",
    }
    assert wanted <= {path.name for path in out.iterdir()}
    assert "synthetic" in printed
    assert 10 <= len(printed.strip().splitlines()) <= 12


def test_checksums_vouch_for_every_file(shanxi):
    plan, out, _ = shanxi
    for name, said in plan.manifest["files"].items():
        data = (out / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (said["sha256"], said["bytes"])


def test_no_person_is_lost_in_any_county(shanxi):
    plan, _, _ = shanxi
    residents = plan.manifest["conservation"]["residents"]
    assert residents["in"] == PEOPLE
    assert residents["out"] == pytest.approx(PEOPLE, rel=1e-9)
    counties = pd.DataFrame(residents["counties"], index=["in", "out"]).T
    inside = counties.drop(index="outside", errors="ignore")
    assert len(inside) == 117
    np.testing.assert_allclose(inside["out"], inside["in"], rtol=1e-9)
    counted = plan.people.groupby("county_id")["residents"].sum()
    np.testing.assert_allclose(counted, inside["in"].reindex(counted.index), rtol=1e-9)


def test_no_rule_is_broken_after_any_step(shanxi):
    plan, _, _ = shanxi
    assert len(plan.moves) > 0
    assert check_rules(plan) == []


def test_moves_go_where_the_mission_says(shanxi):
    plan, _, _ = shanxi
    dense = plan.moves["from_zone_class"].str.startswith("dense")
    assert (dense & (plan.moves["to_zone_class"] == "inflow")).any()
    assert plan.moves["to_inclusive"].any()
    listed = plan.counties[plan.counties["inclusive"].astype(bool)]
    assert listed["covered_own_after"].sum() > listed["covered_own_before"].sum()


def test_every_coverage_figure_is_counted_again(shanxi):
    plan, _, _ = shanxi
    minutes = plan.scenario["access"]["cover_min"]
    counties = plan.counties.set_index("county_id")
    kpis = plan.manifest["kpis"]
    for when in ("before", "after"):
        again = Recount(plan, when)
        for column, name, own in (
            ("residents", f"covered_own_{when}", True),
            ("residents", f"covered_any_{when}", False),
            ("aged_60", f"aged_60_covered_{when}", True),
        ):
            people = again.covered(minutes, column, plan.people, own=own)
            people = people.reindex(counties.index).fillna(0.0)
            np.testing.assert_allclose(counties[name], people, rtol=1e-6, atol=1.0)
        covered = again.covered(minutes, "residents", plan.people, own=True).sum()
        assert kpis["covered_own"][when] == pytest.approx(covered, rel=1e-6)


def test_visits_won_are_counted_again(shanxi):
    plan, _, _ = shanxi
    before = Recount(plan, "before")
    after = Recount(plan, "after", outside=before.outside)
    counties = plan.counties.set_index("county_id")
    for when, again in (("before", before), ("after", after)):
        won = pd.Series(again.own_visits_by_cell(), index=again.cells["county_id"])
        by_county = won.groupby(level=0).sum().reindex(counties.index).fillna(0.0)
        if when == "before":
            np.testing.assert_allclose(counties["visits_before"], by_county, rtol=1e-4, atol=0.01)
        else:
            # The recount lets everybody choose anew; customers of closed branches lean to the brand.
            assert (counties["visits_after"] >= by_county * (1.0 - 1e-4) - 0.01).all()
            kept = plan.moves["recaptured_visits"].sum()
            assert counties["visits_after"].sum() - by_county.sum() <= kept * (1.0 + 1e-3)


def test_the_ledger_adds_up(shanxi):
    plan, _, _ = shanxi
    moves = plan.moves
    net = moves["gross_gain_visits"] - moves["cannibalised_visits"] - moves["lost_visits"]
    np.testing.assert_allclose(moves["net_visits"], net, rtol=1e-6, atol=1e-6)
    kpis = plan.manifest["kpis"]
    change = kpis["visits_own"]["after"] - kpis["visits_own"]["before"]
    assert moves["net_visits"].sum() == pytest.approx(change, rel=1e-6)
    money = moves["gross_gain_wan"] - moves["cannibalised_wan"] - moves["lost_wan"]
    np.testing.assert_allclose(moves["net_wan"], money, rtol=1e-6)
    assert (moves["lost_low_wan"] <= moves["lost_wan"] + 1e-6).all()
    assert (moves["lost_wan"] <= moves["lost_high_wan"] + 1e-6).all()


def test_the_bound_is_a_bound(shanxi):
    solver = shanxi[0].manifest["solver"]
    assert solver["bound"] >= solver["objective_after"] > solver["objective_before"]
    gap = (solver["bound"] - solver["objective_after"]) / solver["bound"]
    assert solver["gap"] == pytest.approx(gap, abs=1e-9)


def test_every_cell_lies_in_exactly_one_zone(shanxi):
    plan, _, _ = shanxi
    assert plan.cells["zone_id"].isin(set(plan.zones["zone_id"])).all()
    area = plan.cells.groupby("zone_id").size() * (plan.scenario["grid"]["cell_m"] / 1000) ** 2
    zones = plan.zones.set_index("zone_id")
    np.testing.assert_allclose(zones["area_km2"], area.reindex(zones.index), rtol=1e-9)


def test_twice_the_same_bytes(root, shanxi, tmp_path):
    _, first, _ = shanxi
    run(root, tmp_path / "again", "--lang", "en")
    for path in sorted(first.iterdir()):
        if path.name == "manifest.json":
            continue
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    left, right = (
        json.loads(Path(folder / "manifest.json").read_text()) for folder in (first, tmp_path / "again")
    )
    left.pop("measured"), right.pop("measured")
    assert left == right
