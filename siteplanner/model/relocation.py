"""The decision: which branches move where, in which order, with a bound."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables


@dataclass(frozen=True, slots=True)
class Proof:
    """How good the plan is and how that is known; objective in worth of visits a day.

    ``gap`` is (bound - after) / bound; ``gain_gap`` is (bound - after) / (bound - before): the share of the
    best possible improvement that may still be missing.
    """

    before: float
    after: float
    bound: float
    gap: float
    gain_gap: float
    status: str
    seconds: float
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Relocation:
    """Moves in order, what was rejected, and the rules after every step."""

    moves: pd.DataFrame
    rejected: pd.DataFrame
    trace: pd.DataFrame
    proof: Proof

    def __post_init__(self) -> None:
        tables.check(self.moves, tables.MOVES)
        tables.check(self.trace, tables.TRACE)
