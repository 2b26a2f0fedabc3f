"""Promises of every run, on the made-up region: same answer for any order, threads or hashes; no socket."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from region import write_region

DATA = ("moves.csv", "moves.xlsx", "plan.gpkg", "cells.parquet", "people.parquet", "map.html", "report.html")
TABLES = (
    "branches.csv",
    "competitors.csv",
    "townships.csv",
    "developments.csv",
    "footfall.csv",
    "tickets.csv",
)

# Refuses every socket, then runs the command line.
NO_SOCKETS = """
import socket, sys
def refuse(*words, **more):
    raise AssertionError("a socket was opened")
socket.socket.__init__ = refuse
socket.create_connection = refuse
sys.argv = ["siteplanner", *sys.argv[1:]]
from siteplanner.cli import main
main()
"""


def run(scenario, out, *before, **environment):
    start = before or ("-m", "siteplanner")
    command = [sys.executable, *start, "run", str(scenario), "--out", str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return {name: (out / name).read_bytes() for name in DATA}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    scenario = write_region(folder)
    return scenario, run(scenario, folder / "out")


def assert_same(files, others):
    assert [name for name in DATA if files[name] != others[name]] == []


def test_no_socket_is_opened(first, tmp_path):
    scenario, files = first
    assert_same(files, run(scenario, tmp_path / "out", "-c", NO_SOCKETS))


def test_threads_and_hash_seeds_do_not_matter(first, tmp_path):
    scenario, files = first
    one = {
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "7",
    }
    assert_same(files, run(scenario, tmp_path / "out", **one))


def test_order_of_rows_does_not_matter(first, tmp_path):
    _, files = first
    scenario = write_region(tmp_path)
    for name in TABLES:
        table = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        table.sample(frac=1.0, random_state=3).to_csv(tmp_path / name, index=False)
    others = run(scenario, tmp_path / "out")
    # The memo and the workbook show the checksums of the inputs, which a new order changes.
    told = {"report.html", "moves.xlsx"}
    assert [name for name in DATA if name not in told and files[name] != others[name]] == []
