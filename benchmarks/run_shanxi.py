"""Time the main job on the sample, step by step: first run with all compiling, then warm, at 500 m and 1 km.

``python benchmarks/run_shanxi.py [--quick] [--json FILE]``; ``--quick`` runs 1 km only. Each run is a fresh
process into a scratch folder. The floor of a run is decoding every input file once, in the same conditions.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "data" / "shanxi" / "scenario.toml"
GOALS = {("500 m", "first"): 180.0, ("500 m", "warm"): 120.0, ("1 km", "warm"): 45.0}
PEAK_GOAL_MB = 3_000.0

# Reads every raster block, Parquet row and text line of the sample once and keeps nothing.
FLOOR = """
import sys, pathlib, rasterio, pyarrow.parquet as pq
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if path.suffix == ".tif":
        with rasterio.open(path) as raster:
            for _, window in raster.block_windows(1):
                raster.read(1, window=window)
    elif path.suffix == ".parquet":
        pq.read_table(path)
    elif path.is_file():
        path.read_bytes()
"""


def timed(command: list[str], cache: Path) -> tuple[float, float]:
    """Return wall seconds and peak memory (MB) of a child process; CalledProcessError when it fails."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return seconds, usage.ru_maxrss / 1024


def row(
    cell: str, kind: str, runs: list[tuple[float, float]], floor: float, measured: dict[str, float]
) -> dict:
    """Put one benchmark row together; medians over the runs."""
    seconds = statistics.median(run[0] for run in runs)
    peak = max(run[1] for run in runs)
    goal = GOALS.get((cell, kind))
    met = None if goal is None else seconds <= goal and peak <= PEAK_GOAL_MB
    return {
        "id": f"run_shanxi/{cell}/{kind}",
        "what": f"siteplanner run data/shanxi/scenario.toml at {cell}, {kind} ({len(runs)} runs)",
        "seconds": round(seconds, 2),
        "floor_seconds": round(floor, 2),
        "ratio": round(seconds / floor, 1),
        "peak_mb": round(peak),
        "goal": goal,
        "met": met,
        "steps": {step: round(value, 2) for step, value in measured.items()},
    }


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 km only")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    cells = {"1 km": 1000} if options.quick else {"1 km": 1000, "500 m": 500}
    repeats = 1 if options.quick else options.repeats
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for cell, metres in cells.items():
            out, cache = folder / "out", folder / f"cache{metres}"
            command = [sys.executable, "-m", "siteplanner", "run", str(SCENARIO), "--out", str(out)]
            command += ["--set", f"grid.cell_m={metres}"]
            floors = []
            for kind, times in (("first", 1), ("warm", repeats)):
                runs = []
                for _ in range(times):
                    floors.append(timed([sys.executable, "-c", FLOOR, str(SCENARIO.parent)], cache)[0])
                    runs.append(timed(command, cache))
                measured = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["measured"][
                    "seconds"
                ]
                rows.append(row(cell, kind, runs, statistics.median(floors), measured))
    for line in rows:
        steps = ", ".join(f"{step} {seconds}" for step, seconds in line["steps"].items())
        print(f"{line['id']}: {line['seconds']} s (goal {line['goal']}), {line['peak_mb']} MB; {steps}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.exit(0 if all(line["met"] is not False for line in rows) else 1)


if __name__ == "__main__":
    main()
