"""What a reading meets on its way: faults, notes, checksums."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from siteplanner.errors import Fault
from siteplanner.layers.paths import hash_file

# Faults of one kind that are shown one by one; the rest are counted.
FAULTS_SHOWN = 20


@dataclass(slots=True)
class Findings:
    """Grows while the files of one scenario are read, and ends with that reading.

    Parameters
    ----------
    look
        How far to look into rasters: a run judges the pixels when it sums them.
    counted
        Faults of a big layer, of which each kind is shortened already.
    """

    folder: Path
    look: Literal["headers", "pixels"] = "headers"
    faults: list[Fault] = field(default_factory=list)
    counted: list[Fault] = field(default_factory=list)
    notes: list[tuple[str, ...]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def add_file(self, name: str, path: Path) -> None:
        """Remember the checksum of a file under its name in the scenario."""
        self.files[name] = hash_file(path)


def shorten(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Keep the first `FAULTS_SHOWN` of each kind (file, column, expected) and count the rest."""
    kinds: dict[tuple[str, str, str], list[Fault]] = defaultdict(list)
    for fault in faults:
        kinds[fault.file, fault.column, fault.expected.split(" (first in", 1)[0]].append(fault)
    short: list[Fault] = []
    for (file, column, expected), same in kinds.items():
        short += same[:FAULTS_SHOWN]
        more = len(same) - FAULTS_SHOWN
        if more > 0:
            short.append(Fault(file, "", column, f"{more:,} more of this kind", expected))
    return tuple(short)
