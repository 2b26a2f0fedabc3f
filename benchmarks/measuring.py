"""Measure tasks in fresh processes, side by side, and put rows of a benchmark together.

A task is a function of a benchmark module that gets everything ready (imports, compiled kernels, tables) and
returns the job to be timed. Peak memory is that of the whole process: interpreter, libraries, preparation and
work.
"""

import argparse
import importlib
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

MEGABYTE_KB = 1024
WHY_CHARS = 120
# Seconds that a fresh process may take beside work in this one.
ALONE_S = 60.0
# Numbers from here on are shown without decimals.
WHOLE_FROM = 100


def no_other_process() -> tuple[float, float]:
    """Return CPU seconds so far and peak MB of other processes that work for this one: none."""
    return 0.0, 0.0


def descendants() -> tuple[float, float]:
    """Return CPU seconds so far and summed peak MB of the processes begun by this one (Linux; else 0)."""
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, tuple[int, float, float]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            # After the name, which may hold blanks: state, parent, and from the 12th on the times.
            told = (entry / "stat").read_text().rpartition(")")[2].split()
            seconds = sum(int(told[place]) for place in (11, 12, 13, 14)) / tick
            parents[int(entry.name)] = int(told[1]), seconds, _status_mb(entry, "VmHWM")
    cpu, peak_mb, found = 0.0, 0.0, [os.getpid()]
    for parent in found:
        for process, (its_parent, seconds, peak) in parents.items():
            if its_parent == parent:
                found.append(process)
                cpu, peak_mb = cpu + seconds, peak_mb + peak
    return cpu, peak_mb


