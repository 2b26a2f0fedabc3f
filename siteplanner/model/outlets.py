"""Outlets of all banks on one scale of attractiveness and counter-hours."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.scenario import AccessSettings, MarketSettings

# Factors of the service rating (D§4 [A]).
RATING_FACTOR = {"A": 1.10, "B": 1.00, "C": 0.95, "D": 0.90}
# Opening hours of a branch whose attractiveness is neither raised nor lowered by them (D§4: hours / 40).
USUAL_HOURS = 40.0

# Where hours of a weekday are known.
OPENING = ("opens_at", "closes_at")

# Counters of a usual branch, where no own branch has any; no source.
USUAL_COUNTERS = 4.0


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What attractiveness and supply are measured against: taken once, from the network of today.

    Parameters
    ----------
    own_attractiveness
        Mean raw attractiveness of own branches: a rival's class prior is a multiple of it.
    own_counter_hours
        Mean counter-hours a week of own branches that have counters: a rival is assumed to have its class
        prior times these (no data on rivals' counters).
    unit
        Raw attractiveness that counts as 1: the mean of all outlets.
    """

    own_attractiveness: float
    own_counter_hours: float
    unit: float


def raw_attractiveness(capacity: pd.DataFrame, settings: MarketSettings) -> np.ndarray:
    """Return counter-equivalents to the power, times opening hours and rating, before scaling (D§4).

    Divide by `Yardstick.unit` to compare with `tables.OUTLETS`.

    Parameters
    ----------
    capacity
        Columns ``counters``, ``smart_devices``, ``atms``, ``hours_per_week``, ``rating``, all filled.
    """
    equivalents = (
        capacity["counters"]
        + settings.device_equivalent * capacity["smart_devices"]
        + settings.atm_equivalent * capacity["atms"]
    ).to_numpy(dtype=float)
    hours = capacity["hours_per_week"].to_numpy(dtype=float) / USUAL_HOURS
    rating = capacity["rating"].map(RATING_FACTOR).to_numpy(dtype=float)
    return np.asarray(equivalents**settings.capacity_exponent * hours * rating)


def weigh(attractiveness: np.ndarray, settings: MarketSettings) -> np.ndarray:
    """Return attractiveness to the power alpha; what has none wins nobody, whatever the power."""
    return np.asarray(np.where(attractiveness > 0.0, attractiveness**settings.attractiveness_exponent, 0.0))


def counter_hours(capacity: pd.DataFrame, settings: MarketSettings) -> np.ndarray:
    """Return counter-hours a week; a smart device counts as its share of a counter (D§5)."""
    counters = capacity["counters"] + settings.device_equivalent * capacity["smart_devices"]
    return (counters * capacity["hours_per_week"]).to_numpy(dtype=float)


def take_yardstick(branches: pd.DataFrame, competitors: pd.DataFrame, settings: MarketSettings) -> Yardstick:
    """Measure today's network, so that outlets of tomorrow are put on the same scale."""
    own_branches = branches.sort_index()
    raw = raw_attractiveness(own_branches, settings)
    hours = counter_hours(own_branches, settings)
    staffed = own_branches["counters"].to_numpy() > 0
    own = float(raw.mean()) if raw.size and raw.sum() > 0.0 else 1.0
    mean_hours = float(hours[staffed].mean()) if staffed.any() else USUAL_COUNTERS * USUAL_HOURS
    everyone = np.concatenate([raw, own * rival_prior(competitors.sort_index(), settings)])
    unit = float(everyone.mean()) if everyone.sum() > 0.0 else 1.0
    return Yardstick(own, mean_hours, unit)


def rival_prior(competitors: pd.DataFrame, settings: MarketSettings) -> np.ndarray:
    """Return the attractiveness of each rival against a mean own branch, from its class (D§4 [A])."""
    prior = {name: getattr(settings, f"rival_{name}", np.nan) for name in tables.BANK_CLASSES}
    values = competitors["class"].map(prior).to_numpy(dtype=float)
    township = competitors["tier"].isin(["T", "V"]).to_numpy()
    rural = np.where(township, settings.rival_rural_township, settings.rival_rural_urban)
    return np.where((competitors["class"] == "rural").to_numpy(), rural, values)


def list_outlets(
    branches: pd.DataFrame,
    competitors: pd.DataFrame,
    settings: MarketSettings,
    *,
    yardstick: Yardstick | None = None,
) -> pd.DataFrame:
    """Put the outlets of all banks in one table with attractiveness and counter-hours (D§4).

    Attractiveness is told to the power alpha: what it weighs in the choice of an outlet.

    Parameters
    ----------
    branches, competitors
        `tables.BRANCHES`, equipped (see `catalogue.equip`), and `tables.COMPETITORS`, with `tables.PLACED`.
    yardstick
        Scale of today's network when the branches are those after a plan; measured here when absent.
    """
    scale = yardstick or take_yardstick(branches, competitors, settings)
    own, rivals = branches.sort_index(), competitors.sort_index()
    prior = rival_prior(rivals, settings)
    place = ["lon", "lat", *(column.name for column in tables.PLACED)]
    hours = [[name for name in OPENING if name in table] for table in (own, rivals)]
    ours = own[place + hours[0]].assign(
        own=True,
        attractiveness=weigh(raw_attractiveness(own, settings) / scale.unit, settings),
        counter_hours=counter_hours(own, settings),
    )
    theirs = rivals[place + hours[1]].assign(
        own=False,
        attractiveness=weigh(prior * scale.own_attractiveness / scale.unit, settings),
        counter_hours=prior * scale.own_counter_hours,
    )
    frames = [frame for frame in (ours, theirs) if len(frame)] or [ours]
    outlets = pd.concat(frames)
    return outlets.set_axis(outlets.index.rename("outlet_id"))


def open_throughout(outlets: pd.DataFrame, settings: AccessSettings) -> np.ndarray:
    """Tell which outlets are open in all the hours asked for; those that tell none keep the usual hours."""
    usual = {"opens_at": settings.usual_opens_at, "closes_at": settings.usual_closes_at}
    told = outlets.reindex(columns=list(usual)).astype(float).fillna(usual)
    if settings.hours_from is None or settings.hours_to is None:
        return np.ones(len(outlets), dtype=bool)
    begin, end = told["opens_at"] <= settings.hours_from, told["closes_at"] >= settings.hours_to
    return np.asarray(begin & end)
