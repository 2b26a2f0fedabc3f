"""The market and coverage effect of each move, in the order of the plan (D§7.1)."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from siteplanner.model.capture import near_matrix
from siteplanner.model.contest import Contest
from siteplanner.model.standing import Flows, Standing, move

VISITS, DEPOSITS, PIPELINE = 0, 1, 2
N_KINDS = 3
"""Columns of the weights: visits a day, deposits and the pipeline's, 10,000 CNY."""

STICKY = (1.0, 1.0, 0.0)
"""Inertia holds the customers there are today, not those still to move in (D§4)."""


@dataclass(frozen=True, slots=True, eq=False)
class MoveEffects:
    """Effects by move; volumes in visits a day and 10,000 CNY."""

    gross_visits: np.ndarray
    cannibalised_visits: np.ndarray
    from_rivals_visits: np.ndarray
    from_outside_visits: np.ndarray
    lost_visits: np.ndarray
    recaptured_visits: np.ndarray
    to_rivals_visits: np.ndarray
    to_outside_visits: np.ndarray
    gross_wan: np.ndarray
    cannibalised_wan: np.ndarray
    left_wan: np.ndarray
    recaptured_wan: np.ndarray
    gross_pipeline_wan: np.ndarray
    cannibalised_pipeline_wan: np.ndarray
    retention_choice: np.ndarray
    covered_gained: np.ndarray
    covered_lost: np.ndarray
    aged_60: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where each move leaves and where it goes, as places of the standing, in the order of the plan.

    Parameters
    ----------
    minutes
        Travel time to the new places, rows x moves.
    """

    old: np.ndarray
    new: np.ndarray
    minutes: sp.csr_array


def trace_effects(contest: Contest, standing: Standing, places: Places, cover_min: float) -> MoveEffects:
    """Carry out the moves one by one on the cells they touch; the standing ends as that after the plan.

    In each step the new place opens first: what it draws is the gross gain, and what of that came from own
    outlets, the leaving one included, is cannibalised. Then the old place closes: its visits are recaptured
    by own outlets or lost. ``gross - cannibalised - lost`` is exactly the change of the bank's volume, so the
    sum over the moves is the difference between the networks before and after.

    Parameters
    ----------
    standing
        Of today, new places shut; its weights are visits, deposits and pipeline. Changed in place.
    """
    minutes = contest.network.own_minutes
    near_before = sp.csc_array(near_matrix(minutes, cover_min))
    near_after = sp.csc_array(near_matrix(places.minutes, cover_min))
    near = np.bincount(near_before.indices, minlength=minutes.shape[0])
    closest = _nearest_branch(minutes)
    flows, covered, aged_60 = [], [], []
    for step, (closed, opened) in enumerate(zip(places.old.tolist(), places.new.tolist(), strict=True)):
        flows.append(move(standing, closed, opened))
        covered.append(_cover(contest.residents, near, near_before[:, [closed]], near_after[:, [step]]))
        aged_60.append(contest.aged_60[closest == closed].sum())
    table = {name: _stack(flows, name) for name in Flows.__dataclass_fields__}
    visits = {name: values[:, VISITS] for name, values in table.items()}
    left, recaptured = table["left"][:, DEPOSITS], table["to_own"][:, DEPOSITS]
    return MoveEffects(
        gross_visits=visits["gained"],
        cannibalised_visits=visits["from_own"],
        from_rivals_visits=visits["from_rivals"],
        from_outside_visits=visits["from_outside"],
        lost_visits=visits["to_rivals"] + visits["to_outside"],
        recaptured_visits=visits["to_own"],
        to_rivals_visits=visits["to_rivals"],
        to_outside_visits=visits["to_outside"],
        gross_wan=table["gained"][:, DEPOSITS],
        cannibalised_wan=table["from_own"][:, DEPOSITS],
        left_wan=left,
        recaptured_wan=recaptured,
        gross_pipeline_wan=table["gained"][:, PIPELINE],
        cannibalised_pipeline_wan=table["from_own"][:, PIPELINE],
        retention_choice=np.divide(recaptured, left, out=np.ones(left.size), where=left > 0.0),
        covered_gained=np.array([gained for gained, _ in covered], dtype=float),
        covered_lost=np.array([lost for _, lost in covered], dtype=float),
        aged_60=np.array(aged_60, dtype=float),
    )


def _stack(flows: list[Flows], name: str) -> np.ndarray:
    return np.array([getattr(flow, name) for flow in flows], dtype=float).reshape(len(flows), N_KINDS)


def _cover(people: np.ndarray, near: np.ndarray, old: sp.csc_array, new: sp.csc_array) -> tuple[float, float]:
    """Count a place in and another out, in place; return people brought within reach and people who leave."""
    gained = people[new.indices][near[new.indices] == 0].sum()
    near[new.indices] += 1
    near[old.indices] -= 1
    lost = people[old.indices][near[old.indices] == 0].sum()
    return float(gained), float(lost)


def _nearest_branch(minutes: sp.csr_array) -> np.ndarray:
    """Return the column of the nearest own outlet by row, the first of equals; -1 without one."""
    out = np.full(minutes.shape[0], -1, dtype=np.int64)
    rows = np.repeat(np.arange(minutes.shape[0]), np.diff(minutes.indptr))
    order = np.lexsort((minutes.indices, minutes.data, rows))
    first = order[np.unique(rows[order], return_index=True)[1]]
    out[rows[first]] = minutes.indices[first]
    return out
