"""Tasks side by side on all cores, with the progress told and an interrupt heard in between."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from siteplanner.stopwatch import Report

# How often the progress is told, and an interrupt is heard, s.
REPORT_EVERY_S = 0.2

T = TypeVar("T")
# Does a task in small pieces; yields how much of it each piece was.
Worker = Callable[[T], Iterator[float]]


def n_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True)
class _Course(Generic[T]):
    """What the threads share; each entry is changed by atomic operations only."""

    waiting: deque[tuple[int, T]]
    last: float = float("inf")
    errors: dict[int, Exception] = field(default_factory=dict)
    done: deque[float] = field(default_factory=deque)


def side_by_side(tasks: Sequence[T], workers: Sequence[Worker[T]], size: float, report: Report) -> None:
    """Do all tasks, each by one of the workers; each worker has a thread of its own.

    Of several errors that of the first task is raised, whatever thread met it: tasks before the first bad one
    are done to their end. Interrupted, the threads stop at the end of the piece they are at.

    Parameters
    ----------
    size
        What the pieces of all tasks add up to.
    """
    course = _Course(deque(enumerate(tasks)))
    done = 0.0
    with ThreadPoolExecutor(max_workers=len(workers)) as pool:
        try:
            at_work = {pool.submit(_work, course, worker) for worker in workers}
            while at_work:
                _, at_work = wait(at_work, timeout=REPORT_EVERY_S, return_when=FIRST_EXCEPTION)
                while course.done:
                    done += course.done.popleft()
                report(done / size if size else 1.0)
        finally:
            course.last = -1.0
    if course.errors:
        raise course.errors[min(course.errors)]


def _work(course: _Course[T], worker: Worker[T]) -> None:
    while True:
        try:
            number, task = course.waiting.popleft()
        except IndexError:
            return
        try:
            for piece in worker(task):
                course.done.append(piece)
                if number > course.last:
                    return
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            course.errors[number] = error
            course.last = min(course.last, number)
            return
