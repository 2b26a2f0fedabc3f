"""What the customers of a leaving branch find: extra distance, neighbours, rivals at the door (D§7.2)."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplanner.model.capture import second_nearest
from siteplanner.model.contest import Contest, points_of
from siteplanner.model.economics import RIVAL_NEAR_KM
from siteplanner.model.sphere import nearest_km

NEIGHBOURHOOD_SHARE = 0.5
"""A branch is the last of its neighbourhood when fewer of its customers than this have another own outlet
within `AccessSettings.cover_min`; no source."""


def own_volumes(contest: Contest, weight: np.ndarray) -> sp.csr_array:
    """Return the volume that each own outlet draws from each row, rows x outlets."""
    own = contest.network.own
    total = contest.network.rest + own.sum(axis=1)
    scale = np.repeat(weight / total, np.diff(own.indptr))
    return sp.csr_array((own.data * scale, own.indices, own.indptr), shape=own.shape)


def leave_today(contest: Contest, cover_min: float) -> tuple[np.ndarray, np.ndarray]:
    """Return extra km and last-of-its-neighbourhood for each own branch, were it alone to leave.

    Without another own outlet within reach, the reach itself stands in: the least extra distance there is.
    """
    minutes = contest.network.own_minutes
    beyond = contest.reach_km / contest.km_per_minute
    other = second_nearest(minutes.indptr, minutes.data, beyond)
    return _weigh(contest, minutes, other, cover_min)


def leave_for_good(
    contest: Contest, minutes_after: np.ndarray, cover_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same after a plan, given the minutes to the nearest own outlet of the plan by row."""
    minutes = contest.network.own_minutes
    beyond = contest.reach_km / contest.km_per_minute
    nearest = np.where(np.isfinite(minutes_after), minutes_after, beyond)
    return _weigh(contest, minutes, np.repeat(nearest, np.diff(minutes.indptr)), cover_min)


def _weigh(
    contest: Contest, minutes: sp.csr_array, other: np.ndarray, cover_min: float
) -> tuple[np.ndarray, np.ndarray]:
    volumes = own_volumes(contest, contest.visits).data
    km = np.repeat(contest.km_per_minute, np.diff(minutes.indptr))
    extra = np.maximum(other - minutes.data, 0.0) * km
    size = minutes.shape[1]
    customers = np.bincount(minutes.indices, weights=volumes, minlength=size)
    weighted = np.bincount(minutes.indices, weights=volumes * extra, minlength=size)
    served = np.bincount(minutes.indices, weights=volumes * (other <= cover_min), minlength=size)
    with np.errstate(invalid="ignore"):
        extra_km = np.where(customers > 0.0, weighted / customers, 0.0)
        share = np.where(customers > 0.0, served / customers, 1.0)
    return extra_km, share < NEIGHBOURHOOD_SHARE


def rivals_at_door(branches: pd.DataFrame, competitors: pd.DataFrame) -> np.ndarray:
    """Tell which branches have a rival within `RIVAL_NEAR_KM`."""
    near, _ = nearest_km(points_of(branches), points_of(competitors))
    return np.asarray(near <= RIVAL_NEAR_KM)
