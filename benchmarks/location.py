"""Measure the location solver: gaps, seconds and memory on made-up instances, beside its rivals.

``python benchmarks/location.py [--quick] [--json FILE] [--only WORD]``. Every row is one kind of instance
over five seeds fixed beforehand; the worst gap decides. Rivals run beside it where they can finish.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import highspy
import numpy as np
from location_instances import (
    RINGS,
    Instance,
    make_coverage,
    make_relocation,
    make_scenarios,
    make_square,
)

from siteplanner.location import RobustSolution, Solution, max_coverage, solve_robust, verify, verify_robust

SEEDS = (11, 12, 13, 14, 15)


@dataclass(frozen=True)
class Row:
    """A kind of instance, the gap and the seconds to reach, and whether it belongs to the quick run.

    With scenarios the least worst regret over so many is looked for, and its gap is a share of the mean best.
    """

    id: str
    make: Callable[[int], Instance]
    gap: float
    seconds: float
    quick: bool = False
    seeds: tuple[int, ...] = SEEDS
    rival: str = ""
    scenarios: int = 0


def rows() -> Iterator[Row]:
    """List what is measured."""
    plain = partial(make_coverage, mean_cover=20, n_open=40)
    moved = partial(make_relocation, n_cells=1_000_000, n_sites=5000, mean_cover=20, n_open=200, max_moves=40)
    yield Row(
        "cover-2k-100",
        partial(make_coverage, n_cells=2000, n_sites=100, mean_cover=10, n_open=8),
        0.0,
        2,
        True,
        rival="spopt",
    )
    yield Row("cover-10k-1k", partial(plain, n_cells=10_000, n_sites=1000), 0.003, 10, True)
    yield Row("cover-10k-1k-even", partial(plain, n_cells=10_000, n_sites=1000, shape="even"), 0.003, 10)
    yield Row(
        "cover-10k-1k-grid-float",
        partial(plain, n_cells=10_000, n_sites=1000, on_grid=True, whole=False),
        0.003,
        10,
    )
    yield Row(
        "cover-10k-1k-highs",
        partial(plain, n_cells=10_000, n_sites=1000),
        0.003,
        10,
        rival="highs",
        seeds=(11,),
    )
    yield Row("cover-100k-1k", partial(plain, n_cells=100_000, n_sites=1000), 0.005, 15)
    yield Row("cover-100k-1k-long", partial(plain, n_cells=100_000, n_sites=1000), 0.001, 180)
    big = partial(make_coverage, n_cells=1_000_000, n_sites=5000)
    yield Row("cover-1M-5k-d20", partial(big, mean_cover=20, n_open=200), 0.005, 60)
    yield Row("cover-1M-5k-d50", partial(big, mean_cover=50, n_open=100), 0.008, 150)
    rings = partial(plain, n_cells=1_000_000, n_sites=1000, rings=RINGS)
    yield Row("gradual-1M-1k", rings, 0.001, 15)
    for n_open in (10, 20):
        square = partial(make_square, n_cells=20_000_000, n_sites=100, radius=5.5, n_open=n_open)
        yield Row(f"cover-20M-100-k{n_open}", square, 0.0, 15, seeds=SEEDS[:3])
    yield Row("move-1M-5k-random", partial(moved, network="random"), 0.001, 60)
    yield Row("move-1M-5k-placed", partial(moved, network="placed"), 0.001, 60)
    small = partial(make_relocation, n_cells=20_000, n_sites=500, mean_cover=20, n_open=30, max_moves=8)
    yield Row("move-20k-500-placed", partial(small, network="placed"), 0.001, 10, True)
    robust = partial(plain, n_cells=20_000, n_sites=500, n_open=25)
    yield Row("regret-20k-500-s5", robust, 0.006, 60, scenarios=5, seeds=SEEDS[:3])
    robust = partial(plain, n_cells=100_000, n_sites=1000)
    yield Row("regret-100k-1k-s5", robust, 0.01, 120, scenarios=5, seeds=SEEDS[:3])


def measure(row: Row, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Solve an instance per seed and sum up: worst and median gap, seconds, memory."""
    runs = []
    for seed in seeds:
        instance = row.make(seed)
        clock, cpu = time.perf_counter(), time.process_time()
        scenarios = make_scenarios(instance, seed, row.scenarios) if row.scenarios else None
        solution = _solve(row, instance, scenarios)
        seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
        faults = _verify(instance, solution, scenarios)
        runs.append((solution, seconds, cpu, faults))
        line = f"gap {solution.gap:.4%} {seconds:.1f} s ({cpu:.1f} CPU) {solution.status} {faults}"
        print(f"  {instance.name}: {line}", flush=True)
    gaps = [solution.gap for solution, *_ in runs]
    worst = max(runs, key=lambda run: run[0].gap)[0]
    result = {
        "id": row.id,
        "what": f"{instance.name.rsplit(' seed', 1)[0]}, seeds {seeds[0]}..{seeds[-1]}",
        "seconds": statistics.median(run[1] for run in runs),
        "worst_seconds": max(run[1] for run in runs),
        "cpu_seconds": statistics.median(run[2] for run in runs),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "value": worst.objective,
        "bound": worst.bound,
        "gap": max(gaps),
        "median_gap": statistics.median(gaps),
        "goal": f"gap <= {row.gap:.2%} in {row.seconds:g} s",
        "met": max(gaps) <= max(row.gap, 1e-6) and not any(run[3] for run in runs),
    }
    if row.rival:
        rival_seconds, rival_value = {"spopt": solve_with_spopt, "highs": solve_with_highs}[row.rival](
            instance
        )
        result |= {"rival": row.rival, "rival_seconds": rival_seconds, "rival_value": rival_value}
        result["ratio"] = rival_seconds / runs[-1][1]
    return result


