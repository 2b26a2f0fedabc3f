"""The whole run on both engines: the same files, and nothing left behind."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from region import write_region
from test_promises import DATA

PINGS = """
[inputs.footfall]
path = "{path}"
kind = "pings"
datum = "wgs84"
"""


def run(scenario, out, engine):
    more = ("--set", "engine.master=local[2]") if engine == "spark" else ()
    command = [sys.executable, "-m", "siteplanner", "run", scenario, "--engine", engine, "--out", out, *more]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {name: (out / name).read_bytes() for name in DATA}


@pytest.fixture
def region(tmp_path):
    scenario = write_region(tmp_path, without=("footfall",))
    rng = np.random.default_rng(1)
    times = pd.Timestamp("2024-03-04", tz="UTC") + pd.to_timedelta(
        rng.integers(0, 7 * 86_400, 20_000), unit="s"
    )
    lon, lat = rng.uniform(112.0, 112.48, 20_000), rng.uniform(37.5, 37.8, 20_000)
    (tmp_path / "pings").mkdir()
    pd.DataFrame({"lon": lon, "lat": lat, "time": times}).to_parquet(tmp_path / "pings" / "a.parquet")
    return scenario


def test_a_run_on_spark_writes_what_a_run_here_writes(region, tmp_path):
    pytest.importorskip("pyspark", reason="the extra siteplanner[spark] is not installed")
    text = region.read_text(encoding="utf-8")
    answers = {}
    for engine, path in (("embedded", "pings"), ("spark", f"file://{tmp_path}/pings")):
        region.write_text(text + PINGS.format(path=path), encoding="utf-8")
        answers[engine] = run(region, tmp_path / engine, engine)
    here, there = answers.values()
    # The memo and the workbook name the engine and the files.
    told = {"report.html", "moves.xlsx"}
    assert [name for name in DATA if name not in told and here[name] != there[name]] == []
    manifest = json.loads((tmp_path / "spark" / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest["inputs_not_hashed"]) == ["a.parquet"]
    assert "unhashed_footfall" in [warning["note"][0] for warning in manifest["warnings"]]


def test_a_uri_is_refused_where_there_is_no_cluster(region):
    text = region.read_text(encoding="utf-8") + PINGS.format(path="hdfs://head/pings")
    region.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "siteplanner", "check", str(region), "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "hdfs://head/pings: found a virtual or remote path" in done.stderr
