"""Macro sets direction: how many branches each county should gain or lose."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.errors import NoLegalPlanError
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid
from siteplanner.scenario import DemandSettings, QuotaSettings, RuleSettings

_PER_10K = 10_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Quotas:
    """Quotas by county; the sum over a prefecture is zero when branches only move."""

    counties: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.counties, tables.COUNTY_QUOTAS)


def set_quotas(
    grid: Grid,
    demand: Demand,
    outlets: pd.DataFrame,
    counties: gpd.GeoDataFrame,
    settings: tuple[QuotaSettings, RuleSettings, DemandSettings],
) -> Quotas:
    """Set each county's target from its share of deposits and growth, within the rules (D§6.1).

    A branch may only move inside its prefecture (D§10 CN-1), so a prefecture's branches today are shared out
    among its own counties: target = branches x (theta x share of deposits + (1 - theta) x share of growth),
    both shares taken within the prefecture. Quotas are whole numbers that sum to zero over the prefecture, by
    largest remainders within the limits of `_limit`.

    Raises
    ------
    NoLegalPlanError
        When floors and caps of a prefecture cannot be met by moving its branches about.
    """
    quota_settings, rule_settings, demand_settings = settings
    facts = _describe_counties(grid, demand, outlets, counties.sort_index(), demand_settings)
    city = facts["prefecture"]
    target = _share_out(facts, city, quota_settings.theta)
    facts = facts.assign(target=target)
    facts = facts.join(_limit(facts, quota_settings, rule_settings))
    quota = pd.Series(0, index=facts.index, dtype=np.int64)
    for _, group in facts.groupby(city, sort=True):
        quota[group.index] = _round_to_zero_sum(group)
    facts = facts.assign(quota=quota)
    facts = facts.assign(
        reason=_explain(facts),
        potential_share=_share(facts["potential_wan"], facts["potential_wan"].sum()),
        growth_share=_share(facts["growth"], facts["growth"].sum()),
    )
    columns = [column.name for column in tables.COUNTY_QUOTAS.columns if column.name != "county_id"]
    return Quotas(facts[columns])


def sum_by_county(values: pd.Series, grid: Grid, parts: pd.DataFrame, counties: pd.Index) -> pd.Series:
    """Sum values of cells by county; border cells are shared in proportion to residents.

    Cells without residents belong to the county of the grid.

    Parameters
    ----------
    values
        By `cell_id`.
    parts
        `tables.PARTS`.
    """
    people = parts.groupby("cell_id")["residents"].transform("sum")
    lived_in = parts.loc[people > 0]
    share = lived_in["residents"] / people[people > 0]
    shared = share * values.reindex(lived_in["cell_id"]).to_numpy()
    empty = values[~values.index.isin(lived_in["cell_id"])]
    whole = empty.groupby(grid.cells["county_id"].reindex(empty.index)).sum()
    summed = shared.groupby(lived_in["county_id"]).sum()
    both = pd.concat([summed, whole])
    total: pd.Series[float] = both.groupby(level=0).sum().reindex(counties, fill_value=0.0)
    return total


def _describe_counties(
    grid: Grid,
    demand: Demand,
    outlets: pd.DataFrame,
    counties: gpd.GeoDataFrame,
    settings: DemandSettings,
) -> pd.DataFrame:
    """Return the indicators of D§6.1 by county; growth counts people gained, moved in and still to come."""
    index = counties.index
    # Sums in one order are equal to the last bit, whatever the order of the rows.
    parts = demand.parts.sort_values(["cell_id", "county_id"], kind="stable")
    cells = demand.cells.sort_index()
    people = parts.groupby("county_id")[["residents", "residents_earlier"]].sum()
    people = people.reindex(index, fill_value=0.0)
    own = outlets.loc[outlets["own"].to_numpy(dtype=bool)]
    all_banks = outlets.groupby("county_id").size().reindex(index, fill_value=0)
    coming = sum_by_county(cells["pipeline_households"], grid, parts, index)
    coming = coming * settings.household_size * settings.occupancy_final
    moved_in = sum_by_county(cells["moved_in"], grid, parts, index)
    gained = people["residents"] - people["residents_earlier"] + moved_in + coming
    residents = people["residents"]
    return pd.DataFrame(
        {
            "prefecture": counties["prefecture"],
            "inclusive": counties["inclusive"].astype(bool),
            "outlets_now": own.groupby("county_id").size().reindex(index, fill_value=0),
            "outlets_all_banks": all_banks,
            "residents": residents,
            "outlets_per_10k": (all_banks * _PER_10K / residents.where(residents > 0)).fillna(0.0),
            "potential_wan": sum_by_county(cells["potential_wan"], grid, parts, index),
            "growth": gained.clip(lower=0.0),
        },
        index=index,
    )


def _share(values: pd.Series, total: "pd.Series | float") -> pd.Series:
    """Return values / total; 0 where the total is 0."""
    whole = np.broadcast_to(np.asarray(total, dtype=float), values.shape)
    shares = np.divide(values.to_numpy(), whole, out=np.zeros(len(values)), where=whole > 0)
    return pd.Series(shares, index=values.index)


def _share_out(facts: pd.DataFrame, city: pd.Series, theta: float) -> pd.Series:
    """Return target numbers that sum to each prefecture's branches today.

    Where nothing grows, growth has no say; where there are no deposits either, all stays as it is.
    """
    total = facts.groupby(city)[["outlets_now", "potential_wan", "growth"]].transform("sum")
    potential = _share(facts["potential_wan"], total["potential_wan"])
    growth = _share(facts["growth"], total["growth"]).where(total["growth"] > 0, potential)
    share = theta * potential + (1.0 - theta) * growth
    target = share * total["outlets_now"]
    return target.where(total["potential_wan"] > 0, facts["outlets_now"].astype(float))


def _limit(facts: pd.DataFrame, settings: QuotaSettings, rules: RuleSettings) -> pd.DataFrame:
    """Return the fewest and most branches after the plan.

    A floor of the rules is the largest of: the user's county floor; one where there is one and the last own
    branch of a county stays; all of today's in a county on an inclusive list (D§10 CN-9), unless the user's
    floor for that county says less. `max_change` binds unless a rule asks for a larger change.
    """
    now = facts["outlets_now"]
    given = pd.Series(rules.county_floor, dtype=float).reindex(facts.index)
    last = now.clip(upper=1) if rules.keep_last_own_in_county else now * 0
    kept = now.where(facts["inclusive"] & given.isna(), last)
    floor = np.maximum(kept, given.fillna(0.0))
    cap = pd.Series(rules.county_cap, dtype=float).reindex(facts.index).fillna(np.inf)
    return pd.DataFrame(
        {
            "floor": np.maximum(floor, np.minimum(now - settings.max_change, cap)).astype(np.int64),
            "cap": np.minimum(cap, np.maximum(now + settings.max_change, floor)).astype(np.int64),
            "floor_is_rule": floor >= np.maximum(now - settings.max_change, 0),
            "cap_is_rule": cap <= now + settings.max_change,
        }
    )


def _round_to_zero_sum(group: pd.DataFrame) -> np.ndarray:
    """Return whole changes nearest to the wished ones that sum to zero within floor and cap.

    Nearest in squares: start at the wish rounded down, then give to (or take from) the county farthest below
    (above) its wish, one branch at a time, ties to the first id. Without limits these are largest remainders
    (Hamilton); with them the sum of squares is separable and convex, for which such steps are exact.
    """
    now = group["outlets_now"].to_numpy()
    wish = group["target"].to_numpy() - now
    low, high = group["floor"].to_numpy() - now, group["cap"].to_numpy() - now
    if (low > high).any() or low.sum() > 0 or high.sum() < 0:
        clash = group.index[(low > 0) | (high < 0) | (low > high)]
        raise NoLegalPlanError(f"rules.county_floor/county_cap of {county_id}" for county_id in clash)
    # A wish a rounding error below a whole number is that whole number.
    change: np.ndarray = np.clip(np.floor(wish + 1e-9), low, high).astype(np.int64)
    while (left := -int(change.sum())) != 0:
        step = 1 if left > 0 else -1
        room = change < high if step > 0 else change > low
        urge = np.where(room, np.round((wish - change) * step, 9), -np.inf)
        change[int(np.argmax(urge))] += step
    return change


def _explain(facts: pd.DataFrame) -> np.ndarray:
    """Return why a county's quota is what it is: the limit that holds it, else the side of its target."""
    now, quota = facts["outlets_now"], facts["quota"]
    wish = (facts["target"] - now).to_numpy()
    # Half a branch is what rounding alone may leave open.
    held_up = (now + quota == facts["floor"]) & (wish - quota < -0.5)  # noqa: PLR2004
    held_down = (now + quota == facts["cap"]) & (wish - quota > 0.5)  # noqa: PLR2004
    return np.select(
        [
            held_up & facts["floor_is_rule"] & facts["inclusive"],
            held_up & facts["floor_is_rule"],
            held_down & facts["cap_is_rule"],
            held_up | held_down,
            quota < 0,
            quota > 0,
        ],
        ["inclusive_floor", "floor", "cap", "max_change", "over_target", "under_target"],
        default="balanced",
    )
