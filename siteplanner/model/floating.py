"""Floating catchments: how much service there is for each person, when all within reach compete for it."""

import numpy as np
from numba import njit, prange

# Rows are added up in this many runs, whatever the number of threads, so that sums are always the same.
RUNS = 64

# An equilibrium is reached when no place's load changes by more than this share of the total in a round.
SETTLED_SHARE = 1e-9
ROUNDS_MAX = 1_000

# indptr, indices, weight or minutes by pair.
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def two_step(pairs: Pairs, people: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return supply per person by row: R_j = S_j / sum_i P_i w_ij and A_i = sum_j R_j w_ij.

    With weights of 0 and 1 the measure of Luo & Wang (2003), with bands that of Luo & Qi (2009). The sum of
    people x access is the sum of the supply that has people within reach.

    Parameters
    ----------
    pairs
        Rows x places with the weight of each pair.
    people, supply
        By row, by place.
    """
    ratio = _per_unit(supply, _loads(pairs, people, pairs[2], supply.size))
    return np.asarray(_gather(pairs, ratio, pairs[2]))


def modified_two_step(pairs: Pairs, people: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return A_i = sum_j S_j w_ij^2 / sum_k P_k w_kj (Delamater 2013): badly placed supply counts less.

    Less than the whole supply is handed out unless all weights are 0 or 1.
    """
    ratio = _per_unit(supply, _loads(pairs, people, pairs[2], supply.size))
    return np.asarray(_gather(pairs, ratio, pairs[2] ** 2))


def balanced(pairs: Pairs, people: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return the level of service of the balanced catchments (Paez, Higgins & Vivona 2019).

    Demand is shared among places (weights of a row sum to 1), the level of service of a place among rows
    (weights of a place sum to 1): L_j = S_j / sum_i P_i w_ij / sum_j w_ij, A_i = sum_j L_j w_ij / sum_i w_ij.
    The sum of access is the sum of the levels of service.
    """
    indptr, _, weight = pairs
    row_sum = np.add.reduceat(np.append(weight, 0.0), indptr[:-1]) * (np.diff(indptr) > 0)
    share = weight / np.repeat(np.where(row_sum > 0.0, row_sum, 1.0), np.diff(indptr))
    level = _per_unit(supply, _loads(pairs, people, share, supply.size))
    column_sum = _loads(pairs, np.ones(people.size), weight, supply.size)
    return np.asarray(_gather(pairs, _per_unit(level, column_sum), weight))


def rational_agents(
    pairs: Pairs, people: np.ndarray, supply: np.ndarray, tau_min: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return cost by row and supply per person by pair when nobody can do better elsewhere.

    Everybody takes the place of least cost t_ij / tau + (load_j / S_j) / rho, where rho is people over supply
    (Saxon & Snow 2020). The costs are the slopes of a convex function of the loads, which is lowered row by
    row, each time as far as it goes, until nothing moves: no step size, no draw of chance. The sum of people
    x supply per person is the sum of the supply in use.

    Parameters
    ----------
    pairs
        Rows x places with minutes.
    tau_min
        Minutes by row that weigh as much as mean crowding.

    Returns
    -------
    cost, supply
        Cost in units of mean crowding, infinite for rows without a place; supply per person, to be added up
        by row.
    """
    indptr, indices, _ = pairs
    usable = supply[indices] > 0.0
    reached = np.add.reduceat(np.append(usable, False), indptr[:-1]) * (np.diff(indptr) > 0) > 0
    crowd = people[reached].sum() / supply.sum() if supply.sum() > 0.0 else 0.0
    slope = np.where(supply > 0.0, 1.0 / np.where(supply > 0.0, supply * max(crowd, 1e-300), 1.0), np.inf)
    share = np.zeros(indices.size)
    load = np.zeros(supply.size)
    for _ in range(ROUNDS_MAX):
        moved = _settle(pairs, people, tau_min, slope, (share, load))
        if moved <= SETTLED_SHARE * max(float(people.sum()), 1e-300):
            break
    cost = _least_cost(pairs, tau_min, slope, load)
    each = np.divide(share, np.repeat(np.maximum(people, 1e-300), np.diff(indptr)))
    return np.asarray(cost), np.asarray(_per_unit(supply, load)[indices] * each)


def _per_unit(amount: np.ndarray, load: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(amount, load, out=np.zeros(load.size), where=load > 0.0))


def _loads(pairs: Pairs, people: np.ndarray, weight: np.ndarray, n_places: int) -> np.ndarray:
    return np.asarray(_scatter(pairs, people, weight, n_places).sum(axis=0))


@njit(cache=True, parallel=True)
def _scatter(
    pairs: Pairs, people: np.ndarray, weight: np.ndarray, n_places: int
) -> np.ndarray:  # pragma: no cover - compiled
    indptr, indices, _ = pairs
    parts = np.zeros((RUNS, n_places))
    for run in prange(RUNS):
        for i in range(run * people.size // RUNS, (run + 1) * people.size // RUNS):
            for pair in range(indptr[i], indptr[i + 1]):
                parts[run, indices[pair]] += people[i] * weight[pair]
    return parts


@njit(cache=True, parallel=True)
def _gather(pairs: Pairs, level: np.ndarray, weight: np.ndarray) -> np.ndarray:  # pragma: no cover - compiled
    indptr, indices, _ = pairs
    access = np.zeros(indptr.size - 1)
    for i in prange(indptr.size - 1):
        total = 0.0
        for pair in range(indptr[i], indptr[i + 1]):
            total += level[indices[pair]] * weight[pair]
        access[i] = total
    return access


@njit(cache=True)
def _settle(
    pairs: Pairs,
    people: np.ndarray,
    tau_min: np.ndarray,
    slope: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
) -> float:  # pragma: no cover - compiled
    """Let the people of every row in turn spread over their places at equal cost; return who moved."""
    indptr, indices, minutes = pairs
    share, load = state
    moved = 0.0
    for i in range(people.size):
        begin, end = indptr[i], indptr[i + 1]
        if begin == end or people[i] <= 0.0:
            continue
        base = np.empty(end - begin)
        for k in range(end - begin):
            j = indices[begin + k]
            base[k] = minutes[begin + k] / tau_min[i] + (load[j] - share[begin + k]) * slope[j]
        order = np.argsort(base)
        # Water is poured until it holds everybody: level = (people + sum base / slope) / (sum 1 / slope).
        width, weighted, level = 0.0, 0.0, np.inf
        for k in order:
            j = indices[begin + k]
            if base[k] >= level or not np.isfinite(slope[j]):
                continue
            width += 1.0 / slope[j]
            weighted += base[k] / slope[j]
            level = (people[i] + weighted) / width
        for k in range(end - begin):
            j = indices[begin + k]
            new = (
                max(level - base[k], 0.0) / slope[j] if np.isfinite(level) and np.isfinite(slope[j]) else 0.0
            )
            moved += abs(new - share[begin + k])
            load[j] += new - share[begin + k]
            share[begin + k] = new
    return moved


@njit(cache=True)
def _least_cost(
    pairs: Pairs, tau_min: np.ndarray, slope: np.ndarray, load: np.ndarray
) -> np.ndarray:  # pragma: no cover - compiled
    indptr, indices, minutes = pairs
    cost = np.full(indptr.size - 1, np.inf)
    for i in range(indptr.size - 1):
        for pair in range(indptr[i], indptr[i + 1]):
            j = indices[pair]
            if np.isfinite(slope[j]):
                cost[i] = min(cost[i], minutes[pair] / tau_min[i] + load[j] * slope[j])
    return cost
