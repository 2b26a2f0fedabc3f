"""The market and coverage effect of each move, in the order of the plan (D§7.1)."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from siteplanner.model.capture import Network, near_matrix
from siteplanner.model.contest import Contest


@dataclass(frozen=True, slots=True, eq=False)
class MoveEffects:
    """Effects by move; volumes in visits a day and 10,000 CNY."""

    gross_visits: np.ndarray
    cannibalised_visits: np.ndarray
    lost_visits: np.ndarray
    recaptured_visits: np.ndarray
    gross_wan: np.ndarray
    cannibalised_wan: np.ndarray
    gross_pipeline_wan: np.ndarray
    cannibalised_pipeline_wan: np.ndarray
    retention_choice: np.ndarray
    covered_gained: np.ndarray
    covered_lost: np.ndarray
    aged_60: np.ndarray


def trace_effects(
    contest: Contest, after: Network, moved: np.ndarray, cover_min: float, inertia: float
) -> MoveEffects:
    """Carry out the moves one by one on the cells they touch.

    In each step the new place opens first: what it draws is the gross gain, and what of that came from own
    outlets, the leaving one included, is cannibalised. Then the old place closes: its visits are recaptured
    by own outlets or lost. ``gross - cannibalised - lost`` is exactly the change of the bank's volume, so the
    sum over the moves is the difference between the networks before and after.

    Parameters
    ----------
    after
        The network after the plan; column j is the same branch as before, at its new place if it moved.
    moved
        Columns of the moved branches in the order of the plan.
    inertia
        Pull of the own brand on customers whose branch leaves (D§4, kappa).
    """
    before = contest.network
    own_before, own_after = sp.csc_array(before.own), sp.csc_array(after.own)
    near_before = sp.csc_array(near_matrix(before.own_minutes, cover_min))
    near_after = sp.csc_array(near_matrix(after.own_minutes, cover_min))
    utility = before.own.sum(axis=1)
    near = np.bincount(near_before.indices, minlength=utility.size)
    weights = np.column_stack((contest.visits, contest.deposits, contest.pipeline))
    closest = _nearest_branch(before.own_minutes)
    rows = []
    for column in moved.tolist():
        opened = _open(weights, before.rest, utility, _column(own_after, column))
        closed = _close(weights, before.rest, utility, _column(own_before, column), inertia)
        covered = _cover(contest.residents, near, near_before[:, [column]], near_after[:, [column]])
        rows.append([*opened, *closed, *covered, contest.aged_60[closest == column].sum()])
    table = np.array(rows, dtype=float).reshape(len(rows), 12).T
    return MoveEffects(
        gross_visits=table[0],
        gross_wan=table[1],
        gross_pipeline_wan=table[2],
        cannibalised_visits=table[3],
        cannibalised_wan=table[4],
        cannibalised_pipeline_wan=table[5],
        lost_visits=table[6],
        recaptured_visits=table[7],
        retention_choice=table[8],
        covered_gained=table[9],
        covered_lost=table[10],
        aged_60=table[11],
    )


def _column(matrix: sp.csc_array, column: int) -> tuple[np.ndarray, np.ndarray]:
    part = slice(matrix.indptr[column], matrix.indptr[column + 1])
    return matrix.indices[part], matrix.data[part]


def _open(
    weights: np.ndarray, rest: np.ndarray, utility: np.ndarray, new: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Open a place in place; return its volumes, then what of them comes from own outlets."""
    rows, u = new
    own, other = utility[rows], rest[rows]
    share = u / (other + own + u)
    from_own = share * own / (other + own)
    utility[rows] = own + u
    return np.concatenate((share @ weights[rows], from_own @ weights[rows]))


def _close(
    weights: np.ndarray,
    rest: np.ndarray,
    utility: np.ndarray,
    old: tuple[np.ndarray, np.ndarray],
    inertia: float,
) -> np.ndarray:
    """Close a place in place; return visits lost and recaptured, and the retention of the choice model.

    The last lets every customer of the place choose anew with the pull of the own brand times ``inertia``.
    """
    rows, u = old
    own, other = utility[rows], rest[rows]
    left = np.maximum(own - u, 0.0)
    visits = weights[rows, 0] * u / (other + own)
    lost = visits * other / (other + left)
    kept = visits * inertia * left / (other + inertia * left)
    utility[rows] = left
    total = visits.sum()
    return np.array([lost.sum(), (visits - lost).sum(), kept.sum() / total if total > 0.0 else 1.0])


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
