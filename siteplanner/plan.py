"""The whole method on one page."""

from dataclasses import dataclass

import pandas as pd

from siteplanner.layers import Layers
from siteplanner.model.access import Access
from siteplanner.model.clusters import Clusters
from siteplanner.model.demand import Demand
from siteplanner.model.formats import Formats
from siteplanner.model.grid import Grid
from siteplanner.model.ledger import Ledger
from siteplanner.model.market import Market
from siteplanner.model.quotas import Quotas
from siteplanner.model.relocation import Relocation
from siteplanner.model.scores import Scores
from siteplanner.model.sites import Candidates
from siteplanner.model.zones import Zones
from siteplanner.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything a run found out; the only thing `outputs` may read.

    Parameters
    ----------
    footfall
        `tables.FOOTFALL_BANDS` by cell with traffic.
    conservation
        `tables.CONSERVATION`: people in and out, by layer and county.
    seconds, peak_mb
        Wall time of each step and the process's peak memory after it, in order of the method.
    """

    scenario: Scenario
    layers: Layers
    grid: Grid
    footfall: pd.DataFrame
    demand: Demand
    access: Access
    market: Market
    zones: Zones
    quotas: Quotas
    candidates: Candidates
    scores: Scores
    relocation: Relocation
    formats: Formats
    ledger: Ledger
    clusters: Clusters
    conservation: pd.DataFrame
    seconds: dict[str, float]
    peak_mb: dict[str, float]
