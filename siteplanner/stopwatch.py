"""Seconds and peak memory of each step, and the word to whoever watches."""

import resource
import sys
import time
from collections.abc import Callable
from typing import Protocol

# Told the share that is done of a long piece of work, 0 to 1.
Report = Callable[[float], None]

# Linux counts the peak in KiB, macOS in bytes.
_PEAK_UNIT_MB = 2**-20 if sys.platform == "darwin" else 2**-10


class Watcher(Protocol):
    """Whoever looks on."""

    def __call__(self, step: str, share: float | None = None) -> None:
        """Hear that a step begins, or which share of it is done, 0 to 1."""
        ...


def nobody(step: str, share: float | None = None) -> None:
    """Watch nothing."""
    del step, share


def unreported(share: float) -> None:
    """Report to nobody."""
    del share


class Stopwatch:
    """Times the steps of one run.

    Parameters
    ----------
    watcher
        Called with the name of each step as it begins, and with the share done of a long one.

    Attributes
    ----------
    seconds, peak_mb
        Wall time of each finished step, s, and the process's peak memory after it, MB.
    """

    def __init__(self, watcher: Watcher = nobody) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}
        self._watcher = watcher
        self._name = ""
        self._begun = 0.0

    def step(self, name: str) -> None:
        """End the step at work and begin the next."""
        self.stop()
        self._name = name
        self._watcher(name)
        self._begun = time.perf_counter()

    def report(self, share: float) -> None:
        """Tell how much of the step at work is done, 0 to 1."""
        self._watcher(self._name, share)

    def stop(self) -> None:
        """End the step at work, if any."""
        if self._name:
            self.seconds[self._name] = time.perf_counter() - self._begun
            self.peak_mb[self._name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT_MB
        self._name = ""
