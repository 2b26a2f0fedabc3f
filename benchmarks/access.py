"""Time access, the market and travel times beside the time that reading takes and beside other tools.

``python benchmarks/access.py [--quick] [--json FILE] [--only WORD]``. As in `gridding`: each task in a fresh
process of its own, processes of a case in turn, medians. Rivals do the same work on the same pairs or
streets; one that is not installed is named as absent. ``--quick`` does all of it on small inputs in one
process, so that memory is not told and only values are held against the goals.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring import Case, Task, make_row, run_case, run_sections

ERROR_MAX = 1e-9
# Minutes are kept as float32.
MINUTES_ERROR_MAX = 1e-6
PYSAL_TIMES, NETWORKX_TIMES = 20.0, 5.0
MOVE_S = 0.05
PEAK_MB = 2_500.0
PYSAL, NETWORKX, ANEW = "PySAL access", "networkx", "whole network anew"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work there is: cells along a side, and places."""

    region: tuple[int, int]
    net: tuple[int, int]
    moves: int
    rounds: int


FULL = Sizes(region=(775, 6_000), net=(450, 20), moves=100, rounds=5)
QUICK = Sizes(region=(120, 150), net=(60, 5), moves=20, rounds=2)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where answers are kept, how large inputs are, how long a process may take (None: all in this one)."""

    folder: Path
    sizes: Sizes
    timeout: float | None

    def run(self, tasks: dict[str, Task]) -> Case:
        """Measure tasks in turn."""
        return run_case(Case(tasks), self.sizes.rounds, self.timeout)

    def out(self, name: str) -> str:
        """Return the file of an answer."""
        return str(self.folder / f"{name}.npy")

    def apart(self, one: str, other: str) -> float:
        """Return the furthest that two answers are apart, as a share of the largest."""
        ours, theirs = (np.load(self.out(name)) for name in (one, other))
        return float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))


def pairs_rows(bench: Bench) -> Iterator[dict]:
    """All pairs within 30 minutes."""
    given = _given(bench.sizes.region)
    tasks = {"floor": Task("access_tasks.read_pairs", given), "ours": Task("access_tasks.find_pairs", given)}
    about = {"id": "pairs", "what": f"{_said(bench.sizes.region)}; floor: numpy adds up the minutes of all"}
    yield _row(bench, about, bench.run(tasks), "ours")


def catchment_rows(bench: Bench) -> Iterator[dict]:
    """E2SFCA, beside PySAL access."""
    yield from _beside_pysal(bench, "e2sfca", "catchments", "E2SFCA of our and of rivals' counter-hours")


def huff_rows(bench: Bench) -> Iterator[dict]:
    """Huff, beside PySAL access."""
    yield from _beside_pysal(bench, "huff", "huff", "Huff shares and volumes, exponential decay")


def _beside_pysal(bench: Bench, name: str, task: str, what: str) -> Iterator[dict]:
    given = _given(bench.sizes.region)
    tasks = {
        "floor": Task("access_tasks.read_pairs", given),
        "ours": Task(f"access_tasks.{task}", {**given, "out": bench.out(f"{name}-ours")}, inner=3),
        PYSAL: Task(f"access_tasks.pysal_{task}", {**given, "out": bench.out(f"{name}-pysal")}, rounds=1),
    }
    said = (
        f"{what}, {_said(bench.sizes.region)}; floor: numpy adds up the minutes of all pairs; rival 1 round"
    )
    goals = {"truth": 0.0, "error_goal": ERROR_MAX, "peak_goal_mb": PEAK_MB}
    row = _row(bench, {"id": name, "what": said, **goals}, bench.run(tasks), "ours", PYSAL)
    yield _against(bench, row, (f"{name}-ours", f"{name}-pysal"), (PYSAL_TIMES, ERROR_MAX))


def travel_rows(bench: Bench) -> Iterator[dict]:
    """One-to-many travel times, beside networkx on the same graph."""
    side, places = bench.sizes.net
    given = _given(bench.sizes.net)
    tasks = {
        "floor": Task("access_tasks.read_net", given),
        "ours": Task("access_tasks.trips", {**given, "out": bench.out("trips-ours")}),
        NETWORKX: Task(
            "access_tasks.networkx_trips", {**given, "out": bench.out("trips-networkx")}, rounds=3
        ),
    }
    what = (
        f"minutes from {places} places to all nodes within 30 of a net of {side * side:,}; floor: numpy adds"
    )
    case = bench.run(tasks)
    row = _row(bench, {"id": "travel", "what": f"{what} up all streets once a place"}, case, "ours", NETWORKX)
    yield _against(bench, row, ("trips-ours", "trips-networkx"), (NETWORKX_TIMES, MINUTES_ERROR_MAX))


def move_rows(bench: Bench) -> Iterator[dict]:
    """One move in the cells it touches, beside the whole network anew."""
    given, moves = _given(bench.sizes.region), bench.sizes.moves
    many = {**given, "moves": moves}
    tasks = {
        "floor": Task("access_tasks.read_rows", many),
        "random": Task("access_tasks.one_move", many),
        "crowded": Task("access_tasks.one_move", {**many, "crowded": True}),
        ANEW: Task("access_tasks.whole_network", given),
    }
    case = bench.run(tasks)
    for name in ("random", "crowded"):
        what = (
            f"one move ({name}), {_said(bench.sizes.region)}; floor: numpy reads the stretch of rows touched"
        )
        row = _row(bench, {"id": f"move/{name}", "what": what, "truth": 0.0}, case, name, ANEW)
        for key in ("seconds", "cpu_seconds", "floor_seconds", "floor_cpu_seconds"):
            row[key] = row[key] / moves
        row["goal"] = f"at most {MOVE_S} s, equal to {ERROR_MAX:.0e}"
        quick_enough = bench.timeout is None or row["seconds"] <= MOVE_S
        yield row | {"met": bool(quick_enough and row["value"] <= ERROR_MAX)}


def _row(bench: Bench, about: dict[str, object], case: Case, ours: str, rival: str = "") -> dict:
    """Put a row together; small inputs are not held against goals of memory."""
    held = {key: value for key, value in about.items() if bench.timeout is not None or key != "peak_goal_mb"}
    return make_row(held, case, ours, rival)


def _against(bench: Bench, row: dict, answers: tuple[str, str], goals: tuple[float, float]) -> dict:
    """Judge a row by the rival's time and answer."""
    times, error = goals
    row = {"met": None, **row}
    if "rival_seconds" not in row or "seconds" not in row:
        return row
    apart = bench.apart(*answers)
    faster = row["rival_seconds"] / row["seconds"]
    met = row["met"] is not False and apart <= error and (bench.timeout is None or faster >= times)
    goal = f"{times:.0f} times as fast, same values to {error:.0e}"
    return {**row, "times_as_fast": faster, "apart": apart, "goal": goal, "met": bool(met)}


def _given(size: tuple[int, int]) -> dict[str, object]:
    return {"side": size[0], "places": size[1]}


def _said(size: tuple[int, int]) -> str:
    return f"{size[0] ** 2:,} cells, {size[1]:,} outlets within 30 minutes"


SECTIONS: dict[str, Callable[[Bench], Iterator[dict]]] = {
    "pairs": pairs_rows,
    "catchments": catchment_rows,
    "huff": huff_rows,
    "travel": travel_rows,
    "moves": move_rows,
}


def _start(folder: Path, quick: bool, timeout: float) -> Bench:  # noqa: FBT001 - one switch of the command line
    return Bench(folder, QUICK, None) if quick else Bench(folder, FULL, timeout)


if __name__ == "__main__":
    run_sections(__doc__, SECTIONS, _start)