def _solve(row: Row, instance: Instance, scenarios: np.ndarray | None) -> Solution | RobustSolution:
    aim = {"gap": min(row.gap, 1e-4), "time_limit": row.seconds}
    if scenarios is not None:
        return solve_robust(
            "max_coverage", instance.cover, scenarios, instance.n_open, **aim, **instance.options
        )
    return max_coverage(instance.cover, instance.weight, instance.n_open, **aim, **instance.options)


def _verify(
    instance: Instance, solution: Solution | RobustSolution, scenarios: np.ndarray | None
) -> list[str]:
    if instance.cover.nnz > 10**8:  # the verifier's plain sums would not fit beside the instance
        return []
    if isinstance(solution, RobustSolution):
        return verify_robust(
            "max_coverage", solution, instance.cover, scenarios, instance.n_open, **instance.options
        )
    return verify(
        "max_coverage", solution, instance.cover, instance.n_open, weight=instance.weight, **instance.options
    )


def solve_with_spopt(instance: Instance) -> tuple[float, float]:
    """Solve with spopt and the solver that PuLP ships."""
    import pulp
    from spopt.locate import MCLP

    far = 1.0 - instance.cover.toarray()
    clock = time.perf_counter()
    model = MCLP.from_cost_matrix(far, instance.weight, 0.5, p_facilities=instance.n_open)
    model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=120))
    return time.perf_counter() - clock, float(pulp.value(model.problem.objective))


def solve_with_highs(instance: Instance) -> tuple[float, float]:
    """Solve the compact program with HiGHS directly, for two minutes at most."""
    n_rows, n_sites = instance.cover.shape
    clock = time.perf_counter()
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("time_limit", 120.0)
    x = [highs.addBinary() for _ in range(n_sites)]
    y = [highs.addVariable(0.0, 1.0, obj=-float(w)) for w in instance.weight]
    highs.addConstr(sum(x) == instance.n_open)
    ptr, sites = instance.cover.indptr, instance.cover.indices
    for row in range(n_rows):
        here = sites[ptr[row] : ptr[row + 1]]
        index = np.append(here + x[0].index, y[row].index).astype(np.int32)
        value = np.append(np.ones(here.size), -1.0)
        highs.addRow(0.0, highspy.kHighsInf, index.size, index, value)
    highs.run()
    return time.perf_counter() - clock, -float(highs.getInfo().objective_function_value)


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within a minute")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--only", default="", help="rows whose id holds this word")
    given = parser.parse_args()
    warm = make_relocation(1, 3000, 200, 10, 12, max_moves=4, network="placed")
    max_coverage(warm.cover, warm.weight, 12, time_limit=60, **warm.options)
    results = []
    for row in rows():
        if given.only in row.id and (row.quick or not given.quick):
            results.append(measure(row, row.seeds[:2] if given.quick else row.seeds))
            print(json.dumps(results[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
