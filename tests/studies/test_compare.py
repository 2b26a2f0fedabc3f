"""Two finished runs of the small region, compared from their files."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from region import write_region

from siteplanner import __version__
from siteplanner.errors import InputError
from siteplanner.layers.reading import read_layers
from siteplanner.layers.scenario_file import load_scenario
from siteplanner.outputs.comparison import render_comparison, write_comparison
from siteplanner.outputs.folder import write_outputs
from siteplanner.plan import make_plan
from siteplanner.studies.compare import BASELINE, compare_runs
from siteplanner.studies.run_files import read_runs


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Run the region with some moves, with fewer, and with other demand."""
    folder = tmp_path_factory.mktemp("runs")
    write_region(folder)
    runs = {
        "many": ("relocation.max_moves=4",),
        "few": ("relocation.max_moves=2",),
        "rich": ("relocation.max_moves=4", "demand.deposits_per_person_cny=90000"),
    }
    for name, overrides in runs.items():
        scenario = load_scenario(folder / "scenario.toml", (f'name="{name}"', *overrides))
        plan = make_plan(scenario, read_layers(scenario, folder))
        write_outputs(plan, folder / name, "en", __version__)
    return {name: folder / name for name in runs}


@pytest.fixture(scope="module")
def comparison(folders):
    return compare_runs(read_runs(list(folders.values())))


def test_runs_are_called_by_their_scenarios(comparison):
    assert comparison.names == ("many", "few", "rich")


def test_indicators_are_those_of_the_manifests(comparison, folders):
    for name, folder in folders.items():
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["kpis"]
        for kpi, numbers in told.items():
            assert comparison.kpis.loc[kpi, (name, "after")] == numbers["after"]
            assert comparison.kpis.loc[kpi, (name, "change")] == numbers["after"] - numbers["before"]


def test_contributions_of_the_moves_add_up_to_the_difference(comparison):
    assert len(comparison.causes)
    for (kpi, run), rows in comparison.causes.groupby(["kpi", "run"]):
        apart = comparison.kpis.loc[kpi, (run, "after")] - comparison.kpis.loc[kpi, ("many", "after")]
        assert rows["contribution"].sum() == pytest.approx(apart, rel=1e-6, abs=1e-6), (kpi, run)
        np.testing.assert_allclose(rows["contribution"], rows["this"] - rows["first"])
    assert "remainder" not in set(comparison.causes["branch_id"])


def test_a_change_without_moves_is_that_of_the_baseline(comparison):
    few = comparison.causes[comparison.causes["run"] == "few"]
    assert BASELINE not in set(few["branch_id"])


def test_moves_are_the_same_where_branch_and_place_are(comparison, folders):
    tables = {
        name: pd.read_csv(folder / "moves.csv", encoding="utf-8-sig") for name, folder in folders.items()
    }
    places = {
        name: {row.branch_id: (row.to_lon, row.to_lat) for row in table.itertuples()}
        for name, table in tables.items()
    }
    for branch, state in comparison.moves["", "state"].items():
        found = [by_branch.get(branch) for by_branch in places.values()]
        wanted = "some" if None in found else "common" if len(set(found)) == 1 else "elsewhere"
        assert state == wanted
    assert set(comparison.moves.index) == set().union(*places.values())


def test_settings_that_differ_are_named(comparison):
    assert comparison.settings.loc["relocation.max_moves"].tolist() == ["4", "2", "4"]
    assert "name" in comparison.settings.index
    assert "grid.cell_m" not in comparison.settings.index
    assert comparison.inputs.empty


def test_people_reached_differ_by_what_the_indicator_says(comparison):
    cells = comparison.cells
    apart = (
        comparison.kpis.loc["covered_own", ("few", "after")]
        - comparison.kpis.loc["covered_own", ("many", "after")]
    )
    people = cells["residents"]
    found = people[cells["few"] & ~cells["many"]].sum() - people[cells["many"] & ~cells["few"]].sum()
    assert found == pytest.approx(apart, abs=0.5)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_asks_nobody_and_says_what_differs(comparison, language):
    page = render_comparison(comparison, language)
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "relocation.max_moves" in page
    assert "<svg" in page


def test_page_workbook_and_table_are_written_together(comparison, tmp_path):
    write_comparison(comparison, tmp_path / "out", "zh", __version__)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"compare.html", "compare.xlsx", "compare.parquet", "manifest.json"}
    long = pd.read_parquet(tmp_path / "out" / "compare.parquet")
    told = long[(long["table"] == "kpis") & (long["key"] == "npv_wan") & (long["run"] == "few")]
    assert told.set_index("measure")["value"]["after"] == comparison.kpis.loc["npv_wan", ("few", "after")]
    sheets = pd.read_excel(tmp_path / "out" / "compare.xlsx", sheet_name=None)
    assert len(sheets) == 5


def test_folders_that_are_no_runs_are_named(folders, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folders["few"], broken)
    with (broken / "cells.parquet").open("ab") as file:
        file.write(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        read_runs([broken, tmp_path / "empty", tmp_path / "absent"])
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert "cells.parquet" in said[0]
    assert all("manifest.json" in line for line in said[1:])


def test_equal_names_are_told_apart_by_their_folders(folders, tmp_path):
    shutil.copytree(folders["few"], tmp_path / "again")
    assert [run.name for run in read_runs([folders["few"], tmp_path / "again"])] == [
        "few (few)",
        "few (again)",
    ]
