"""Which kind of branch stands at each destination."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables


@dataclass(frozen=True, slots=True, eq=False)
class Formats:
    """What stands at each destination, and every branch after the plan.

    Parameters
    ----------
    branches_after
        Like `Layers.branches` with moved branches at their new place and in their new format, and a column
        ``moved``.
    """

    destinations: pd.DataFrame
    branches_after: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.destinations, tables.DESTINATIONS)
