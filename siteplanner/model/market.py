"""Whom each outlet wins: Huff shares over all banks with an outside option."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numba import njit
from scipy.optimize import brentq

from siteplanner import tables
from siteplanner.model.access import Access, Reach, by_settlement, nearest_minutes
from siteplanner.model.demand import Demand
from siteplanner.scenario import AccessSettings, MarketSettings

# A bank within this straight distance is near (D§4: the outside share is set where a bank is within 1 km).
NEAR_KM = 1.0

# CSR row starts, places and utilities, rows x places.
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Shares by cell and volumes by outlet.

    Parameters
    ----------
    outside
        Utility of the outside option by row of the reach, without any bank.
    level
        Observed over predicted visits of the own branches with a figure (1 when nothing is observed): the
        only calibration of this model; predicted volumes of all outlets are already multiplied by it, shares
        and the demand of cells are not.
    level_deposits
        The same for deposits.
    calibration
        Levels of visits and deposits that `calibrate` has put into the demand; both 1 before.
    """

    cells: pd.DataFrame
    outlets: pd.DataFrame
    outside: np.ndarray
    level: float
    level_deposits: float
    calibration: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.MARKET_CELLS)
        tables.check(self.outlets, tables.MARKET_OUTLETS)


def utilities(reach: Reach, attractiveness: np.ndarray, settings: MarketSettings) -> np.ndarray:
    """Return A_j f(minutes) for every pair of the reach, float64; f to the power of the cell's class."""
    decayed = decay(reach.minutes.astype(np.float64), settings)
    factor = decay_factors(settings)
    if (factor != 1.0).any():
        decayed **= np.repeat(factor[_class_of_rows(reach)], np.diff(reach.indptr))
    return np.asarray(decayed * np.asarray(attractiveness, dtype=float)[reach.indices])


def decay_factors(settings: MarketSettings) -> np.ndarray:
    """Return the power to which the decay is taken, by class of `tables.SETTLEMENTS`."""
    return np.array([getattr(settings, f"decay_factor_{name}") for name in tables.SETTLEMENTS])


def _class_of_rows(reach: Reach) -> np.ndarray:
    if reach.settlement is None:
        raise tables.ContractError("a decay by settlement class needs a reach that tells the classes")
    return reach.settlement


def decay(minutes: np.ndarray, settings: MarketSettings) -> np.ndarray:
    """Return how much of its pull a place keeps at so many minutes (D§4).

    exponential exp(-l t); power t^-b; gaussian exp(-t^2 / 2 s^2); combined t^-b exp(-l t) (Tanner 1961);
    step: one weight for each stretch of minutes, 0 beyond the last. No trip counts as shorter than
    `decay_least_min` where a power is taken.
    """
    t = np.asarray(minutes, dtype=float)
    if settings.decay_form == "exponential":
        return np.asarray(np.exp(-settings.decay_per_min * t))
    if settings.decay_form == "gaussian":
        return np.asarray(np.exp(-0.5 * (t / settings.decay_sigma_min) ** 2))
    if settings.decay_form == "step":
        weights = np.array([*settings.decay_step_weights, 0.0])
        return np.asarray(weights[np.searchsorted(settings.decay_steps_min, t, side="left")])
    power = np.maximum(t, settings.decay_least_min) ** -settings.decay_power
    return np.asarray(
        power * np.exp(-settings.decay_per_min * t) if settings.decay_form == "combined" else power
    )


@dataclass(frozen=True, slots=True, eq=False)
class NearBanks:
    """What the outside option is set by, by row of the reach: none of it depends on the decay.

    Parameters
    ----------
    pace
        Minutes per straight km.
    settlement
        Place in `tables.SETTLEMENTS`.
    near
        Whether a bank lies within `NEAR_KM`.
    visits
        Visits a day.
    """

    pace: np.ndarray
    settlement: np.ndarray
    near: np.ndarray
    visits: np.ndarray


def find_near_banks(demand: Demand, reach: Reach, access: AccessSettings) -> NearBanks:
    """Tell which rows have a bank near."""
    rows = demand.cells.loc[reach.cell_id, ["settlement", "visits_per_day"]]
    pace, _ = by_settlement(rows["settlement"], access)
    near = nearest_minutes(reach, np.ones(reach.n_places, dtype=bool)) <= pace * NEAR_KM
    classes = pd.Categorical(rows["settlement"], categories=list(tables.SETTLEMENTS)).codes
    return NearBanks(pace, np.asarray(classes), near, rows["visits_per_day"].to_numpy(dtype=float))


def outside_utility(
    demand: Demand, reach: Reach, utility: np.ndarray, access: AccessSettings, settings: MarketSettings
) -> np.ndarray:
    """Return the utility of the outside option by row of the reach (D§4).

    Parameters
    ----------
    utility
        Of every pair of the reach.
    """
    row_of_pair = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    total = np.bincount(row_of_pair, utility, reach.cell_id.size)
    return balance_outside(find_near_banks(demand, reach, access), total, settings)


