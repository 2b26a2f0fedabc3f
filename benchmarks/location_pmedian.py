"""Measure p-median, p-center and facility location: on made-up networks and planes, and on OR-Library.

``python benchmarks/location_pmedian.py [--quick] [--json FILE] [--only WORD] [--data FOLDER]``. The folder
holds ``pmed`` and ``cap`` of OR-Library with their published optima; rows that need it are left out without
it. Seconds are CPU seconds, compile time apart; every answer goes through the verifier.
"""

import argparse
import csv
import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist

from siteplanner.location import Solution, p_center, p_median, verify

Matrix = np.ndarray


@dataclass(frozen=True)
class Case:
    """One solve: how the costs come about, what is asked, and what is to be reached."""

    id: str
    make: Callable[[], Matrix]
    n_open: int | None
    gap: float
    seconds: float
    quick: bool = False
    kind: str = "p_median"
    optimum: float | None = None
    given: dict[str, Any] = field(default_factory=dict)
    weight: np.ndarray | None = None
    rival: bool = False


def make_network(n_nodes: int, seed: int = 1) -> Matrix:
    """Shortest paths of a random network by OR-Library's recipe: n^2 / 50 edges of length 1 to 100."""
    rng = np.random.default_rng([seed, n_nodes])
    extra = rng.integers(0, n_nodes, (n_nodes * n_nodes // 50 - n_nodes + 1, 2))
    ends = np.vstack([np.column_stack([np.arange(n_nodes - 1), np.arange(1, n_nodes)]), extra])
    length = {}
    for (left, right), long in zip(ends.tolist(), rng.integers(1, 101, len(ends)).tolist(), strict=True):
        if left != right:
            length[min(left, right), max(left, right)] = float(long)
    pairs = np.array(list(length))
    edges = sp.csr_array((list(length.values()), (pairs[:, 0], pairs[:, 1])), shape=(n_nodes, n_nodes))
    return np.asarray(shortest_path(edges, directed=False))


def make_plane(shape: str, n_points: int, *, whole: bool, seed: int = 1) -> Matrix:
    """Straight distances between points that are even, clustered, or drilled in blocks."""
    rng = np.random.default_rng([seed, n_points])
    points = {"even": _even, "clustered": _clustered, "drilled": _drilled}[shape](rng, n_points)
    cost = cdist(points, points)
    return np.rint(cost) if whole else cost


def _even(rng: np.random.Generator, n_points: int) -> np.ndarray:
    return np.floor(rng.random((n_points, 2)) * 10_000)


def _clustered(rng: np.random.Generator, n_points: int) -> np.ndarray:
    n_towns = max(5, n_points // 150)
    size = rng.pareto(1.2, n_towns) + 0.2
    town = rng.choice(n_towns, n_points, p=size / size.sum())
    spread = 60 + 600 * np.sqrt(size / size.sum())
    noise = rng.normal(size=(n_points, 2)) * spread[town][:, None]
    return rng.random((n_towns, 2))[town] * 10_000 + noise


def _drilled(rng: np.random.Generator, n_points: int) -> np.ndarray:
    blocks = np.empty((0, 2))
    while len(blocks) < n_points:
        wide, high = rng.integers(1, 25), rng.integers(1, 8)
        step = rng.choice([10, 25, 50]), rng.choice([10, 25, 100])
        corner = np.floor(rng.random(2) * 180) * 50
        grid = np.stack(np.meshgrid(np.arange(wide) * step[0], np.arange(high) * step[1]), -1)
        blocks = np.unique(np.vstack([blocks, grid.reshape(-1, 2) + corner]), axis=0)
    return rng.permutation(blocks)[:n_points]


def cases(data: Path | None) -> Iterator[Case]:
    """List what is measured."""
    for n_nodes in range(100, 1000, 100):
        for n_open in (5, 10, n_nodes // 10, n_nodes // 5, n_nodes // 3):
            quick = n_nodes <= 300  # noqa: PLR2004 - a size
            make = partial(make_network, n_nodes)
            yield Case(f"network-{n_nodes}-{n_open}", make, n_open, 0.0, 10, quick, rival=n_nodes == 100)  # noqa: PLR2004
    for shape, n_points, whole in (
        ("even", 1300, True),
        ("clustered", 1300, False),
        ("drilled", 1400, True),
        ("even", 3000, False),
        ("clustered", 3000, True),
        ("drilled", 3800, False),
        ("even", 6000, True),
        ("clustered", 6000, False),
    ):
        for n_open in (10, 50, 100, 200, 500):
            make = partial(make_plane, shape, n_points, whole=whole)
            yield Case(f"{shape}-{n_points}-{n_open}", make, n_open, 1e-3, 60, n_points == 1300)  # noqa: PLR2004
    for n_nodes, n_open in ((500, 50), (900, 90)):
        yield Case(f"center-{n_nodes}", partial(make_network, n_nodes), n_open, 0.0, 10, kind="p_center")
    if data is not None:
        yield from _published(data)


def _published(data: Path) -> Iterator[Case]:
    with (data / "pmed" / "pmed_optima.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = data / "pmed" / f"{row['instance']}.txt"
        if path.exists():
            for kind in ("p_median", "p_center"):
                best, name = float(row[f"{kind}_optimum"]), f"{row['instance']}-{kind}"
                yield Case(name, partial(_read_pmed, path), int(row["p"]), 0.0, 3, True, kind, best)
    with (data / "cap" / "cap_optima.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["instance_file_here"] == "True"]
    for row in rows:
        numbers = np.array((data / "cap" / f"{row['instance']}.txt").read_text().split(), dtype=float)
        n_sites, n_rows = int(numbers[0]), int(numbers[1])
        sites = numbers[2 : 2 + 2 * n_sites].reshape(-1, 2)
        body = numbers[2 + 2 * n_sites :].reshape(n_rows, n_sites + 1)
        given: dict[str, Any] = {"fixed_cost": sites[:, 1]}
        if row["problem"].startswith("capacitated"):
            given["capacity"] = sites[:, 0]
        unit = partial(np.divide, body[:, 1:], body[:, :1])
        name = f"{row['instance']}-{row['problem'].split()[0]}"
        best = float(row["optimum"])
        yield Case(name, unit, None, 0.0, 3, True, "p_median", best, given, body[:, 0])


def _read_pmed(path: Path) -> Matrix:
    """Edge list to shortest paths; a repeated edge replaces the earlier one (OR-Library's note)."""
    numbers = np.array(path.read_text().split(), dtype=int)
    length = np.full((numbers[0], numbers[0]), np.inf)
    for left, right, long in numbers[3 : 3 + 3 * numbers[1]].reshape(-1, 3):
        length[left - 1, right - 1] = length[right - 1, left - 1] = long
    return np.asarray(shortest_path(np.where(np.isinf(length), 0.0, length), directed=False))


def measure(case: Case) -> dict[str, Any]:
    """Solve, verify and report one case in the fields of all benchmarks."""
    cost = case.make()
    weight = np.ones(len(cost)) if case.weight is None else case.weight
    start = time.process_time()
    solution = _solve(case, cost, weight)
    seconds = time.process_time() - start
    given = case.given if case.kind == "p_center" else {"weight": weight, **case.given}
    wrong = verify(case.kind, solution, cost, case.n_open, **given)
    met = solution.gap <= max(case.gap, 1e-6) and seconds <= case.seconds and not wrong
    if case.optimum is not None:
        met = met and abs(solution.objective - case.optimum) <= 1e-6 * case.optimum
    row = {
        "id": case.id,
        "what": f"{case.kind}, {cost.shape[0]} rows x {cost.shape[1]} sites, {case.n_open} open",
        "seconds": round(seconds, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "value": solution.objective,
        "bound": solution.bound,
        "gap": solution.gap,
        "goal": f"gap <= {case.gap:g} in <= {case.seconds:g} s",
        "met": bool(met),
    }
    return row | (_measure_spopt(cost, weight, case.n_open, solution) if case.rival else {})


def _solve(case: Case, cost: Matrix, weight: np.ndarray) -> Solution:
    if case.kind == "p_center":
        return p_center(cost, case.n_open, gap=case.gap, time_limit=2 * case.seconds)
    limit = 2 * case.seconds
    return p_median(cost, weight, case.n_open, gap=case.gap, time_limit=limit, **case.given)


def _measure_spopt(cost: Matrix, weight: np.ndarray, n_open: int | None, ours: Solution) -> dict[str, Any]:
    """Solve the same with spopt, where it is installed, and compare the optimum."""
    try:
        import pulp
        from spopt.locate import PMedian
    except ImportError:
        return {}
    start = time.process_time() + _children()
    model = PMedian.from_cost_matrix(cost, weight, p_facilities=n_open)
    model = model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=60))
    seconds = time.process_time() + _children() - start
    value = float(pulp.value(model.problem.objective))
    same = abs(value - ours.objective) <= 1e-6 * max(abs(value), 1.0)
    return {"rival": f"spopt, {'equal' if same else value}", "rival_seconds": round(seconds, 3)}


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run what is asked, print one line each, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    warm = make_network(100, seed=2)
    p_median(warm, np.ones(100), 7, gap=0.0)
    p_center(warm, 7)
    rows = []
    for case in cases(options.data):
        if (options.quick and not case.quick) or not all(word in case.id for word in options.only):
            continue
        rows.append(measure(case))
        print(*(f"{rows[-1][key]}" for key in ("id", "seconds", "value", "gap", "met")), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
