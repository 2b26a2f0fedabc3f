"""Measure the location solver: gaps, seconds and memory on made-up instances, beside its rivals.

``python benchmarks/location.py [--quick] [--json FILE] [--only WORD]``. Every row is one kind of instance
over seeds fixed beforehand; the worst gap decides. Each instance has a process of its own; peak memory is
that process's from the moment its arrays are ready. Rivals (extra ``siteplanner[bench]``) run beside it
where they can finish. ``location_pmedian.py`` does the same for p-median, p-center and fixed costs.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from location_instances import RINGS
from location_questions import Aim, Question, answer, capture, coverage, relocation, square, warm_up
from location_rivals import RIVALS

SEEDS = (11, 12, 13, 14, 15)
FRONTIER_GOAL = 5.0
"""A frontier may take so many times the seconds of its last point alone."""


@dataclass(frozen=True)
class Row:
    """A kind of instance, what to reach on it, and whether it belongs to the quick run."""

    id: str
    make: Callable[[int], Question]
    aim: Aim
    quick: bool = False
    seeds: tuple[int, ...] = SEEDS
    rival: str = ""
    peak_goal_mb: float | None = None


def rows() -> Iterator[Row]:
    """List what is measured."""
    yield from _coverage_rows()
    yield from _relocation_rows()
    yield from _capture_rows()
    moved = partial(relocation, mean_cover=20, network="random")
    frontier = partial(moved, n_cells=100_000, n_sites=1000, n_open=40, max_moves=20)
    aim = Aim(0.005, 30, moves=tuple(range(0, 21, 2)))
    yield Row("frontier-100k-1k", frontier, aim, seeds=SEEDS[:3])
    plain = partial(coverage, mean_cover=20)
    small = partial(plain, n_cells=20_000, n_sites=500, n_open=25)
    yield Row("regret-20k-500-s5", small, Aim(0.006, 60, scenarios=5), seeds=SEEDS[:3])
    large = partial(plain, n_cells=100_000, n_sites=1000, n_open=40)
    yield Row("regret-100k-1k-s5", large, Aim(0.01, 120, scenarios=5), seeds=SEEDS[:3])


def _coverage_rows() -> Iterator[Row]:
    small = partial(coverage, n_sites=100, mean_cover=10, n_open=8)
    yield Row("cover-2k-100", partial(small, n_cells=2000), Aim(0.0, 2), quick=True, rival="spopt")
    parity = partial(small, n_cells=100_000)
    yield Row("cover-100k-100", parity, Aim(0.0, 10), seeds=SEEDS[:1], rival="spopt")
    plain = partial(coverage, mean_cover=20, n_open=40)
    ten, hundred = (partial(plain, n_cells=n, n_sites=1000) for n in (10_000, 100_000))
    yield Row("cover-10k-1k", ten, Aim(0.003, 10), quick=True)
    yield Row("cover-10k-1k-even", partial(ten, shape="even"), Aim(0.003, 10))
    yield Row("cover-10k-1k-grid-float", partial(ten, on_grid=True, whole=False), Aim(0.003, 10))
    yield Row("cover-10k-1k-highs", ten, Aim(0.003, 10), seeds=SEEDS[:1], rival="highs")
    yield Row("cover-100k-1k", hundred, Aim(0.005, 15), peak_goal_mb=300.0)
    yield Row("cover-100k-1k-long", hundred, Aim(0.001, 180), peak_goal_mb=300.0)
    big = partial(coverage, n_cells=1_000_000, n_sites=5000)
    yield Row(
        "cover-1M-5k-d20", partial(big, mean_cover=20, n_open=200), Aim(0.005, 60), peak_goal_mb=1_000.0
    )
    yield Row("cover-1M-5k-d50", partial(big, mean_cover=50, n_open=100), Aim(0.008, 150))
    yield Row("gradual-1M-1k", partial(plain, n_cells=1_000_000, n_sites=1000, rings=RINGS), Aim(0.001, 15))
    for n_open in (10, 20):
        points = partial(square, n_cells=20_000_000, n_sites=100, radius=5.5, n_open=n_open)
        yield Row(f"cover-20M-100-k{n_open}", points, Aim(0.0, 15), seeds=SEEDS[:3])


def _relocation_rows() -> Iterator[Row]:
    moved = partial(relocation, mean_cover=20)
    big = partial(moved, n_cells=1_000_000, n_sites=5000, n_open=200, max_moves=40)
    small = partial(moved, n_cells=20_000, n_sites=500, n_open=30, max_moves=8)
    for network in ("random", "placed"):
        yield Row(f"move-1M-5k-{network}", partial(big, network=network), Aim(0.001, 60))
        yield Row(f"move-20k-500-{network}", partial(small, network=network), Aim(0.001, 10), quick=True)


def _capture_rows() -> Iterator[Row]:
    for name, n_rows, gap, seconds in (("100k", 100_000, 0.007, 30.0), ("1M", 1_000_000, 0.01, 90.0)):
        for moves in (0, 10):
            recipe = partial(capture, rows=n_rows, moves=moves)
            yield Row(f"capture-{name}-1k{'-moves' if moves else ''}", recipe, Aim(gap, seconds))


def measure(row: Row, seeds: tuple[int, ...], *, apart: bool) -> dict[str, Any]:
    """Solve an instance per seed and sum up: worst and median gap, seconds, memory."""
    runs = []
    for seed in seeds:
        runs.append(_ask_apart(row.id, seed) if apart else answer(row.make(seed), seed, row.aim))
        told = "{gap:.4%}, {seconds:.1f} s ({cpu_seconds:.1f} CPU s), {peak_mb:.0f} MB, {status} {faults}"
        print(f"  {row.id} seed {seed}: {told.format(**runs[-1])}", file=sys.stderr, flush=True)
    gaps = [run["gap"] for run in runs]
    worst = runs[gaps.index(max(gaps))]
    goal = f"gap <= {row.aim.gap:.2%} in {row.aim.seconds:g} s"
    result = {
        "id": row.id,
        "seeds": list(seeds),
        "seconds": statistics.median(run["seconds"] for run in runs),
        "worst_seconds": max(run["seconds"] for run in runs),
        "cpu_seconds": statistics.median(run["cpu_seconds"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "value": worst["objective"],
        "bound": worst["bound"],
        "gap": max(gaps),
        "median_gap": statistics.median(gaps),
        "goal": goal,
        "met": max(gaps) <= max(row.aim.gap, 1e-6) and not any(run["faults"] for run in runs),
    }
    if row.peak_goal_mb is not None and apart:
        result["goal"] = f"{goal}, {row.peak_goal_mb:.0f} MB"
        result["met"] = result["met"] and result["peak_mb"] <= row.peak_goal_mb
    if row.aim.moves:
        result["times_one_solve"] = statistics.median(run["frontier_s"] / run["one_s"] for run in runs)
        result["met"] = result["met"] and result["times_one_solve"] <= FRONTIER_GOAL
    return result | (_ask_rival(row, seeds[-1], runs[-1]) if row.rival else {})


def _ask_rival(row: Row, seed: int, ours: dict[str, Any]) -> dict[str, Any]:
    try:
        theirs = RIVALS[row.rival](row.make(seed))
    except ModuleNotFoundError as error:
        return {"rival": f"{row.rival} (absent: {error.name})"}
    short = 1.0 - theirs["value"] / ours["objective"]
    ratio = theirs["seconds"] / ours["cpu_seconds"]
    return {
        "rival": row.rival,
        "rival_seconds": theirs["seconds"],
        "rival_short": short,
        "rival_ratio": ratio,
    }


def _ask_apart(row_id: str, seed: int) -> dict[str, Any]:
    """Solve one instance in a fresh process."""
    command = [sys.executable, __file__, "--one", row_id, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _answer_one(row_id: str, seed: int) -> dict[str, Any]:
    row = next(row for row in rows() if row.id == row_id)
    warm_up()
    return answer(row.make(seed), seed, row.aim)


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes in one process, within a minute")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--only", action="append", help="rows whose id begins so")
    parser.add_argument("--seeds", type=int, help="only the first so many seeds")
    parser.add_argument("--one", nargs=2, metavar=("ROW", "SEED"), help="solve one instance, print JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(_answer_one(given.one[0], int(given.one[1]))))
        return
    if given.quick:
        warm_up()
    results = []
    for row in rows():
        asked = given.only is None or any(row.id.startswith(word) for word in given.only)
        if asked and (row.quick or not given.quick):
            seeds = row.seeds[:2] if given.quick else row.seeds[: given.seeds]
            results.append(measure(row, seeds, apart=not given.quick))
            print(json.dumps(results[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(row["met"] for row in results) else 1)


if __name__ == "__main__":
    main()
