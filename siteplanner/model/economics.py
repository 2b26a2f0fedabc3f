"""Money of a move: retention, ramp, cash flow, net present value, payback, break-even retention (D§7)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from siteplanner.scenario import DemandSettings, EconomicsSettings

FIRST_YEAR_LOSS = 0.6
"""Share of the two-year loss that has gone after one year (D§7.2)."""

LAST_OUTLET_DEPENDENCE = 0.2
"""Added to the dependent share where no other own outlet is near (D§7.2: effect of the last branch)."""

RIVAL_NEAR_KM = 0.5
RIVAL_NEAR_FACTOR = 1.25
"""Loss is larger by this factor with a rival this near to the closed door (D§7.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Departure:
    """What the customers of leaving branches find, one value a branch.

    Parameters
    ----------
    tier
        Legal tier of the old place.
    extra_km
        Customer-weighted extra distance to the best own outlet that remains, km.
    is_last
        No other own outlet is near most of its customers.
    rival_near
        A rival stands within `RIVAL_NEAR_KM` of the door.
    short
        The move is short enough to stay in the same market.
    """

    tier: np.ndarray
    extra_km: np.ndarray
    is_last: np.ndarray
    rival_near: np.ndarray
    short: np.ndarray


Likelihood = Literal["p10", "p50", "p90"]

_SIDE = {"p10": -1.0, "p50": 0.0, "p90": 1.0}


def two_year_loss(
    departure: Departure, settings: EconomicsSettings, *, likelihood: Likelihood = "p50"
) -> np.ndarray:
    """Return the share of deposits lost after two years (D§7.2).

    ``L = min + (max - min) dep (1 - exp(-extra / delta))``, larger with a rival at the door, never above
    ``max``. A short move keeps `EconomicsSettings.short_move_retention` whatever the distance.

    Parameters
    ----------
    likelihood
        Which quantile. The loss rises with dependence and falls with the distance scale; both are taken to be
        bad or good together and everywhere, so that a quantile of the loss is the loss at the quantiles of
        both, and quantiles of several moves add up to that of their sum (comonotonic risks: Dhaene et al.
        2002).
    """
    side = _SIDE[likelihood]
    dependence = _by_tier(departure.tier, "dependence", settings) + side * settings.dependence_range
    dependence = (dependence + LAST_OUTLET_DEPENDENCE * departure.is_last).clip(0.0, 1.0)
    delta_km = _by_tier(departure.tier, "delta", settings) * settings.delta_range**-side
    felt = 1.0 - np.exp(-departure.extra_km / delta_km)
    loss = settings.loss_min + (settings.loss_max - settings.loss_min) * dependence * felt
    loss = np.minimum(loss * np.where(departure.rival_near, RIVAL_NEAR_FACTOR, 1.0), settings.loss_max)
    kept = np.clip(settings.short_move_retention - side * settings.short_move_range, 0.0, 1.0)
    return np.asarray(np.where(departure.short, 1.0 - kept, loss))


def is_short(tier: np.ndarray, distance_km: np.ndarray, settings: EconomicsSettings) -> np.ndarray:
    """Tell which moves stay in the same market (D§7.2)."""
    limit = np.where(tier == "U", settings.short_move_u_km, settings.short_move_ct_km)
    return np.asarray(distance_km <= limit)


def _by_tier(tier: np.ndarray, kind: str, settings: EconomicsSettings) -> np.ndarray:
    unit = "_km" if kind == "delta" else ""
    values = {name: getattr(settings, f"{kind}_{name.lower()}{unit}") for name in ("U", "C", "T")}
    values["V"] = values["T"]
    return np.array([values[name] for name in tier], dtype=float)


def ramp_by_year(horizon_years: int, short: np.ndarray, settings: EconomicsSettings) -> np.ndarray:
    """Return the share of its volume that a new place has reached, moves x years; 1 for a short move."""
    ramp = np.array([settings.ramp[min(year, len(settings.ramp) - 1)] for year in range(horizon_years)])
    return np.where(short[:, None], 1.0, ramp[None, :])


def occupancy_of_pipeline(horizon_years: int, settings: DemandSettings) -> np.ndarray:
    """Return the lived-in share of homes handed over evenly over the horizon, by year 1, 2, ...

    The mean over handover times of the logistic curve of D§3.3: ``1/H`` times the integral of
    ``final / (1 + exp(-rate (x - half)))`` from 0 to t.
    """
    years = np.arange(1, horizon_years + 1, dtype=float)
    rate, half = settings.occupancy_rate, settings.occupancy_half_years
    area = np.logaddexp(0.0, rate * (years - half)) - np.logaddexp(0.0, -rate * half)
    return np.asarray(settings.occupancy_final * area / rate / horizon_years)


def loss_by_year(horizon_years: int) -> np.ndarray:
    """Return the share of the two-year loss that has gone, by year 1, 2, ... (D§7.2)."""
    share = np.ones(horizon_years)
    share[:1] = FIRST_YEAR_LOSS
    return share


@dataclass(frozen=True, slots=True, eq=False)
class Money:
    """Cash flows of moves, 10,000 CNY.

    Parameters
    ----------
    gained
        Deposits gained by year, moves x years, after cannibalisation.
    held
        Deposits at the old place today.
    loss
        Share of them lost after two years.
    saved
        Running cost saved a year.
    spent
        Fit-out, closing and broken leases.
    """

    gained: np.ndarray
    held: np.ndarray
    loss: np.ndarray
    saved: np.ndarray
    spent: np.ndarray


def cash_flows(money: Money, settings: EconomicsSettings) -> np.ndarray:
    """Return the cash flow of years 0, 1, 2, ..., moves x (years + 1), 10,000 CNY (D§7.3)."""
    years = money.gained.shape[1]
    lost = (money.held * money.loss)[:, None] * loss_by_year(years)[None, :]
    margin = settings.spread + settings.fee_share
    yearly = (money.gained - lost) * margin + money.saved[:, None]
    return np.column_stack((-money.spent, yearly))


def net_present_value(flows: np.ndarray, discount_rate: float) -> np.ndarray:
    """Discount cash flows whose first column is today."""
    return flows @ (1.0 + discount_rate) ** -np.arange(flows.shape[1], dtype=float)


def payback_years(flows: np.ndarray) -> np.ndarray:
    """Return the year, with its fraction, in which cumulative cash reaches zero; infinite when never."""
    total = np.cumsum(flows, axis=1)
    out = np.full(flows.shape[0], np.inf)
    for move in range(flows.shape[0]):
        back = np.flatnonzero(total[move, 1:] >= 0.0)
        if total[move, 0] >= 0.0:
            out[move] = 0.0
        elif back.size:
            year = int(back[0])
            out[move] = year - total[move, year] / flows[move, year + 1]
    return out


def break_even_retention(money: Money, settings: EconomicsSettings) -> np.ndarray:
    """Return the retention at which the net present value is zero.

    The value is linear in the loss: ``NPV = A - loss B`` with B the present value of the margin on all
    deposits of the old place, so the retention is ``1 - A / B``. Infinite, with the sign of what is lacking,
    where the old place holds nothing.
    """
    years = money.gained.shape[1]
    nothing = Money(money.gained, money.held, np.zeros_like(money.loss), money.saved, money.spent)
    without_loss = net_present_value(cash_flows(nothing, settings), settings.discount_rate)
    discount = (1.0 + settings.discount_rate) ** -np.arange(1, years + 1, dtype=float)
    at_stake = money.held * (settings.spread + settings.fee_share) * (loss_by_year(years) @ discount)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = without_loss / at_stake
    return np.where(at_stake > 0.0, 1.0 - share, np.where(without_loss >= 0.0, -np.inf, np.inf))


def deposits_of(branches: pd.DataFrame, predicted_wan: pd.Series) -> pd.Series:
    """Return deposits by branch: observed where given, else predicted, 10,000 CNY."""
    observed = (
        branches["deposits_wan"].astype(float) if "deposits_wan" in branches else predicted_wan * np.nan
    )
    return observed.fillna(predicted_wan.reindex(branches.index)).astype(float)
