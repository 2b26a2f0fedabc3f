"""Windows to several threads and back in order."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from siteplanner.layers.pixels import PixelReader, Window

# Windows under way or waiting for their turn, beyond one a thread: results are small, windows are not read
# before a thread is free.
AHEAD = 2

Result = TypeVar("Result")


def count_threads() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    work: Callable[[PixelReader, Window], Result],
    paths: tuple[str, ...],
    windows: Iterable[Window],
    threads: int,
) -> Iterator[Result]:
    """Yield what `work` makes of each window, in the order of the windows.

    Each thread has its own reader. One thread is this thread.
    """
    if threads == 1:
        with PixelReader(paths) as reader:
            for window in windows:
                yield work(reader, window)
        return
    own = threading.local()
    readers: list[PixelReader] = []

    def run(window: Window) -> Result:
        if not hasattr(own, "reader"):
            own.reader = PixelReader(paths)
            readers.append(own.reader)
        return work(own.reader, window)

    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque[Future[Result]] = deque()
        for window in windows:
            waiting.append(pool.submit(run, window))
            if len(waiting) >= threads + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for reader in readers:
            reader.close()
