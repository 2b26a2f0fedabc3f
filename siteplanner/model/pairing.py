"""Which closing branch goes to which opening site, and in which order (D§7.4, D§13.3)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from siteplanner.model.rules import Ground, breaks, is_legal
from siteplanner.model.sphere import distances_km

PAIR_WEIGHTS = {"release": 0.3, "attract": 0.3, "gain": 0.3, "distance": 0.1}
"""Shares of the pair score; no source. The first two settle nothing once the sets are chosen: they tell."""

ILLEGAL = 1e6
"""Cost of a pair that the law forbids; far above any score."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of branch and place with their parts, in the order of the branches."""

    branch: np.ndarray
    place: np.ndarray
    distance_km: np.ndarray
    gain: np.ndarray
    parts: pd.DataFrame

    def take(self, order: list[int]) -> "Pairs":
        """Return some of the pairs, in another order."""
        return Pairs(
            self.branch[order],
            self.place[order],
            self.distance_km[order],
            self.gain[order],
            self.parts.iloc[order].reset_index(drop=True),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Merits:
    """What speaks for each place: release score of branches, attract score of sites, worth when switched."""

    score: np.ndarray
    gain: np.ndarray


def pair_up(ground: Ground, closed: np.ndarray, opened: np.ndarray, merits: Merits) -> Pairs:
    """Assign every closing branch a site of its prefecture so that the sum of legal pair scores is largest.

    The pair score is out of 100: release and attract score, worth of the pair (net of what leaving costs)
    between the least and the most of all legal pairs, and nearness against the longest legal pair.
    """
    legal = is_legal(ground, closed, opened)
    distance = distances_km(ground.unit[closed], ground.unit[opened])
    gain = merits.gain[opened][None, :] - merits.gain[closed][:, None]
    parts = {
        "release": np.broadcast_to(merits.score[closed][:, None] / 100.0, gain.shape),
        "attract": np.broadcast_to(merits.score[opened][None, :] / 100.0, gain.shape),
        "gain": _between(gain, legal),
        "distance": 1.0 - distance / max(float(distance[legal].max(initial=0.0)), np.finfo(float).tiny),
    }
    points = {name: 100.0 * PAIR_WEIGHTS[name] * part.clip(0.0, 1.0) for name, part in parts.items()}
    rows, columns = _assign(np.where(legal, -sum(points.values()), ILLEGAL), ground, closed, opened)
    return Pairs(
        branch=closed[rows],
        place=opened[columns],
        distance_km=distance[rows, columns],
        gain=gain[rows, columns],
        parts=pd.DataFrame({f"part_{name}": point[rows, columns] for name, point in points.items()}),
    )


def _between(values: np.ndarray, legal: np.ndarray) -> np.ndarray:
    if not legal.any():
        return np.zeros_like(values)
    low, high = values[legal].min(), values[legal].max()
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)


def _assign(
    cost: np.ndarray, ground: Ground, closed: np.ndarray, opened: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = [], []
    for prefecture in np.unique(ground.prefecture[closed]):
        left = np.flatnonzero(ground.prefecture[closed] == prefecture)
        right = np.flatnonzero(ground.prefecture[opened] == prefecture)
        chosen_left, chosen_right = linear_sum_assignment(cost[np.ix_(left, right)])
        rows.append(left[chosen_left])
        columns.append(right[chosen_right])
    row = np.concatenate([*rows, np.empty(0, dtype=np.int64)])
    column = np.concatenate([*columns, np.empty(0, dtype=np.int64)])
    order = np.argsort(row, kind="stable")
    return row[order], column[order]


def order_moves(ground: Ground, pairs: Pairs) -> tuple[Pairs, list[np.ndarray]]:
    """Put moves in order: the most worthy first whose step leaves every rule kept.

    Within a step the new place opens before the old one closes, so a step is judged by the network after it.
    A move that waits for another (a site beside a branch that has yet to leave, a county at its floor) is
    taken up as soon as it may be. Moves that block each other for ever are left out: what remains is legal.

    Returns
    -------
    ordered, networks
        The pairs in order, and the network after each step from today on.
    """
    waiting = sorted(range(pairs.branch.size), key=lambda at: (-pairs.gain[at], int(pairs.branch[at])))
    network = ground.today
    order: list[int] = []
    networks = [network]
    while waiting:
        ready = next((at for at in waiting if not breaks(ground, _step(network, pairs, at))), None)
        if ready is None:
            break
        network = _step(network, pairs, ready)
        order.append(ready)
        networks.append(network)
        waiting.remove(ready)
    return pairs.take(order), networks


def _step(network: np.ndarray, pairs: Pairs, at: int) -> np.ndarray:
    after = network.copy()
    after[pairs.branch[at]] = pairs.place[at]
    return after
