"""The keywords shared by all problems: what they are called, and the checks at the door."""

import time
from dataclasses import dataclass
from typing import Any, TypedDict, get_type_hints

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from siteplanner.location.solution import PROVED_GAP, Progress
from siteplanner.location.warm import Warm

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


DEFAULT_GAP = 1e-4
"""Relative gap at which a solve stops when none is asked for."""


class Options(TypedDict, total=False):
    """Keywords of every problem; sites are columns, in the order that breaks ties.

    Attributes
    ----------
    existing
        Mask of the sites that are open today.
    max_moves
        At most this many existing sites are closed.
    locked_open, locked_closed
        Masks (or index arrays) of sites that must be open, must be closed.
    site_group
        Group number per site (-1: none), or a 0/1 membership matrix groups x sites when groups overlap.
    group_min, group_max
        Fewest and most open sites per group.
    conflicts
        Pairs of sites (m x 2) that may not both be open.
    positions, spacing
        Coordinates of the sites (sites x dimensions, one length unit) and the smallest straight distance
        between two open sites in that unit. Two existing sites may stay however near they are.
    open_cost, close_cost, budget
        Cost of opening a site that does not exist, of closing one that does; their sum stays within budget.
    move_classes
        City per site and level per site: a closed site frees a slot for an opened site of the same city
        and of at most its level.
    gap
        Stop when the proved relative gap is at most this.
    time_limit
        Seconds of wall time.
    seed
        Seed of everything random.
    progress
        Called with objective, bound and seconds whenever one of them moved.
    warm
        What earlier solves over the same sites learnt; read, and added to.
    """

    existing: ArrayLike | None
    max_moves: int | None
    locked_open: ArrayLike | None
    locked_closed: ArrayLike | None
    site_group: Any
    group_min: ArrayLike | None
    group_max: ArrayLike | None
    conflicts: ArrayLike | None
    positions: ArrayLike | None
    spacing: float | None
    open_cost: ArrayLike | None
    close_cost: ArrayLike | None
    budget: float | None
    move_classes: tuple[ArrayLike, ArrayLike] | None
    gap: float
    time_limit: float | None
    seed: int
    progress: Progress | None
    warm: Warm | None


@dataclass(frozen=True)
class Effort:
    """How long and how far to search; ``started`` is the monotonic time at which the clock began."""

    started: float
    gap: float
    time_limit: float
    seed: int
    progress: Progress | None
    warm: Warm

    @property
    def wanted(self) -> float:
        """Gap at which a solve stops: 0 is as near as a floating-point solver calls the same number."""
        return self.gap or PROVED_GAP / 2


@dataclass(frozen=True, eq=False)
class SiteOptions:
    """The checked keywords that speak of sites, each in one canonical form."""

    n_sites: int
    n_open: int
    existing: Mask | None
    max_moves: int | None
    locked_open: Mask
    locked_closed: Mask
    groups: sp.csr_array | None
    group_min: Floats | None
    group_max: Floats | None
    conflicts: Ints
    too_near: Ints
    open_cost: Floats | None
    close_cost: Floats | None
    budget: float | None
    city: Ints | None
    level: Ints | None


def read_options(options: Options, n_sites: int, n_open: int) -> tuple[SiteOptions, Effort]:
    """Check every shared keyword; the first fault is a ``ValueError`` that names it."""
    unknown = sorted(set(options) - set(get_type_hints(Options)))
    if unknown:
        raise TypeError(f"unknown keyword: {', '.join(unknown)}")
    existing = _read_existing(options.get("existing"), n_sites)
    locked_open = _read_mask(options.get("locked_open"), n_sites, "locked_open")
    locked_closed = _read_mask(options.get("locked_closed"), n_sites, "locked_closed")
    both = np.flatnonzero(locked_open & locked_closed)
    if both.size:
        raise ValueError(f"locked_open and locked_closed contradict each other at site {both[0]}")
    groups, group_min, group_max = _read_groups(options, n_sites)
    city, level = _read_classes(options.get("move_classes"), n_sites, existing)
    sites = SiteOptions(
        n_sites=n_sites,
        n_open=_read_count(n_open, "n_open", n_sites),
        existing=existing,
        max_moves=_read_moves(options.get("max_moves"), existing),
        locked_open=locked_open,
        locked_closed=locked_closed,
        groups=groups,
        group_min=group_min,
        group_max=group_max,
        conflicts=_read_conflicts(options.get("conflicts"), n_sites),
        too_near=_read_spacing(options, n_sites, existing),
        open_cost=_read_costs(options.get("open_cost"), n_sites, "open_cost"),
        close_cost=_read_costs(options.get("close_cost"), n_sites, "close_cost"),
        budget=_read_budget(options),
        city=city,
        level=level,
    )
    return sites, _read_effort(options, n_sites)


