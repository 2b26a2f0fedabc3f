"""Seconds and peak memory of each step, and the word to whoever watches."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Watcher = Callable[[str], None]

# Linux counts the peak in KiB, macOS in bytes.
_PEAK_UNIT_MB = 2**-20 if sys.platform == "darwin" else 2**-10


def nobody(step: str) -> None:
    """Watch nothing."""
    del step


@dataclass(slots=True)
class Stopwatch:
    """Times the steps of one run.

    Parameters
    ----------
    watcher
        Called with the name of each step as it begins.
    """

    watcher: Watcher = nobody
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside; a step entered twice adds up."""
        self.watcher(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.peak_mb[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT_MB