def balance_outside(banks: NearBanks, total: np.ndarray, settings: MarketSettings) -> np.ndarray:
    """Return the utility of the outside option by row (D§4).

    One value for each settlement class, such that the outside option wins `outside_share` of the visits of
    those cells that have a bank within `NEAR_KM`; it wins more where none is near. A class without such a
    cell takes the value that leaves that share beside one average outlet at that distance.

    Parameters
    ----------
    total
        Utility of all banks by row.
    """
    odds = settings.outside_share / (1.0 - settings.outside_share)
    outside = odds * decay(banks.pace * NEAR_KM, settings) ** decay_factors(settings)[banks.settlement]
    for kind in range(len(tables.SETTLEMENTS)):
        mine = banks.settlement == kind
        part = mine & banks.near
        visits = banks.visits[part]
        if visits.sum() > 0.0 and settings.outside_share > 0.0:
            outside[mine] = _balance(total[part], visits, settings.outside_share)
    return np.asarray(outside)


def _balance(total: np.ndarray, visits: np.ndarray, share: float) -> float:
    """Return the U0 that wins `share` of the visits against the total utilities of all banks."""

    def excess(log_u0: float) -> float:
        won = np.exp(log_u0) / (np.exp(log_u0) + total)
        return float(np.average(won, weights=visits)) - share

    odds = np.log(share / (1.0 - share))
    # The answer lies between those for the least and the greatest total; one to spare against rounding.
    low, high = odds + np.log(total.min()) - 1.0, odds + np.log(total.max()) + 1.0
    return float(np.exp(brentq(excess, low, high, xtol=1e-12)))


def share_market(
    demand: Demand,
    access: Access,
    branches: pd.DataFrame,
    settings: tuple[MarketSettings, AccessSettings],
    *,
    baseline: Market | None = None,
) -> Market:
    """Share visits and deposits of every cell among all outlets and the outside option (D§4).

    Parameters
    ----------
    branches
        Own branches with their observed ``visits_per_day`` and ``deposits_wan``, where known.
    baseline
        The market of today when this is the network after a plan: its outside option, level and branches'
        performance are kept, because what was observed belongs to the places of today.
    """
    reach = access.reach
    utility = utilities(reach, access.outlets["attractiveness"].to_numpy(), settings[0])
    outside = (
        outside_utility(demand, reach, utility, settings[1], settings[0])
        if baseline is None
        else baseline.outside
    )
    rows = demand.cells.loc[reach.cell_id, ["visits_per_day", "potential_wan"]].to_numpy(dtype=float)
    own = access.outlets["own"].to_numpy(dtype=bool)
    shares, volumes = share_pairs((reach.indptr, reach.indices, utility), outside, rows, own)
    if baseline is not None:
        volumes[:, :2] *= (baseline.level, baseline.level_deposits)
        return follow(baseline, demand, access, shares, volumes)
    predicted = pd.DataFrame(volumes[:, :2], access.outlets.index, ["visits_per_day", "deposits_wan"])
    level, level_deposits = (_level(predicted, branches, column) for column in predicted.columns)
    predicted = predicted.mul([level, level_deposits])
    outlets = _tell_outlets(predicted, volumes[:, 2], _performance(predicted, branches), own)
    return Market(_shares_by_cell(demand, reach, shares), outlets, outside, level, level_deposits)


def follow(
    baseline: Market, demand: Demand, access: Access, shares: np.ndarray, volumes: np.ndarray
) -> Market:
    """Return the market of another network under the outside option, level and performance of today.

    Parameters
    ----------
    access
        Of that network.
    shares
        By row of its reach: ours, rivals', outside.
    volumes
        By outlet: visits, deposits, both times today's level, and overlap.
    """
    predicted = pd.DataFrame(volumes[:, :2], access.outlets.index, ["visits_per_day", "deposits_wan"])
    performance = baseline.outlets["performance"].reindex(predicted.index).fillna(1.0)
    own = access.outlets["own"].to_numpy(dtype=bool)
    return replace(
        baseline,
        cells=_shares_by_cell(demand, access.reach, shares),
        outlets=_tell_outlets(predicted, volumes[:, 2], performance, own),
    )


def _tell_outlets(
    predicted: pd.DataFrame, overlap: np.ndarray, performance: "pd.Series[float]", own: np.ndarray
) -> pd.DataFrame:
    """Return `tables.MARKET_OUTLETS`: of rivals, only volumes are told."""
    outlets = predicted.assign(overlap=overlap, performance=performance)
    return outlets.mask(np.outer(~own, [False, False, True, True]))


