"""Where a branch could go: best spots of destination zones, developments, township seats, or the user's list."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access, Reach
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid
from siteplanner.model.zones import Places, Zones
from siteplanner.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidate sites and the pairs of demand cell and site within reach (columns in the order of the sites)."""

    sites: pd.DataFrame
    reach: Reach

    def __post_init__(self) -> None:
        tables.check(self.sites, tables.CANDIDATES)


def propose_sites(
    grid: Grid,
    demand: Demand,
    access: Access,
    zones: Zones,
    places: Places,
    user_sites: pd.DataFrame,
    scenario: Scenario,
) -> Candidates:
    """Take the user's sites, or generate spaced candidates inside destination zones, developments and seats."""
    raise NotImplementedError