def _read_effort(options: Options, n_sites: int) -> Effort:
    gap = options.get("gap", DEFAULT_GAP)
    if not gap >= 0:
        raise ValueError(f"gap must be a share of at least 0, not {gap}")
    limit = options.get("time_limit")
    if limit is not None and not limit > 0:
        raise ValueError(f"time_limit must be positive seconds, not {limit}")
    seed = _read_count(options.get("seed", 0), "seed", np.iinfo(np.int64).max)
    return Effort(
        time.monotonic(),
        float(gap),
        float("inf") if limit is None else float(limit),
        seed,
        options.get("progress"),
        _read_warm(options.get("warm"), n_sites),
    )


def _read_warm(warm: Warm | None, n_sites: int) -> Warm:
    if warm is None:
        return Warm()
    if not isinstance(warm, Warm):
        raise TypeError(f"warm must be a Warm, not {type(warm).__name__}")
    if any(one.shape != (n_sites,) for one in (*warm.sets, *warm.points)):
        raise ValueError(f"warm comes from other sites than these {n_sites}")
    return warm


def _read_count(value: object, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a whole number, not {value!r}")  # noqa: TRY004 - one class for input faults
    if not 0 <= value <= most:
        raise ValueError(f"{name} must lie between 0 and {most}, not {value}")
    return int(value)


def _read_existing(value: ArrayLike | None, n_sites: int) -> Mask | None:
    return None if value is None else _read_mask(value, n_sites, "existing")


def _read_moves(value: int | None, existing: Mask | None) -> int | None:
    if value is None:
        return None
    if existing is None:
        raise ValueError("max_moves needs existing: only an existing site can be closed")
    return _read_count(value, "max_moves", np.iinfo(np.int64).max)


def _read_mask(value: ArrayLike | None, n_sites: int, name: str) -> Mask:
    if value is None:
        return np.zeros(n_sites, dtype=np.bool_)
    array = np.asarray(value)
    if array.dtype == np.bool_:
        if array.shape != (n_sites,):
            raise ValueError(f"{name} must hold one value per site ({n_sites}), not shape {array.shape}")
        return array.copy()
    mask = np.zeros(n_sites, dtype=np.bool_)
    if array.size:
        mask[_read_indices(array.ravel(), n_sites, name)] = True
    return mask


def _read_indices(array: NDArray[Any], n_sites: int, name: str) -> Ints:
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be a boolean mask or site numbers, not {array.dtype}")
    if array.size and (array.min() < 0 or array.max() >= n_sites):
        raise ValueError(f"{name} names a site outside 0..{n_sites - 1}")
    return array.astype(np.int64)


def _read_conflicts(value: ArrayLike | None, n_sites: int) -> Ints:
    pairs = np.empty((0, 2), dtype=np.int64) if value is None else np.asarray(value)
    if pairs.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:  # noqa: PLR2004 - a pair
        raise ValueError(f"conflicts must be pairs of sites (m x 2), not shape {pairs.shape}")
    pairs = np.sort(_read_indices(pairs, n_sites, "conflicts"), axis=1)
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError("conflicts pairs a site with itself")
    unique: Ints = np.unique(pairs, axis=0)
    return unique


def _read_spacing(options: Options, n_sites: int, existing: Mask | None) -> Ints:
    """Return the pairs of sites that are nearer than the spacing, at least one of them new."""
    positions, spacing = options.get("positions"), options.get("spacing")
    if (positions is None) != (spacing is None):
        raise ValueError("positions and spacing must be given together")
    if positions is None or spacing is None:
        return np.empty((0, 2), dtype=np.int64)
    where = np.asarray(positions)
    if where.dtype.kind not in "biuf" or where.ndim != 2 or where.shape[0] != n_sites:  # noqa: PLR2004 - a matrix
        raise ValueError(f"positions must hold one row of coordinates per site ({n_sites})")
    if not np.isfinite(where).all():
        raise ValueError(f"positions holds NaN or infinite values at site {_first_wrong_row(where)}")
    if not 0 <= spacing < np.inf:
        raise ValueError(f"spacing must be a finite distance of at least 0, not {spacing}")
    # query_pairs takes in the distance itself; a pair exactly that far apart is far enough.
    near = cKDTree(where.astype(np.float64)).query_pairs(np.nextafter(spacing, 0.0), output_type="ndarray")
    pairs: Ints = np.unique(np.sort(near.astype(np.int64), axis=1), axis=0)
    today = np.zeros(n_sites, dtype=np.bool_) if existing is None else existing
    return pairs[~(today[pairs[:, 0]] & today[pairs[:, 1]])]


def _first_wrong_row(array: NDArray[Any]) -> int:
    return int(np.argmax(~np.isfinite(array).all(axis=1)))


def _read_costs(value: ArrayLike | None, n_sites: int, name: str) -> Floats | None:
    return None if value is None else read_vector(value, n_sites, name)


def _read_budget(options: Options) -> float | None:
    budget = options.get("budget")
    costs = options.get("open_cost") is not None or options.get("close_cost") is not None
    if budget is None:
        if costs:
            raise ValueError("open_cost and close_cost need a budget")
        return None
    if not costs:
        raise ValueError("budget needs open_cost or close_cost")
    if not np.isfinite(budget) or budget < 0:
        raise ValueError(f"budget must be a finite amount of at least 0, not {budget}")
    return float(budget)


def _read_classes(
    value: tuple[ArrayLike, ArrayLike] | None, n_sites: int, existing: Mask | None
) -> tuple[Ints | None, Ints | None]:
    if value is None:
        return None, None
    if existing is None:
        raise ValueError("move_classes needs existing: only an existing site frees a slot")
    if len(value) != 2:  # noqa: PLR2004 - city and level
        raise ValueError("move_classes must be a pair: city per site, level per site")
    arrays = [np.asarray(part) for part in value]
    for array in arrays:
        if array.shape != (n_sites,) or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"move_classes must hold one whole number per site ({n_sites}) twice")
    return arrays[0].astype(np.int64), arrays[1].astype(np.int64)


