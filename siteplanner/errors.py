"""Every way a run can end badly, each with the exit code a script can rely on."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one input.

    Parameters
    ----------
    file
        The file as the scenario names it.
    place
        Line, row, feature or key, e.g. ``line 9 (branch_id B0008)``; empty for the file as a whole.
    column
        The column or key concerned; empty when it is none in particular.
    found
        What stands there, quoted when it is text of the file.
    expected
        What was expected instead.
    """

    file: str
    place: str
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.file} {self.place}".strip()
        column = f", column {self.column}" if self.column else ""
        return f"{where}{column}: found {self.found}, expected {self.expected}"


class SiteplannerError(Exception):
    """Root of all errors that a user can cause or mend."""

    exit_code = 1


class InputError(SiteplannerError, ValueError):
    """Bad input: every fault found, one line each."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NoLegalPlanError(SiteplannerError, ValueError):
    """No plan satisfies the rules; names a small set of rules that clash."""

    exit_code = 3

    def __init__(self, rules: Iterable[str]) -> None:
        self.rules = tuple(rules)
        super().__init__("no legal plan exists; these rules clash: " + "; ".join(self.rules))


class EngineError(SiteplannerError, RuntimeError):
    """A needed engine or extra is missing, or a stated memory or size limit is exceeded."""

    exit_code = 4


class OutputError(SiteplannerError, OSError):
    """The output could not be written; the previous result is untouched."""

    exit_code = 5


class BusyError(SiteplannerError, RuntimeError):
    """Another run holds the output folder."""

    exit_code = 75


def first_line(error: BaseException) -> str:
    """Return what a library says, cut to one line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