@dataclass(frozen=True, slots=True)
class Job:
    """The work to be timed, its answer's check (a number), and what other processes took for it."""

    work: Callable[[], Any]
    check: Callable[[Any], float] = float
    others: Callable[[], tuple[float, float]] = no_other_process


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run; ``why`` is filled when there is none.

    Parameters
    ----------
    before_mb
        Memory of this process when everything was ready and the work began.
    """

    seconds: float = float("nan")
    cpu_seconds: float = float("nan")
    peak_mb: float = float("nan")
    value: float = float("nan")
    why: str = ""
    before_mb: float = float("nan")


@dataclass(frozen=True, slots=True)
class Task:
    """Something to measure: ``module.function``, its arguments, and how.

    Parameters
    ----------
    rounds
        Fresh processes at most; a rival that takes minutes has one.
    inner
        Repeats inside a process, of which the median counts: for work of milliseconds.
    alone
        Always in a fresh process: our own settings of GDAL leave it without the drivers that some rivals use.
    """

    name: str
    arguments: dict[str, object]
    rounds: int = 5
    inner: int = 1
    alone: bool = False


@dataclass(slots=True)
class Case:
    """Tasks that are measured in turn, round by round.

    Parameters
    ----------
    jobs
        Jobs of tasks that run in this process, ready for the next round.
    """

    tasks: dict[str, Task]
    runs: dict[str, list[Run]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)


def measure(task: Task, timeout: float) -> Run:
    """Run a task in a fresh process."""
    about = json.dumps({"name": task.name, "arguments": task.arguments, "inner": task.inner})
    command = [sys.executable, __file__, about]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Run(why=f"not done within {timeout:.0f} s")
    if done.returncode != 0:
        said = re.findall(r"^(\w[\w.]*(?:Error|Exception|Exit)\b.*)$", done.stderr, re.MULTILINE)
        return Run(why=(said or ["no message"])[-1][:WHY_CHARS])
    return Run(**json.loads(done.stdout.strip().splitlines()[-1]))


def run_case(case: Case, rounds: int, timeout: float | None) -> Case:
    """Measure every task of a case, one after the other in each round; what fails once is not tried again.

    Parameters
    ----------
    timeout
        Seconds that each fresh process may take; None to run in this process, where memory cannot be told.
    """
    for number in range(rounds):
        for name, task in case.tasks.items():
            so_far = case.runs.setdefault(name, [])
            if number < task.rounds and not any(run.why for run in so_far):
                here = timeout is None and not task.alone
                so_far.append(_measure_here(case, name) if here else measure(task, timeout or ALONE_S))
                print(f"  {name}: {_shown(so_far[-1])}", file=sys.stderr, flush=True)
    return case


def _measure_here(case: Case, name: str) -> Run:
    task = case.tasks[name]
    try:
        if name not in case.jobs:
            case.jobs[name] = prepare(task.name, task.arguments)
        return replace(time_job(case.jobs[name], task.inner), peak_mb=float("nan"), before_mb=float("nan"))
    except ModuleNotFoundError as error:
        return Run(why=f"absent: {error.name}")
    except Exception as error:  # noqa: BLE001 - a rival that fails is told, the others are still measured
        return Run(why=f"{type(error).__name__}: {error}"[:WHY_CHARS])


def make_row(about: dict[str, object], case: Case, ours: str, rival: str = "") -> dict:
    """Put a row together: medians over the rounds, ratios to the task ``floor``, greatest peak.

    Parameters
    ----------
    about
        ``id``, ``what``; ``truth`` if there is one (what the value of every run should be: its relative error
        is the row's value); and if there are goals ``goal`` (ratio), ``peak_goal_mb``, ``error_goal``.
    """
    mine, least = _median(case, ours), _median(case, "floor")
    row = {"id": about["id"], "what": about["what"]}
    row |= {"seconds": mine.seconds, "floor_seconds": least.seconds, "ratio": mine.seconds / least.seconds}
    row |= {"cpu_seconds": mine.cpu_seconds, "floor_cpu_seconds": least.cpu_seconds}
    row["cpu_ratio"] = mine.cpu_seconds / least.cpu_seconds
    if rival:
        other = _median(case, rival)
        row |= {"rival": f"{rival} ({other.why})" if other.why else rival}
        row |= {"rival_seconds": other.seconds, "rival_peak_mb": other.peak_mb}
    row |= {"peak_mb": mine.peak_mb, "before_mb": mine.before_mb, "floor_peak_mb": least.peak_mb}
    truth = about.get("truth")
    if isinstance(truth, float):
        row["value"] = abs(mine.value - truth) / abs(truth) if truth else abs(mine.value)
    row |= {"goal": about.get("goal"), "met": _met(row, about)}
    if mine.why:
        row["what"] = f"{row['what']}: {mine.why}"
    return {key: value for key, value in row.items() if value is not None and not _is_nan(value)}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def print_rows(rows: Iterable[dict]) -> None:
    """Print a table in Markdown; ratios to the floor by the clock and, in brackets, by processor time."""
    print("| id | s | floor s | ratio (CPU) | goal | before MB | peak MB | error | rival | rival s |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|---|--:|")
    for row in rows:
        ratio = f"{row['ratio']:.2f} ({row['cpu_ratio']:.2f})" if "ratio" in row else ""
        goal = f"{row['goal']}: {'met' if row['met'] else 'missed'}" if "goal" in row else ""
        numbers = [_number(row, "seconds"), _number(row, "floor_seconds"), ratio, goal]
        numbers += [
            _number(row, "before_mb"),
            _number(row, "peak_mb"),
            f"{row['value']:.0e}" if "value" in row else "",
        ]
        print(
            "|", " | ".join([row["id"], *numbers, row.get("rival", ""), _number(row, "rival_seconds")]), "|"
        )


def run_sections(
    about: str | None,
    sections: dict[str, Callable[[Any], Iterable[dict]]],
    start: Callable[[Path, bool, float], Any],
) -> None:
    """Read the command line, run the sections, print and write the rows; exit 1 where a goal is missed.

    Parameters
    ----------
    start
        Makes a section's argument of a folder, whether inputs are small, and seconds for one process.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small inputs, within a minute")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--data", type=Path, default=None, help="folder for inputs and answers, kept")
    parser.add_argument("--only", choices=list(sections), action="append", help="these sections only")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that one process may take")
    options = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = start(folder, options.quick, options.timeout)
        for name in options.only or sections:
            began = time.perf_counter()
            rows += sections[name](bench)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print_rows(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.exit(0 if all(row.get("met") is not False for row in rows) else 1)


def _met(row: dict, about: dict[str, object]) -> bool | None:
    """Whether every goal of the row is met; None without one."""
    goals = {
        "ratio": about.get("goal"),
        "peak_mb": about.get("peak_goal_mb"),
        "value": about.get("error_goal"),
    }
    stated = {key: goal for key, goal in goals.items() if isinstance(goal, float)}
    if row["peak_mb"] != row["peak_mb"]:
        stated.pop("peak_mb", None)
    return all(row.get(key, float("inf")) <= goal for key, goal in stated.items()) if stated else None


def _median(case: Case, name: str) -> Run:
    runs = case.runs.get(name, [])
    failed = [run for run in runs if run.why]
    if failed or not runs:
        return failed[0] if failed else Run(why="not measured")
    seconds, cpu = (
        statistics.median(getattr(run, key) for run in runs) for key in ("seconds", "cpu_seconds")
    )
    # The value of the run that is furthest from the others would show, were they not all the same.
    value, peak = (max(getattr(run, key) for run in runs) for key in ("value", "peak_mb"))
    return Run(seconds, cpu, peak, value, before_mb=max(run.before_mb for run in runs))


def _number(row: dict, key: str) -> str:
    if key not in row:
        return ""
    return f"{row[key]:,.0f}" if row[key] >= WHOLE_FROM else f"{row[key]:.3g}"


def _shown(run: Run) -> str:
    if run.why:
        return run.why
    return f"{run.seconds:.3f} s, {run.cpu_seconds:.3f} CPU s, {run.peak_mb:.0f} MB"


def prepare(name: str, arguments: dict[str, object]) -> Job:
    """Get the task ``module.function`` ready."""
    module, function = name.split(".")
    job: Job = getattr(importlib.import_module(module), function)(**arguments)
    return job


def time_job(job: Job, inner: int) -> Run:
    """Do the work, again if asked, and check its answer."""
    seconds, cpu, before_mb = [], [], own_mb("VmRSS")
    answer: Any = None
    for _ in range(inner):
        # The answer before is let go first, as its memory would count twice.
        answer = None
        cpu_start, start = time.process_time() + job.others()[0], time.perf_counter()
        answer = job.work()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() + job.others()[0] - cpu_start)
    peak = own_mb("VmHWM") + job.others()[1]
    value = float(job.check(answer))
    return Run(statistics.median(seconds), statistics.median(cpu), peak, value, before_mb=before_mb)


def _status_mb(process: Path, key: str) -> float:
    """Return what the system says of a process's memory: ``VmRSS`` now, ``VmHWM`` at most (Linux).

    Not what ``getrusage`` says: there a new process begins with the peak of the one that began it.
    """
    told = re.search(rf"{key}:\s*(\d+)", (process / "status").read_text())
    return int(told[1]) / MEGABYTE_KB if told else 0.0


def own_mb(key: str) -> float:
    """Return the memory of this process, see `_status_mb`; NaN where the system does not tell."""
    try:
        return _status_mb(Path("/proc/self"), key)
    except OSError:
        return float("nan")


def forget_peak() -> None:
    """Let the system measure this process's peak memory anew from here on (Linux; else nothing)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _child(about: dict) -> Run:
    try:
        job = prepare(about["name"], about["arguments"])
    except ModuleNotFoundError as error:
        return Run(why=f"absent: {error.name}")
    return time_job(job, about["inner"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("about")
    # A task's module imports this one by its name; a run of this file is another copy, told as plain numbers.
    print(json.dumps(asdict(_child(json.loads(parser.parse_args().about)))))
