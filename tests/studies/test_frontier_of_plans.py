import json

import numpy as np
import pandas as pd
import pytest
from region import write_region

from siteplanner import __version__
from siteplanner.layers.reading import read_layers
from siteplanner.layers.scenario_file import load_scenario
from siteplanner.outputs.frontier_page import render_frontier, write_frontier
from siteplanner.plan import make_plan
from siteplanner.studies.frontier import find_knee, spread_numbers, trace_frontier


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    write_region(folder)
    scenario = load_scenario(folder / "scenario.toml")
    return scenario, read_layers(scenario, folder)


@pytest.fixture(scope="module")
def frontier(region):
    return trace_frontier(*region, (0, 1, 2, 3))


def test_each_point_is_the_plan_of_a_run_of_its_own(region, frontier):
    scenario, layers = region
    for number in (0, 2):
        limits = scenario.relocation.model_copy(update={"max_moves": number})
        plan = make_plan(scenario.model_copy(update={"relocation": limits}), layers)
        point = frontier.points.loc[number]
        assert point["moves"] == len(plan.relocation.moves)
        assert point["worth"] == plan.relocation.proof.after
        assert point["npv_wan"] == pytest.approx(plan.ledger.moves["npv_wan"].sum())
        assert point["covered_own"] == plan.ledger.kpis.loc["covered_own", "after"]


def test_more_moves_are_never_worth_less_than_the_gap(frontier):
    points = frontier.points
    assert (points["bound"] >= points["worth"] - 1e-9).all()
    assert (points["bound"].to_numpy()[1:] >= points["worth"].to_numpy()[:-1] - 1e-9).all()
    assert (points["moves"] <= points.index).all()


def test_the_knee_is_where_the_slope_falls_below_the_average():
    # Slopes 10, 10, 1, 1: furthest above the chord of slope 5.5 at the second step.
    assert find_knee(pd.Series([0, 1, 2, 3, 4]), pd.Series([0.0, 10, 20, 21, 22])) == 2
    assert find_knee(pd.Series([0, 1, 2]), pd.Series([0.0, 1, 2])) is None
    assert find_knee(pd.Series([0, 5]), pd.Series([0.0, 1])) is None
    # The square root has slope 1 / (2 sqrt x); the average over 0-100 is 1 / 10: x = 25.
    x = pd.Series(np.arange(101.0))
    assert find_knee(x, np.sqrt(x)) == 25


def test_numbers_are_spread_evenly_from_none_to_the_most():
    assert spread_numbers(20) == tuple(range(0, 21, 2))
    assert spread_numbers(3) == (0, 1, 2, 3)
    assert spread_numbers(0) == (0,)


def test_an_interrupt_keeps_the_points_that_are_done(region):
    scenario, layers = region

    def stop(step, share=None):
        if step == "frontier" and share:
            raise KeyboardInterrupt

    def stop_at_once(step, share=None):
        if step == "frontier" and share == 0.0:
            raise KeyboardInterrupt

    cut = trace_frontier(scenario, layers, (0, 1, 2), stop)
    assert not cut.is_whole
    assert list(cut.points.index) == [0]
    with pytest.raises(KeyboardInterrupt):
        trace_frontier(scenario, layers, (1, 2), stop_at_once)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_shows_curve_and_table(frontier, language):
    drawn = render_frontier(frontier, language)
    assert drawn.count("<svg") == 1
    assert "http" not in drawn.replace("http-equiv", "")


def test_files_are_the_same_for_the_same_points(frontier, tmp_path):
    for name in ("a", "b"):
        write_frontier(frontier, tmp_path / name, "en", __version__)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {"frontier.html", "frontier.xlsx", "frontier.parquet"}
    for name in manifest["files"]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert pd.read_parquet(tmp_path / "a" / "frontier.parquet")["max_moves"].tolist() == [0, 1, 2, 3]