def calibrate(demand: Demand, market: Market) -> tuple[Demand, Market]:
    """State the demand in observed visits and deposits: the ladder's rung without origins (D§4).

    Shares do not change. Cells' volumes are multiplied by the market's levels, which then are 1, so that
    unmet demand, gains and observed volumes are of one measure.
    """
    levels = (market.level, market.level_deposits)
    return demand.rescaled(*levels), replace(market, level=1.0, level_deposits=1.0, calibration=levels)


def share_pairs(
    pairs: Pairs,
    outside: np.ndarray,
    weights: np.ndarray,
    own: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Share weights of rows among places by utility, with an outside option.

    P_ij = U_ij / (U0_i + sum_k U_ik); overlap O_j = sum_i Q_i P_ij (S_i - U_ij) / S_i over sum_i Q_i P_ij,
    with S_i the utility of all own places and Q the first weight (D§6.2).

    Parameters
    ----------
    pairs
        CSR ``indptr``, ``indices`` and utilities.
    outside
        U0 by row. A row in which nothing has utility goes outside.
    weights
        Columns by row: visits, deposits.
    own
        Which places are ours.

    Returns
    -------
    Shares by row (own, rival, outside; they sum to 1), and by place the volumes and, last, the overlap (0 for
    rivals and for places that win nothing).
    """
    sums, volumes = tally(pairs, outside, weights, own, np.ones(own.size, dtype=bool))
    return share_rows(sums, outside), np.column_stack((volumes[:, :-1], overlaps(volumes)))


def _level(predicted: pd.DataFrame, branches: pd.DataFrame, column: str) -> float:
    observed = _observed(branches, column)
    volume = predicted[column].reindex(observed.index).sum()
    # Nothing but zeros is no observation: a bank that has no figures often writes them so.
    return float(observed.sum() / volume) if observed.sum() > 0.0 and volume > 0.0 else 1.0


def _observed(branches: pd.DataFrame, column: str) -> "pd.Series[float]":
    if column not in branches:
        return pd.Series(dtype=float)
    return branches[column].sort_index().astype(float).dropna()


def _performance(predicted: pd.DataFrame, branches: pd.DataFrame) -> "pd.Series[float]":
    """Return observed over predicted deposits, else visits, else 1."""
    ratio = pd.Series(np.nan, index=predicted.index)
    for column in ("deposits_wan", "visits_per_day"):
        volume = predicted[column].where(predicted[column] > 0.0)
        ratio = ratio.fillna(_observed(branches, column).reindex(predicted.index) / volume)
    return ratio.fillna(1.0)


def _shares_by_cell(demand: Demand, reach: Reach, shares: np.ndarray) -> pd.DataFrame:
    index = demand.cells.index
    # Nobody is in the cells outside the reach: no bank wins anything there.
    full = np.tile([0.0, 0.0, 1.0], (len(index), 1))
    full[np.searchsorted(index.to_numpy(), reach.cell_id)] = shares
    return pd.DataFrame(full, index=index, columns=["share_own", "share_rival", "share_outside"])


@njit(cache=True)
def tally(
    pairs: Pairs, outside: np.ndarray, weights: np.ndarray, own: np.ndarray, is_open: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Return the utility of our and of rivals' open places by row, and what each place wins.

    The last column of what a place of ours wins is what its siblings would serve of the first weight.
    """
    indptr, indices, utility = pairs
    last = weights.shape[1]
    sums = np.zeros((outside.size, 2))
    volumes = np.zeros((own.size, last + 1))
    for i in range(outside.size):
        ours = rivals = 0.0
        for pair in range(indptr[i], indptr[i + 1]):
            if not is_open[indices[pair]]:
                continue
            if own[indices[pair]]:
                ours += utility[pair]
            else:
                rivals += utility[pair]
        sums[i, 0], sums[i, 1] = ours, rivals
        total = outside[i] + ours + rivals
        if total <= 0.0:
            continue
        for pair in range(indptr[i], indptr[i + 1]):
            place, share = indices[pair], utility[pair] / total
            if not is_open[place]:
                continue
            for kind in range(last):
                volumes[place, kind] += weights[i, kind] * share
            if own[place] and ours > 0.0:
                volumes[place, last] += weights[i, 0] * share * max(ours - utility[pair], 0.0) / ours
    return sums, volumes


def share_rows(sums: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return the shares of each row (ours, rivals', outside); a row in which nothing pulls goes outside."""
    utility = np.column_stack((sums, outside))
    total = utility.sum(axis=1)
    shares = np.divide(utility, total[:, None], out=np.zeros_like(utility), where=total[:, None] > 0.0)
    shares[total <= 0.0, 2] = 1.0
    return np.asarray(shares)


def overlaps(volumes: np.ndarray) -> np.ndarray:
    """Return the share of each place's first kind that siblings would serve; see `tally`."""
    first, served = volumes[:, 0], volumes[:, -1]
    share = np.divide(served, first, out=np.zeros(first.size), where=first > 0.0)
    return np.asarray(share.clip(0.0, 1.0))
