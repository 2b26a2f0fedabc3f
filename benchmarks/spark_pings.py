"""Time pings on Spark against Spark's own floor: summing the same columns in the same session.

``python benchmarks/spark_pings.py [--quick] [--json FILE]``; needs the extra ``siteplanner[spark]``, Java 17.
Three works take turns on ``local[2]``: the floor (Spark SQL sums longitude, latitude and time), the count of
a folder that the workers read themselves, and the count of the same folder behind a ``file://`` URI, which
Spark reads for them. Time is CPU time of all processes together: a shared machine does not show in it. The
answers are compared with the embedded engine's, bit by bit.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyspark.sql import functions as F  # noqa: N812 - the name under which everybody knows them

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.spark import SparkEngine
from siteplanner.layers.records import FootfallSource
from siteplanner.model.grid import make_grid
from siteplanner.scenario import EngineSettings, GridSettings

CORES = 2
GOAL = 5.0
N_FILES = 8
N_TOWNS = 200
# A province: Shanxi's bounding box, degrees.
WEST, SOUTH, EAST, NORTH = 110.2, 34.5, 114.6, 40.8
FIRST_S, DAYS = 1_709_510_400, 14


def write_pings(folder: Path, rows: int) -> None:
    """Write pings of two weeks, in the order of time: half around towns, half anywhere."""
    towns = np.random.default_rng(0)
    lons, lats = towns.uniform(WEST, EAST, N_TOWNS), towns.uniform(SOUTH, NORTH, N_TOWNS)
    for number in range(N_FILES):
        rng, n = np.random.default_rng(number + 1), rows // N_FILES
        town = rng.integers(0, N_TOWNS, n // 2)
        lon, lat = rng.uniform(WEST, EAST, n), rng.uniform(SOUTH, NORTH, n)
        lon[: n // 2] = lons[town] + rng.normal(0.0, 0.05, n // 2)
        lat[: n // 2] = lats[town] + rng.normal(0.0, 0.05, n // 2)
        seconds = np.sort(rng.integers(FIRST_S, FIRST_S + DAYS * 86_400, n))
        time = pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))
        pq.write_table(
            pa.table({"lon": lon, "lat": lat, "time": time}),
            folder / f"{number}.parquet",
            row_group_size=1 << 20,
        )


def processes() -> dict[int, list[int]]:
    """Return the children of every process."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    return children


def family() -> list[int]:
    """Return this process and all below it."""
    children, found = processes(), [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s() -> float:
    """Return the CPU seconds of this process and all below it, the finished ones included."""
    total = 0
    for pid in family():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def peaks_mb() -> tuple[float, float]:
    """Return the largest peak memory of a Java process and of a Python one, MB."""
    java, python = [0.0], [0.0]
    for pid in family():
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        known = dict(line.split(":", 1) for line in lines)
        peak = int(known.get("VmHWM", "0").split()[0]) / 1024
        (java if known["Name"].strip() == "java" else python).append(peak)
    return max(java), max(python)


def main() -> None:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 million rows in place of 50")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--rows", type=int, default=None)
    words = parser.parse_args()
    rows = words.rows or (4_000_000 if words.quick else 50_000_000)
    repeats = words.repeats or (1 if words.quick else 5)
    frame = {"county_id": ["01"], "name": ["a"], "geometry": [shapely.box(WEST, SOUTH, EAST, NORTH)]}
    counties = gpd.GeoDataFrame(frame, crs="EPSG:4326").set_index("county_id")
    grid = make_grid(counties, GridSettings(cell_m=500.0))
    with tempfile.TemporaryDirectory(prefix="siteplanner-") as place:
        write_pings(Path(place), rows)
        engine = SparkEngine(EngineSettings(kind="spark", master=f"local[{CORES}]"))
        frame = engine._spark().read.parquet(place)  # noqa: SLF001 - the floor runs in the same session
        sums = F.sum("lon"), F.sum("lat"), F.sum(F.unix_seconds("time"))
        local, uri = (FootfallSource(p, "pings", "wgs84", {}) for p in (place, f"file://{place}"))
        work = {
            "floor": lambda: frame.agg(*sums).collect(),
            "folder": lambda: engine.sum_points(local, grid),
            "uri": lambda: engine.sum_points(uri, grid),
        }
        seconds: dict[str, list[float]] = {name: [] for name in work}
        answers = {}
        # The first round starts workers and compiles; it does not count.
        for number in range(repeats + 1):
            for name, do in work.items():
                before = cpu_s()
                answers[name] = do()
                seconds[name].append(cpu_s() - before)
                print(f"{number} {name}: {seconds[name][-1]:.2f} CPU s", file=sys.stderr)
        java_mb, worker_mb = peaks_mb()
        here = EmbeddedEngine().sum_points(local, grid)
        engine.close()
    for name in ("folder", "uri"):
        pd.testing.assert_frame_equal(answers[name].cells, here.cells, check_exact=True)
    floor = statistics.median(seconds["floor"][1:])
    report = [
        {
            "id": f"spark_pings/{name}",
            "what": f"{rows:,} pings, {name}, to 500 m x hour band on local[{CORES}], CPU s",
            "seconds": round(spent, 2),
            "first_seconds": round(seconds[name][0], 2),
            "floor_seconds": round(floor, 2),
            "ratio": round(spent / floor, 2),
            "peak_mb": round(worker_mb),
            "java_peak_mb": round(java_mb),
            "value": round(rows / spent),
            "goal": GOAL,
            "met": spent / floor <= GOAL,
        }
        for name in ("folder", "uri")
        for spent in [statistics.median(seconds[name][1:])]
    ]
    text = json.dumps(report, indent=1)
    print(text)
    if words.json is not None:
        words.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
