"""Where every outlet stands in the market, kept up to date move by move in the cells that a move touches.

One function puts a network together (`take_stand`, by the sums that `market.share_pairs` is made of), the
other carries out a move (`move`) and says whose customers went where.

Customers whose own branch has closed weigh our brand by the inertia kappa whenever they choose again (D§4);
all others choose as new customers do. Of each row the standing holds the share that once lost its branch.
Shares by utility do not depend on what else there is to choose, so that those who leave with a branch can be
told apart without any change to the shares of those who stay. After any number of moves the standing is that
of these two groups sharing the open places anew.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy import sparse

from siteplanner.model.market import Pairs, overlaps, share_rows, tally

NO_PLACE = -1
"""Stands for no place: a move may only close or only open one."""


NOBODY = (0.0, 0.0, 1.0)
"""Shares (ours, rivals', outside) where nothing pulls."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A network of places, open and shut, with what each wins; `move` changes the last four in place.

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
    sticky
        By kind: 1 where it is of customers whom inertia can hold, 0 where they are still to come.
    inertia
        kappa, pull of the own brand on customers whose own branch has closed (D§4).
    is_open
        Which places are open.
    sums
        Utility of our and of rivals' open places by row.
    volumes
        What each place wins, places x (kinds and, last, what siblings would serve of the first kind).
    loyal
        Share of each row whose own branch has closed.
    """

    pairs: Pairs
    rows_of: tuple[np.ndarray, np.ndarray]
    outside: np.ndarray
    weights: np.ndarray
    own: np.ndarray
    sticky: np.ndarray
    inertia: float
    is_open: np.ndarray
    sums: np.ndarray
    volumes: np.ndarray
    loyal: np.ndarray

    def copy(self) -> "Standing":
        """Return a standing that moves leave the old one out of."""
        changing = {name: getattr(self, name).copy() for name in ("is_open", "sums", "volumes", "loyal")}
        return replace(self, **changing)

    def shares(self) -> np.ndarray:
        """Return the shares of each row (ours, rivals', outside) of the customers there are today."""
        anew, again = self._shares_by_group()
        return np.asarray(anew + self.loyal[:, None] * (again - anew))

    def held(self) -> np.ndarray:
        """Return, by kind, what we have only because customers of closed branches are drawn to our brand."""
        anew, again = self._shares_by_group()
        more = self.loyal * (again[:, 0] - anew[:, 0])
        return np.asarray((self.weights * more[:, None]).sum(axis=0) * self.sticky)

    def won(self) -> np.ndarray:
        """Return what each place wins, places x kinds."""
        return self.volumes[:, :-1]

    def overlap(self) -> np.ndarray:
        """Return the share of each place's first kind that our other places would serve (D§6.2)."""
        return overlaps(self.volumes)

    def _shares_by_group(self) -> tuple[np.ndarray, np.ndarray]:
        pulled = self.sums * np.array([self.inertia, 1.0])
        return share_rows(self.sums, self.outside), share_rows(pulled, self.outside)


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Whose customers a move took, one value for each kind of weight; the new place opens first.

    What the new place wins, ``gained``, comes from our places (the leaving one included), from rivals and
    from outside. What the old one leaves behind, ``left``, goes to our places (the new one included), to
    rivals and outside. ``gained - from_own - to_rivals - to_outside`` is the change of what our places win
    together, where the new place and the old one are ours.
    """

    gained: np.ndarray
    from_own: np.ndarray
    from_rivals: np.ndarray
    from_outside: np.ndarray
    left: np.ndarray
    to_own: np.ndarray
    to_rivals: np.ndarray
    to_outside: np.ndarray


def take_stand(
    pairs: Pairs,
    outside: np.ndarray,
    weights: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    *,
    inertia: float = 1.0,
    sticky: np.ndarray | None = None,
) -> Standing:
    """Put a network together: the full computation. Nobody has lost a branch yet.

    Parameters
    ----------
    places
        Which places are ours, and which are open.
    inertia
        kappa (D§4); at 1 nobody is drawn to the brand.
    sticky
        By kind, whether its customers are there already and inertia can hold them; all when absent.
    """
    own, is_open = places
    sums, volumes = tally(pairs, outside, weights, own, is_open)
    rows_of = _rows_by_place(pairs, own.size)
    kinds = np.ones(weights.shape[1]) if sticky is None else np.asarray(sticky, dtype=float)
    nobody = np.zeros(outside.size)
    return Standing(
        pairs, rows_of, outside, weights, own, kinds, float(inertia), is_open.copy(), sums, volumes, nobody
    )


def move(standing: Standing, closed: int, opened: int) -> Flows:
    """Open one place and close another, in place, in the rows that either reaches.

    Parameters
    ----------
    closed, opened
        Numbers of places, or `NO_PLACE`.

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
    flows = np.zeros((8, standing.weights.shape[1]))
    state = (standing.own, standing.is_open, standing.sums, standing.volumes, standing.loyal)
    ground = (standing.outside, standing.weights, standing.sticky)
    _move(touched, standing.pairs, ground, state, (closed, opened, standing.inertia), flows)
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


def _rows_by_place(pairs: Pairs, n_places: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the rows of each place begin, and the rows that reach it."""
    indptr, indices = pairs[:2]
    reached = (np.ones(indices.size, dtype=np.int8), indices, indptr)
    by_place = sparse.csr_array(reached, shape=(indptr.size - 1, n_places)).tocsc()
    return by_place.indptr, by_place.indices


@njit(cache=True)
def _move(
    touched: np.ndarray,
    pairs: Pairs,
    ground: tuple[np.ndarray, np.ndarray, np.ndarray],
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    change: tuple[int, int, float],
    flows: np.ndarray,
) -> None:  # pragma: no cover - compiled
    outside, weights, sticky = ground
    own, is_open, sums, _, loyal = state
    closed, opened, inertia = change
    brand = (inertia if closed >= 0 and own[closed] else 1.0, inertia if opened >= 0 and own[opened] else 1.0)
    for i in touched:
        was = (sums[i, 0], sums[i, 1], outside[i])
        ours, rivals, old, new = _sum_row(i, pairs, (own, is_open), (closed, opened))
        now = (ours, rivals, outside[i])
        sums[i, 0], sums[i, 1] = ours, rivals
        before = loyal[i]
        everyone = was[0] + was[1] + was[2] + new
        if closed >= 0 and own[closed] and everyone > 0.0:
            loyal[i] += (1.0 - before) * old / everyone
        pulls = ((was[0], was[1] + was[2]), (now[0], now[1] + now[2]))
        shares = (before * sticky, loyal[i] * sticky)
        _tell_places(i, pairs, (weights, shares), state, (closed, opened, inertia), pulls)
        # Those who lost a branch of ours are drawn to the brand from now on, those of a rival's are not.
        again = inertia if closed >= 0 and own[closed] else 1.0
        moved, later = (old, new), (brand[0] * old, brand[1] * new)
        for kind in range(weights.shape[1]):
            held = shares[0][kind]
            turns = inertia if sticky[kind] > 0.0 else 1.0
            first = (weights[i, kind] * (1.0 - held), 1.0, again if turns > 1.0 else 1.0)
            _tell_flows(first, moved, was, now, flows[:, kind])
            if held > 0.0:
                _tell_flows((weights[i, kind] * held, turns, turns), later, was, now, flows[:, kind])


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
    ground: tuple[np.ndarray, tuple[np.ndarray, np.ndarray]],
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    change: tuple[int, int, float],
    pulls: tuple[tuple[float, float], tuple[float, float]],
) -> None:  # pragma: no cover - compiled
    """Add to what every place of a row wins what the move makes of it."""
    indptr, indices, utility = pairs
    weights, (held_before, held_after) = ground
    own, is_open, _, volumes, _ = state
    closed, opened, inertia = change
    (ours_before, rest_before), (ours_after, rest_after) = pulls
    anew = (_inverse(ours_before + rest_before), _inverse(ours_after + rest_after))
    again = (_inverse(inertia * ours_before + rest_before), _inverse(inertia * ours_after + rest_after))
    last = weights.shape[1]
    for pair in range(indptr[i], indptr[i + 1]):
        place, pull = indices[pair], utility[pair]
        if place != opened and not is_open[place]:
            continue
        before = 0.0 if place == opened else pull
        after = 0.0 if place == closed else pull
        brand = inertia if own[place] else 1.0
        for kind in range(last):
            then = before * _mix(held_before[kind], anew[0], brand * again[0])
            now = after * _mix(held_after[kind], anew[1], brand * again[1])
            volumes[place, kind] += weights[i, kind] * (now - then)
            if kind == 0 and own[place]:
                served = now * _others(ours_after, pull) - then * _others(ours_before, pull)
                volumes[place, last] += weights[i, 0] * served


@njit(cache=True)
def _inverse(total: float) -> float:  # pragma: no cover - compiled
    return 1.0 / total if total > 0.0 else 0.0


@njit(cache=True)
def _mix(share: float, rest: float, part: float) -> float:  # pragma: no cover - compiled
    return (1.0 - share) * rest + share * part


@njit(cache=True)
def _others(ours: float, pull: float) -> float:  # pragma: no cover - compiled
    """Return the share of our utility in a row that is not this place's."""
    return max(ours - pull, 0.0) / ours if ours > 0.0 else 0.0


@njit(cache=True)
def _tell_flows(
    group: tuple[float, float, float],
    moved: tuple[float, float],
    was: tuple[float, float, float],
    now: tuple[float, float, float],
    flows: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Say where the new place's customers of a row come from, and where the old place's go.

    Both follow the utilities: of a customer won, each alternative gives up its share before, of one left,
    each takes its share after. Where nothing pulls, customers are outside.

    Parameters
    ----------
    group
        Weight of a group of customers, and the factor of our pull on them before and after the closing.
    moved
        Utility to them of the old and of the new place.
    """
    weight, brand, again = group
    old, new = moved
    before, after = brand * was[0] + was[1] + was[2], again * now[0] + now[1] + now[2]
    if before + new <= 0.0:
        return
    gain, loss = weight * new / (before + new), weight * old / (before + new)
    flows[0] += gain
    flows[4] += loss
    for whose in range(3):
        source = (brand if whose == 0 else 1.0) * was[whose]
        goal = (again if whose == 0 else 1.0) * now[whose]
        flows[1 + whose] += gain * (source / before if before > 0.0 else NOBODY[whose])
        flows[5 + whose] += loss * (goal / after if after > 0.0 else NOBODY[whose])
