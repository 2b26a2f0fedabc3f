import importlib.util
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
import gridding
import gridding_inputs
import measuring
from gridding_inputs import Shape
from measuring import Case, Job, Run, Task

TINY = replace(
    gridding.QUICK,
    raster=Shape(520, 600, 1), nation=Shape(300, 520), small=Shape(120, 120),
    counties_raster=Shape(200, 200), rasterstats=(3,),
    pings=(20_000,), few_pings=5_000, lattice=150, esda=20, pairs=40, rounds=2,
)  # fmt: skip


def load_script(name):
    """Import a script whose name may be that of an installed package."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


access = load_script("access")


# What the other sections do, they do as these.
READING = ("raster", "raster-rivals", "counties", "pings", "ping-rivals")


def slow_sum(n):
    return Job(lambda: np.arange(n).sum())


def missing_library():
    import no_such_library  # noqa: F401 - that it is missing is the point


def broken():
    raise RuntimeError("no such luck")


def case_of(**runs):
    return Case({}, {name: [Run(*run) for run in each] for name, each in runs.items()})


def test_a_row_takes_medians_and_ratios_by_hand():
    case = case_of(
        ours=[(3.0, 5.0, 100.0, 8.0), (2.0, 4.0, 120.0, 8.0), (9.0, 9.0, 110.0, 8.0)],
        floor=[(2.0, 2.0, 50.0, 0.0), (1.0, 1.0, 60.0, 0.0), (4.0, 8.0, 70.0, 0.0)],
        other=[(30.0, 30.0, 900.0, 7.0)],
    )
    about = {"id": "a", "what": "b", "truth": 10.0, "goal": 1.5, "peak_goal_mb": 120.0, "error_goal": 0.2}
    assert measuring.make_row(about, case, "ours", "other") == {
        "id": "a", "what": "b", "seconds": 3.0, "floor_seconds": 2.0, "ratio": 1.5, "cpu_seconds": 5.0,
        "floor_cpu_seconds": 2.0, "cpu_ratio": 2.5, "rival": "other", "rival_seconds": 30.0,
        "rival_peak_mb": 900.0, "peak_mb": 120.0, "floor_peak_mb": 70.0, "value": 0.2, "goal": 1.5,
        "met": True,
    }  # fmt: skip


@pytest.mark.parametrize("missed", [{"goal": 1.4}, {"peak_goal_mb": 99.0}, {"truth": 10.1}])
def test_any_goal_missed_is_said(missed):
    case = case_of(ours=[(3.0, 3.0, 100.0, 10.0)], floor=[(2.0, 2.0, 50.0, 0.0)])
    about = {"id": "", "what": "", "truth": 10.0, "goal": 1.5, "peak_goal_mb": 100.0, "error_goal": 1e-9}
    assert measuring.make_row(about, case, "ours")["met"]
    assert not measuring.make_row(about | missed, case, "ours")["met"]


def test_what_we_cannot_do_is_a_goal_missed():
    case = case_of(floor=[(2.0, 2.0, 50.0, 0.0)])
    case.runs["ours"] = [Run(why="no such luck")]
    row = measuring.make_row({"id": "", "what": "cells", "truth": 1.0, "error_goal": 1e-9}, case, "ours")
    assert row["met"] is False
    assert row["what"] == "cells: no such luck"
    assert "seconds" not in row


def test_a_rival_that_is_absent_or_fails_is_named_and_not_tried_again(monkeypatch):
    monkeypatch.setitem(sys.modules, "here", sys.modules[__name__])
    tasks = {"ours": Task("here.slow_sum", {"n": 10}), "floor": Task("here.slow_sum", {"n": 10})}
    tasks |= {name: Task(f"here.{name}", {}) for name in ("missing_library", "broken")}
    case = measuring.run_case(Case(tasks), 3, None)
    assert [len(case.runs[name]) for name in tasks] == [3, 3, 1, 1]
    row = measuring.make_row({"id": "", "what": "", "truth": 45.0}, case, "ours", "missing_library")
    assert row["rival"] == "missing_library (absent: no_such_library)"
    assert row["value"] == 0.0
    row = measuring.make_row({"id": "", "what": ""}, case, "ours", "broken")
    assert row["rival"] == "broken (RuntimeError: no such luck)"


def test_a_fresh_process_tells_its_memory():
    run = measuring.measure(Task("gridding_lattice.one_pass", {"side": 1_000}, inner=2), 60.0)
    assert not run.why
    # Two fields of 8 MB, in a process with numpy.
    assert 16.0 < run.peak_mb < 2_000.0
    assert run.seconds > 0.0


def test_a_process_that_takes_too_long_or_fails_is_told():
    assert (
        measuring.measure(Task("gridding_lattice.one_pass", {"side": 100}), 0.01).why == "not done within 0 s"
    )
    assert "unexpected keyword" in measuring.measure(Task("gridding_lattice.one_pass", {"n": 1}), 60.0).why


def test_synthetic_inputs_are_the_same_every_time(tmp_path):
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        raster, total = gridding_inputs.make_raster(folder, Shape(600, 530), "tiled")
        pings = gridding_inputs.make_pings(folder, 1_000)
        files = [raster, *sorted(pings.iterdir())]
        made.append((total, [file.read_bytes() for file in files]))
    assert made[0] == made[1]
    assert gridding_inputs.make_raster(folder, Shape(600, 530), "tiled") == (raster, total)


def test_synthetic_counties_part_the_box():
    counties = gridding_inputs.make_counties((102.0, 30.0, 106.0, 34.0), 40)
    assert counties.geometry.is_valid.all()
    assert shapely.area(counties.geometry.to_numpy()).sum() == pytest.approx(16.0, abs=1e-3)
    assert shapely.area(shapely.union_all(counties.geometry.to_numpy())) == pytest.approx(16.0, abs=1e-3)


@pytest.mark.parametrize("section", ["lattice", "lattice-rivals", *READING])
def test_every_section_makes_rows_whose_sums_are_right(section, tmp_path):
    if section in READING:
        pytest.importorskip("siteplanner.engines.polygons")
    rows = list(gridding.SECTIONS[section](gridding.Bench(tmp_path, TINY, None)))
    assert len({row["id"] for row in rows}) == len(rows) > 0
    for row in rows:
        assert row.get("met") is not False, row
        assert all(not math.isnan(value) for value in row.values() if isinstance(value, float))
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize("section", ["pairs", "catchments", "huff", "travel", "moves"])
def test_access_rows_have_the_same_values_as_their_rivals(section, tmp_path):
    sizes = access.Sizes(region=(60, 40), net=(30, 3), moves=4, rounds=1)
    rows = list(access.SECTIONS[section](access.Bench(tmp_path, sizes, None)))
    assert len({row["id"] for row in rows}) == len(rows) > 0
    for row in rows:
        assert row.get("met") is not False, row
        assert row.get("value", 0.0) <= 1e-9
        assert row.get("apart", 0.0) <= (1e-6 if section == "travel" else 1e-9)
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize(
    ("seconds", "values", "met"), [(1.0, 1.0, True), (5.1, 1.0, False), (1.0, 1.1, False)]
)
def test_access_is_judged_by_the_rivals_time_and_values(seconds, values, met, tmp_path):
    np.save(tmp_path / "ours.npy", np.array([1.0, 3.0]))
    np.save(tmp_path / "theirs.npy", np.array([values, 3.0]))
    bench = access.Bench(tmp_path, access.QUICK, 60.0)
    row = {"seconds": seconds, "rival_seconds": 100.0}
    judged = access._against(bench, row, ("ours", "theirs"), (20.0, 1e-9))
    assert judged["met"] is met
    assert not access._against(bench, row | {"met": False}, ("ours", "theirs"), (20.0, 1e-9))["met"]
    assert judged["times_as_fast"] == pytest.approx(100.0 / seconds)
