"""The command line as a user meets it: five planted faults, exit codes, nothing written."""

import shutil
import subprocess
import sys

import pytest

FILES = ("branches.csv", "counties.geojson", "population_2020.tif", "population_2010.tif", "aged60_2020.tif",
         "footfall.parquet", "competitors.csv", "developments.csv", "townships.csv", "tickets.csv.gz",
         "scenario.toml")  # fmt: skip


def siteplanner(*words, cwd):
    command = [sys.executable, "-m", "siteplanner", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def sample(root, tmp_path):
    for name in FILES:
        shutil.copyfile(root / "data" / "shanxi" / name, tmp_path / name)
    return tmp_path


def spoil(path, line, column, value):
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_five_planted_faults_are_listed_at_once_and_nothing_is_written(sample):
    spoil(sample / "branches.csv", 9, "visits_per_day", "about 8000")
    spoil(sample / "branches.csv", 21, "tier", "X")
    spoil(sample / "competitors.csv", 4, "lat", "112.5")
    spoil(sample / "developments.csv", 3, "handover", "next spring")
    scenario = sample / "scenario.toml"
    text = scenario.read_text(encoding="utf-8")
    scenario.write_text(text.replace("[output]", "[grid]\ncell_metres = 500\n\n[output]"), encoding="utf-8")
    before = sorted(path.name for path in sample.iterdir())
    done = siteplanner("check", scenario, cwd=sample)
    assert done.returncode == 2
    assert sorted(path.name for path in sample.iterdir()) == before
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 5, done.stderr
    assert all(line.startswith("error: ") and ", expected " in line for line in lines)
    wanted = (
        ("branches.csv line 9 (branch_id B0008), column visits_per_day", '"about 8000"'),
        ("branches.csv line 21 (branch_id B0020), column tier", '"X"'),
        ("competitors.csv line 4", "112.5"),
        ("developments.csv line 3", '"next spring"'),
        ("scenario.toml", "cell_metres"),
    )
    for place, found in wanted:
        assert any(place in line and found in line for line in lines), (place, done.stderr)


def test_a_sound_sample_passes_the_check(sample):
    done = siteplanner("check", sample / "scenario.toml", "--lang", "en", cwd=sample)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no fault" in done.stdout


def test_usage_errors_end_with_two(tmp_path):
    assert siteplanner("run", cwd=tmp_path).returncode == 2
    assert siteplanner("no-such-command", cwd=tmp_path).returncode == 2


def test_an_engine_that_is_not_installed_ends_with_four_and_names_the_extra(sample):
    # Python looks for modules in the folder it runs in first: here the extra is as good as not there.
    absent = "raise ModuleNotFoundError(\"No module named 'pyspark'\", name='pyspark')\n"
    (sample / "pyspark.py").write_text(absent)
    words = ("run", sample / "scenario.toml", "--engine", "spark", "--out", sample / "out")
    done = siteplanner(*words, cwd=sample)
    assert done.returncode == 4
    assert "siteplanner[spark]" in done.stderr
    assert not (sample / "out").exists()


def test_rules_that_clash_end_with_three_and_are_named(sample):
    floor = "rules.county_floor={140105=500}"
    words = (
        "run",
        sample / "scenario.toml",
        "--out",
        sample / "out",
        "--set",
        "grid.cell_m=4000",
        "--set",
        floor,
    )
    done = siteplanner(*words, cwd=sample)
    assert done.returncode == 3, done.stderr
    assert "140105" in done.stderr or "FLOOR" in done.stderr
    assert not (sample / "out").exists()


def test_columns_prints_the_data_dictionary(tmp_path):
    done = siteplanner("columns", cwd=tmp_path)
    assert done.returncode == 0
    assert "branch_id" in done.stdout


def test_init_writes_a_folder_whose_next_step_works(tmp_path, root):
    folder = tmp_path / "my plan"
    done = siteplanner("init", folder, "--lang", "en", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"siteplanner check {folder / 'scenario.toml'}" in done.stdout
    # What is missing is told, file by file, and nothing else is wrong.
    first = siteplanner("check", folder / "scenario.toml", cwd=tmp_path)
    assert first.returncode == 2
    told = {line.split()[1].rstrip(":,") for line in first.stderr.strip().splitlines()}
    assert told == {"branches.csv", "counties.geojson", "population.tif"}
    # With the files in place it passes.
    sample = root / "data" / "shanxi"
    shutil.copyfile(sample / "branches.csv", folder / "branches.csv")
    shutil.copyfile(sample / "counties.geojson", folder / "counties.geojson")
    shutil.copyfile(sample / "population_2020.tif", folder / "population.tif")
    second = siteplanner("check", folder / "scenario.toml", cwd=tmp_path)
    assert second.returncode == 0, second.stderr


def test_every_default_of_a_new_scenario_can_be_stated(tmp_path):
    folder = tmp_path / "plan"
    siteplanner("init", folder, "--lang", "zh", cwd=tmp_path)
    text = (folder / "scenario.toml").read_text(encoding="utf-8")
    head, method = text.split("[grid]")
    stated = head + "[grid]" + "\n".join(line.removeprefix("# ") for line in method.splitlines())
    (folder / "scenario.toml").write_text(stated, encoding="utf-8")
    done = siteplanner("check", folder / "scenario.toml", cwd=tmp_path)
    assert "scenario.toml" not in done.stderr


def test_init_never_overwrites(tmp_path):
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    done = siteplanner("init", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]
