"""Questions that the location benchmark asks: arrays, how they are solved, and how answers are checked.

An answer is a plain dict of numbers, so that every instance can be solved in a process of its own.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import capture_instances
import location_instances
import numpy as np
import scipy.sparse as sp
from measuring import forget_peak, own_mb

from siteplanner.location import (
    frontier_of_moves,
    max_capture,
    max_coverage,
    solve_robust,
    verify,
    verify_robust,
)

MOST_VERIFIED = 10**8
"""Pairs up to which the verifier's plain sums fit beside the instance."""


@dataclass(frozen=True, eq=False)
class Question:
    """One instance: what is maximised, over which arrays, under which keywords of the solver."""

    kind: str
    matrix: sp.csr_array
    weight: np.ndarray
    n_open: int
    options: dict[str, Any]
    cells: np.ndarray | None = None


@dataclass(frozen=True)
class Aim:
    """Gap to reach, seconds at most, and how it is asked.

    Attributes
    ----------
    scenarios
        With some, the least worst regret over so many; its gap is a share of the mean best.
    moves
        With some, the frontier over these numbers of moves; its gap is the widest, beside one solve.
    """

    gap: float
    seconds: float
    scenarios: int = 0
    moves: tuple[int, ...] = ()


def coverage(seed: int, **recipe: Any) -> Question:  # noqa: ANN401 - the recipe's own arguments
    """Cover cells from scratch."""
    return _of_cover(location_instances.make_coverage(seed, **recipe))


def relocation(seed: int, **recipe: Any) -> Question:  # noqa: ANN401
    """Cover cells by moving branches of a legacy network under all rules."""
    return _of_cover(location_instances.make_relocation(seed, **recipe))


def square(seed: int, **recipe: Any) -> Question:  # noqa: ANN401
    """Cover points of a square, as Cordeau, Furini & Ljubić 2019 draw them."""
    return _of_cover(location_instances.make_square(seed, **recipe))


def capture(seed: int, **recipe: Any) -> Question:  # noqa: ANN401
    """Win customers from rivals, from scratch or by moves."""
    drawn = capture_instances.draw(capture_instances.Recipe(**recipe), seed)
    options = {**drawn.options, "outside": drawn.outside}
    return Question("max_capture", drawn.utility, drawn.weight, drawn.n_open, options)


def _of_cover(drawn: location_instances.Instance) -> Question:
    return Question("max_coverage", drawn.cover, drawn.weight, drawn.n_open, drawn.options, drawn.cells)


def warm_up() -> None:
    """Compile, or load what was compiled: not part of any time."""
    aim = Aim(1e-4, 30.0)
    small = {"n_cells": 3000, "n_sites": 200, "mean_cover": 10, "n_open": 12, "max_moves": 4}
    answer(relocation(1, **small, network="placed"), 1, aim)
    answer(capture(1, rows=2000, sites=100, n_open=8, degree=10.0), 1, aim)


def answer(question: Question, seed: int, aim: Aim) -> dict[str, Any]:
    """Solve, measure and verify."""
    forget_peak()
    clock, cpu = time.perf_counter(), time.process_time()
    solve = _solve_regret if aim.scenarios else _solve_frontier if aim.moves else _solve_once
    told = solve(question, seed, aim)
    faults = told.pop("verify")
    told |= {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - cpu}
    told["peak_mb"] = own_mb("VmHWM")
    return told | {"faults": faults() if question.matrix.nnz <= MOST_VERIFIED else []}


def _solve_once(question: Question, _: int, aim: Aim) -> dict[str, Any]:
    solver = max_capture if question.kind == "max_capture" else max_coverage
    limits = {"gap": min(aim.gap, 1e-4), "time_limit": aim.seconds}
    found = solver(question.matrix, question.weight, n_open=question.n_open, **limits, **question.options)
    told = {key: getattr(found, key) for key in ("objective", "bound", "gap", "status")}
    return told | {"verify": lambda: _check(question, found)}


def _check(question: Question, found: Any) -> list[str]:  # noqa: ANN401 - a solution
    options = {"weight": question.weight, **question.options}
    return verify(question.kind, found, question.matrix, question.n_open, **options)


def _solve_frontier(question: Question, seed: int, aim: Aim) -> dict[str, Any]:
    """Trace the frontier; its time is told as a multiple of the one solve for the most moves."""
    options = {key: value for key, value in question.options.items() if key != "max_moves"}
    common = {"gap": aim.gap, "time_limit": aim.seconds}
    start = time.perf_counter()
    found = frontier_of_moves(
        question.kind, question.matrix, question.weight, question.n_open, aim.moves, **common, **options
    )
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    last = replace(question, options={**options, "max_moves": max(aim.moves)})
    one = _solve_once(last, seed, aim)
    worst = max(found, key=lambda point: point.gap)
    told = {key: getattr(worst, key) for key in ("objective", "bound", "gap", "status")}
    told |= {"frontier_s": seconds, "one_s": time.perf_counter() - start, "one_gap": one["gap"]}
    points = list(zip(aim.moves, found, strict=True))
    return told | {
        "verify": lambda: [
            fault
            for moves, point in points
            for fault in _check(replace(question, options={**options, "max_moves": moves}), point)
        ]
    }


def _solve_regret(question: Question, seed: int, aim: Aim) -> dict[str, Any]:
    weights = location_instances.make_scenarios(question.cells, question.weight, seed, aim.scenarios)
    asked = (question.kind, question.matrix, weights, question.n_open)
    found = solve_robust(*asked, gap=min(aim.gap, 1e-4), time_limit=aim.seconds, **question.options)
    told = {key: getattr(found, key) for key in ("objective", "bound", "gap", "status")}
    faulty = (question.kind, found, *asked[1:])
    return told | {"verify": lambda: verify_robust(*faulty, **question.options)}