def _read_groups(options: Options, n_sites: int) -> tuple[sp.csr_array | None, Floats | None, Floats | None]:
    group, fewest, most = options.get("site_group"), options.get("group_min"), options.get("group_max")
    if group is None:
        if fewest is not None or most is not None:
            raise ValueError("group_min and group_max need site_group")
        return None, None, None
    if fewest is None and most is None:
        raise ValueError("site_group needs group_min or group_max")
    n_groups = max(np.size(limit) for limit in (fewest, most) if limit is not None)
    limits = [
        None if limit is None else read_vector(limit, n_groups, name, finite=False)
        for limit, name in ((fewest, "group_min"), (most, "group_max"))
    ]
    if limits[0] is not None and limits[1] is not None and (limits[0] > limits[1]).any():
        at = int(np.argmax(limits[0] > limits[1]))
        raise ValueError(f"group_min exceeds group_max in group {at}")
    return _read_membership(group, n_groups, n_sites), limits[0], limits[1]


def _read_membership(group: Any, n_groups: int, n_sites: int) -> sp.csr_array:  # noqa: ANN401 - two accepted forms
    if sp.issparse(group) or np.ndim(group) == 2:  # noqa: PLR2004 - a matrix
        member = sp.csr_array(group, dtype=np.float64)
        if member.shape != (n_groups, n_sites):
            raise ValueError(f"site_group must be {n_groups} groups x {n_sites} sites, not {member.shape}")
        member.sum_duplicates()
        member.eliminate_zeros()
        if member.nnz and not (member.data == 1.0).all():
            raise ValueError("site_group must hold 0 and 1 only")
        return member
    number = np.asarray(group)
    if number.shape != (n_sites,) or not np.issubdtype(number.dtype, np.integer):
        raise ValueError(f"site_group must hold one whole number per site ({n_sites})")
    if number.size and (number.min() < -1 or number.max() >= n_groups):
        raise ValueError(f"site_group names a group outside -1..{n_groups - 1}")
    inside = np.flatnonzero(number >= 0)
    shape = (n_groups, n_sites)
    return sp.csr_array((np.ones(inside.size), (number[inside], inside)), shape=shape)


def read_vector(value: ArrayLike, size: int, name: str, *, finite: bool = True) -> Floats:
    """Check a vector of non-negative numbers and return it as floats."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers, not {array.dtype}")
    if array.shape != (size,):
        raise ValueError(f"{name} must hold {size} values, not shape {array.shape}")
    numbers = array.astype(np.float64)
    if np.isnan(numbers).any() or (finite and np.isinf(numbers).any()):
        raise ValueError(f"{name} holds NaN or infinite values")
    if (numbers < 0).any():
        raise ValueError(f"{name} is negative at position {int(np.argmax(numbers < 0))}")
    return numbers
