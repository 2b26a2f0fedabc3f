"""Core and satellites: branches that share staff and customers."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Cluster and role of every branch after the plan."""

    branches: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.branches, tables.CLUSTERS)
