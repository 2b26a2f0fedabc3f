"""Turn real-valued people into whole people without losing any."""

import numpy as np


def largest_remainder(weight: np.ndarray, total: int, cap: np.ndarray | None = None) -> np.ndarray:
    """Split a total over items by weight: whole numbers, exact sum, optional upper limits."""
    weight = np.asarray(weight, float)
    if weight.sum() <= 0:
        message = "nothing to apportion to"
        raise ValueError(message)
    limit = np.full(len(weight), np.inf) if cap is None else np.asarray(cap, float)
    if limit.sum() < total:
        message = f"the limits add up to {limit.sum():.0f}, less than the total {total}"
        raise ValueError(message)
    ideal = fill_to_limits(weight, float(total), limit)
    whole = np.floor(ideal).astype(np.int64)
    short = int(total - whole.sum())
    rest = np.where(whole + 1 <= limit, ideal - whole, -1.0)
    # A stable sort keeps the result independent of the platform's sorting network.
    whole[np.argsort(-rest, kind="stable")[:short]] += 1
    return whole


def fill_to_limits(weight: np.ndarray, total: float, limit: np.ndarray) -> np.ndarray:
    """Scale weights to a total; what a limit cuts off flows to the items below their limit."""
    full = np.zeros(len(weight), bool)
    weight = np.where(weight > 0, weight, 1e-12)
    for _ in range(60):
        scale = (total - limit[full].sum()) / max(weight[~full].sum(), 1e-30)
        over = ~full & (weight * scale > limit)
        if not over.any():
            break
        full |= over
    return np.where(full, limit, weight * scale)


def apportion_by_group(
    weight: np.ndarray, group: np.ndarray, totals: np.ndarray, cap: np.ndarray | None = None
) -> np.ndarray:
    """Apportion every group's total over its own items."""
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(len(totals) + 1))
    result = np.zeros(len(weight), np.int64)
    for index, total in enumerate(totals):
        rows = order[edges[index] : edges[index + 1]]
        result[rows] = largest_remainder(weight[rows], int(total), None if cap is None else cap[rows])
    return result
