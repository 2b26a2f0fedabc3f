"""Micro sets the spot: release and attract scores whose parts add up."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Why a branch should leave, why a site should receive one."""

    release: pd.DataFrame
    attract: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.release, tables.RELEASE_SCORES)
        tables.check(self.attract, tables.ATTRACT_SCORES)
