"""Where every outlet stands in the market, kept up to date move by move in the cells that a move touches.

One function puts a network together (`take_stand`, by the sums that `market.share_pairs` is made of), the
other carries out a move (`move`) and says whose customers went where. After any number of moves the standing
is that of a network put together anew.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from siteplanner.model.market import Pairs, overlaps, share_rows, tally

NO_PLACE = -1
"""Stands for no place: a move may only close or only open one."""


NOBODY = (0.0, 0.0, 1.0)
"""Shares (ours, rivals', outside) where nothing pulls."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A network of places, open and shut, with what each wins; `move` changes the last three in place.

    Parameters
    ----------
    pairs
        CSR ``indptr``, ``indices`` and utilities, rows x places, candidates that are shut included.
    rows_of
        The rows of each place: first of each place, and row numbers, ascending.
    outside
        Utility of the outside option by row.
    weights
        What is shared, rows x kinds: visits, deposits, or segments of them.
    own
        Which places are ours.
    is_open
        Which places are open.
    sums
        Utility of our and of rivals' open places by row.
    volumes
        What each place wins, places x (kinds and, last, what siblings would serve of the first kind).
    """

    pairs: Pairs
    rows_of: tuple[np.ndarray, np.ndarray]
    outside: np.ndarray
    weights: np.ndarray
    own: np.ndarray
    is_open: np.ndarray
    sums: np.ndarray
    volumes: np.ndarray

    def copy(self) -> "Standing":
        """Return a standing that moves leave the old one out of."""
        changing = {name: getattr(self, name).copy() for name in ("is_open", "sums", "volumes")}
        return replace(self, **changing)

    def shares(self) -> np.ndarray:
        """Return the shares of each row: ours, rivals', outside."""
        return share_rows(self.sums, self.outside)

    def won(self) -> np.ndarray:
        """Return what each place wins, places x kinds."""
        return self.volumes[:, :-1]

    def overlap(self) -> np.ndarray:
        """Return the share of each place's first kind that our other places would serve (D§6.2)."""
        return overlaps(self.volumes)


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Whose customers a move took, one value for each kind of weight; the new place opens first.

    What the new place wins, ``gained``, comes from our places (the leaving one included), from rivals and
    from outside. What the old one leaves behind, ``left``, goes to our places (the new one included), to
    rivals and outside. ``gained - from_own - to_rivals - to_outside`` is the change of what our places win
    together, where the new place and the old one are ours.

    Parameters
    ----------
    kept
        What our places would keep of ``left`` if its customers felt the pull of the brand times the inertia.
    """

    gained: np.ndarray
    from_own: np.ndarray
    from_rivals: np.ndarray
    from_outside: np.ndarray
    left: np.ndarray
    to_own: np.ndarray
    to_rivals: np.ndarray
    to_outside: np.ndarray
    kept: np.ndarray


def take_stand(
    pairs: Pairs, outside: np.ndarray, weights: np.ndarray, own: np.ndarray, is_open: np.ndarray
) -> Standing:
    """Put a network together: the full computation."""
    sums, volumes = tally(pairs, outside, weights, own, is_open)
    rows_of = _rows_by_place(pairs[0], pairs[1], own.size)
    return Standing(pairs, rows_of, outside, weights, own, is_open.copy(), sums, volumes)


def move(standing: Standing, closed: int, opened: int, *, inertia: float = 1.0) -> Flows:
    """Open one place and close another, in place, in the rows that either reaches.

    Parameters
    ----------
    closed, opened
        Numbers of places, or `NO_PLACE`.
    inertia
        Pull of the own brand on the customers of a closed own place (D§4, kappa), for ``Flows.kept``.

    Raises
    ------
    ValueError
        When the place to close is shut or the place to open is open.
    """
    if closed != NO_PLACE and not standing.is_open[closed]:
        raise ValueError(f"place {closed} is shut already")
    if opened != NO_PLACE and standing.is_open[opened]:
        raise ValueError(f"place {opened} is open already")
    touched = np.union1d(_rows_of(standing, closed), _rows_of(standing, opened))
    flows = np.zeros((9, standing.weights.shape[1]))
    state = (standing.own, standing.is_open, standing.sums, standing.volumes)
    ground = (standing.outside, standing.weights)
    _move(touched, standing.pairs, ground, state, (closed, opened, inertia), flows)
    if closed != NO_PLACE:
        standing.is_open[closed] = False
        # Nothing is left of a shut place, not even what rounding leaves.
        standing.volumes[closed] = 0.0
    if opened != NO_PLACE:
        standing.is_open[opened] = True
    return Flows(*flows)


def _rows_of(standing: Standing, place: int) -> np.ndarray:
    first, rows = standing.rows_of
    return rows[:0] if place == NO_PLACE else rows[first[place] : first[place + 1]]


@njit(cache=True)
def _rows_by_place(
    indptr: np.ndarray, indices: np.ndarray, n_places: int
) -> tuple[np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    first = np.zeros(n_places + 1, dtype=np.int64)
    for place in indices:
        first[place + 1] += 1
    first = np.cumsum(first)
    slot = first[:-1].copy()
    rows = np.empty(indices.size, dtype=np.int32)
    for i in range(indptr.size - 1):
        for pair in range(indptr[i], indptr[i + 1]):
            rows[slot[indices[pair]]] = i
            slot[indices[pair]] += 1
    return first, rows


@njit(cache=True)
def _move(
    touched: np.ndarray,
    pairs: Pairs,
    ground: tuple[np.ndarray, np.ndarray],
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    change: tuple[int, int, float],
    flows: np.ndarray,
) -> None:  # pragma: no cover - compiled
    outside, weights = ground
    own, is_open, sums, _ = state
    closed, opened, inertia = change
    for i in touched:
        was = (sums[i, 0], sums[i, 1])
        ours, rivals, old, new = _sum_row(i, pairs, (own, is_open), (closed, opened))
        sums[i, 0], sums[i, 1] = ours, rivals
        _tell_places(i, pairs, ground, state, (closed, opened), was)
        _tell_flows(weights[i], (old, new, inertia), (*was, outside[i]), (ours, rivals, outside[i]), flows)


@njit(cache=True)
def _sum_row(
    i: int, pairs: Pairs, state: tuple[np.ndarray, np.ndarray], change: tuple[int, int]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    """Return the utility of our and of rivals' places in a row after a move, of the old and of the new place.

    Summed anew, not by difference, so that nothing builds up over many moves.
    """
    indptr, indices, utility = pairs
    own, is_open = state
    closed, opened = change
    ours = rivals = old = new = 0.0
    for pair in range(indptr[i], indptr[i + 1]):
        place = indices[pair]
        if place == closed:
            old = utility[pair]
            continue
        if place == opened:
            new = utility[pair]
        elif not is_open[place]:
            continue
        if own[place]:
            ours += utility[pair]
        else:
            rivals += utility[pair]
    return ours, rivals, old, new


@njit(cache=True)
def _tell_places(
    i: int,
    pairs: Pairs,
    ground: tuple[np.ndarray, np.ndarray],
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    change: tuple[int, int],
    was: tuple[float, float],
) -> None:  # pragma: no cover - compiled
    """Add to what every place of a row wins what the move makes of it."""
    indptr, indices, utility = pairs
    outside, weights = ground
    own, is_open, sums, volumes = state
    closed, opened = change
    before, after = outside[i] + was[0] + was[1], outside[i] + sums[i, 0] + sums[i, 1]
    scale_before = 1.0 / before if before > 0.0 else 0.0
    scale_after = 1.0 / after if after > 0.0 else 0.0
    last = weights.shape[1]
    for pair in range(indptr[i], indptr[i + 1]):
        place, pull = indices[pair], utility[pair]
        if place != opened and not is_open[place]:
            continue
        then = 0.0 if place == opened else pull * scale_before
        now = 0.0 if place == closed else pull * scale_after
        for kind in range(last):
            volumes[place, kind] += weights[i, kind] * (now - then)
        if own[place]:
            served = now * _others(sums[i, 0], pull) - then * _others(was[0], pull)
            volumes[place, last] += weights[i, 0] * served


@njit(cache=True)
def _others(ours: float, pull: float) -> float:  # pragma: no cover - compiled
    """Return the share of our utility in a row that is not this place's."""
    return max(ours - pull, 0.0) / ours if ours > 0.0 else 0.0


@njit(cache=True)
def _tell_flows(
    weights: np.ndarray,
    moved: tuple[float, float, float],
    was: tuple[float, float, float],
    now: tuple[float, float, float],
    flows: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Say where the new place's customers of a row come from, and where the old place's go.

    Both follow the utilities: of a customer won, each alternative gives up its share before, of one left,
    each takes its share after. Where nothing pulls, customers are outside.
    """
    old, new, inertia = moved
    before, after = was[0] + was[1] + was[2], now[0] + now[1] + now[2]
    both = before + new
    drawn, left = (new / both, old / both) if both > 0.0 else (0.0, 0.0)
    loyal = inertia * now[0]
    kept = loyal / (loyal + now[1] + now[2]) if loyal > 0.0 else 0.0
    for kind in range(weights.size):
        gain, loss = weights[kind] * drawn, weights[kind] * left
        flows[0, kind] += gain
        flows[4, kind] += loss
        flows[8, kind] += loss * kept
        for whose in range(3):
            flows[1 + whose, kind] += gain * (was[whose] / before if before > 0.0 else NOBODY[whose])
            flows[5 + whose, kind] += loss * (now[whose] / after if after > 0.0 else NOBODY[whose])
