"""Macro sets direction: how many branches each county should gain or lose."""

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from siteplanner import tables
from siteplanner.model.demand import Demand
from siteplanner.scenario import QuotaSettings, RuleSettings


@dataclass(frozen=True, slots=True, eq=False)
class Quotas:
    """Quotas by county; the sum over a prefecture is zero when branches only move."""

    counties: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.counties, tables.COUNTY_QUOTAS)


def set_quotas(
    demand: Demand,
    outlets: pd.DataFrame,
    counties: gpd.GeoDataFrame,
    settings: tuple[QuotaSettings, RuleSettings],
) -> Quotas:
    """Set each county's target from its share of deposits and growth, floored and capped by the rules (D§6.1)."""
    raise NotImplementedError
