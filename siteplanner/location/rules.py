"""The constraint set: every keyword becomes a few linear rows over the sites."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from siteplanner.location.options import Floats, Ints, Mask, SiteOptions

ROUNDING = 1e-9
"""Slack granted to sums of costs: the rows of counts are whole numbers."""


@dataclass(frozen=True, eq=False)
class Rules:
    """``low <= matrix @ x <= high`` and ``lower <= x <= upper`` for a 0/1 vector over the sites.

    Attributes
    ----------
    matrix
        Rows x sites; ``columns`` is the same by site.
    family, label
        The caller's keyword behind each row, and the row in words (empty where its sites say it).
    """

    matrix: sp.csr_array
    columns: sp.csc_array
    low: Floats
    high: Floats
    family: tuple[str, ...]
    label: tuple[str, ...]
    lower: Floats
    upper: Floats

    def allows(self, chosen: Floats) -> bool:
        """Tell whether a 0/1 vector satisfies every rule."""
        activity = self.matrix @ chosen
        slack = ROUNDING * (1.0 + np.abs(activity))
        inside = (chosen >= self.lower) & (chosen <= self.upper)
        return bool(
            inside.all() and (activity >= self.low - slack).all() and (activity <= self.high + slack).all()
        )

    def without(self, families: set[str]) -> "Rules":
        """Return the rules that are left when some keywords had not been given."""
        rows = [row for row, name in enumerate(self.family) if name not in families]
        must = [] if "locked_open" in families else np.flatnonzero(self.lower > 0).tolist()
        never = [] if "locked_closed" in families else np.flatnonzero(self.upper < 1).tolist()
        return self.keep(rows, must, never)

    def keep(self, rows: list[int], must_open: list[int], must_close: list[int]) -> "Rules":
        """Return the rules with only these rows and these locked sites."""
        matrix = sp.csr_array(self.matrix[np.array(rows, dtype=np.int64)])
        lower, upper = np.zeros_like(self.lower), np.ones_like(self.upper)
        lower[must_open], upper[must_close] = 1.0, 0.0
        return Rules(
            matrix=matrix,
            columns=sp.csc_array(matrix),
            low=self.low[rows],
            high=self.high[rows],
            family=tuple(self.family[row] for row in rows),
            label=tuple(self.label[row] for row in rows),
            lower=lower,
            upper=upper,
        )

    def tightened(self, lower: Floats, upper: Floats) -> "Rules":
        """Return the same rules with more sites fixed."""
        return replace(self, lower=lower.copy(), upper=upper.copy())

    def families(self) -> list[str]:
        """List the keywords that restrict anything, in the order in which they are met."""
        names = list(dict.fromkeys(self.family))
        if self.lower.any():
            names.append("locked_open")
        if not self.upper.all():
            names.append("locked_closed")
        return names


@dataclass(frozen=True, eq=False)
class _Block:
    family: str
    matrix: sp.csr_array
    low: Floats
    high: Floats
    label: tuple[str, ...]


def build_rules(sites: SiteOptions, reach: sp.csr_array | None = None) -> Rules:
    """State the checked keywords as linear rows.

    Parameters
    ----------
    sites
        The checked keywords.
    reach
        Demand x site pattern of which every row needs an open site (p-median, where a pair beyond reach
        is absent); its family is called ``cost``.
    """
    blocks = list(_state_blocks(sites))
    if reach is not None and reach.shape[0]:
        one, endless = np.ones(reach.shape[0]), np.full(reach.shape[0], np.inf)
        blocks.append(_Block("cost", reach, one, endless, ("",) * reach.shape[0]))
    matrix = sp.csr_array(sp.vstack([block.matrix for block in blocks], format="csr"))
    matrix.sum_duplicates()
    return Rules(
        matrix=matrix,
        columns=sp.csc_array(matrix),
        low=np.concatenate([block.low for block in blocks]),
        high=np.concatenate([block.high for block in blocks]),
        family=tuple(block.family for block in blocks for _ in block.low),
        label=tuple(label for block in blocks for label in block.label),
        lower=sites.locked_open.astype(np.float64),
        upper=(~sites.locked_closed).astype(np.float64),
    )


def _state_blocks(sites: SiteOptions) -> Iterator[_Block]:
    count = float(sites.n_open)
    yield _one_row("n_open", np.ones(sites.n_sites), count, count, f"exactly {sites.n_open} open")
    if sites.max_moves is not None and sites.existing is not None:
        kept = float(sites.existing.sum() - sites.max_moves)
        words = f"at most {sites.max_moves} existing sites closed"
        yield _one_row("max_moves", sites.existing.astype(np.float64), kept, np.inf, words)
    if sites.groups is not None:
        yield from _state_groups(sites, sites.groups)
    for family, pairs in (("conflicts", sites.conflicts), ("spacing", sites.too_near)):
        if pairs.size:
            cliques = cover_with_cliques(pairs, sites.n_sites)
            free, one = np.full(cliques.shape[0], -np.inf), np.ones(cliques.shape[0])
            yield _Block(family, cliques, free, one, ("",) * cliques.shape[0])
    if sites.budget is not None:
        yield _state_budget(sites, sites.budget)
    if sites.city is not None and sites.level is not None:
        yield from _state_classes(sites, sites.city, sites.level)


def _one_row(family: str, row: Floats, low: float, high: float, label: str) -> _Block:
    return _Block(family, sp.csr_array(row[None, :]), np.array([low]), np.array([high]), (label,))


def _state_groups(sites: SiteOptions, groups: sp.csr_array) -> Iterator[_Block]:
    if sites.group_min is not None:
        words = tuple(f"at least {n:g} open in group {i}" for i, n in enumerate(sites.group_min))
        yield _Block("group_min", groups, sites.group_min, np.full(groups.shape[0], np.inf), words)
    if sites.group_max is not None:
        words = tuple(f"at most {n:g} open in group {i}" for i, n in enumerate(sites.group_max))
        yield _Block("group_max", groups, np.full(groups.shape[0], -np.inf), sites.group_max, words)


def _state_budget(sites: SiteOptions, budget: float) -> _Block:
    """Sum opening costs of new sites and closing costs ``close (1 - x)`` of existing ones.

    Stated in units of the largest cost: the solver's tolerances are absolute.
    """
    existing = np.zeros(sites.n_sites, dtype=np.bool_) if sites.existing is None else sites.existing
    nothing = np.zeros(sites.n_sites)
    opening = np.where(existing, 0.0, nothing if sites.open_cost is None else sites.open_cost)
    closing = np.where(existing, nothing if sites.close_cost is None else sites.close_cost, 0.0)
    unit = max(float(opening.max(initial=0.0)), float(closing.max(initial=0.0))) or 1.0
    high = (budget - float(closing.sum())) / unit
    return _one_row("budget", (opening - closing) / unit, -np.inf, high, f"costs of at most {budget:g}")


def _state_classes(sites: SiteOptions, city: Ints, level: Ints) -> Iterator[_Block]:
    """Hall's condition for nested levels, city by city.

    A closed site of level t may be paired with an opened one of level <= t. With ``opened == closed`` a
    pairing exists exactly when for each t ``opened(level >= t) <= closed(level >= t)``. As ``opened`` is the
    sum of x over new sites and ``closed`` is the existing count less the sum of x over existing ones, both
    sides are one sum of x over the sites of the city.
    """
    existing = sites.existing if sites.existing is not None else np.zeros(sites.n_sites, dtype=np.bool_)
    rows, low, high, words = [], [], [], []
    for name in np.unique(city):
        inside = city == name
        steps = np.unique(level[inside])
        for step in steps:
            above = inside & (level >= step)
            count = float(existing[above].sum())
            rows.append(above.astype(np.float64))
            low.append(count if step == steps[0] else -np.inf)
            high.append(count)
            part = f"city {name}" if step == steps[0] else f"city {name}, level {step} and above"
            words.append(f"{'exactly' if step == steps[0] else 'at most'} {count:g} open in {part}")
    yield _Block("move_classes", sp.csr_array(np.array(rows)), np.array(low), np.array(high), tuple(words))


def cover_with_cliques(pairs: Ints, n_sites: int) -> sp.csr_array:
    """Cover a conflict graph by cliques: fewer rows, and a much tighter relaxation than pairs.

    Greedy in site order: each pair not yet covered is grown by every common neighbour that fits.
    """
    neighbours: list[set[int]] = [set() for _ in range(n_sites)]
    for left, right in pairs.tolist():
        neighbours[left].add(right)
        neighbours[right].add(left)
    covered: set[tuple[int, int]] = set()
    indices: list[int] = []
    starts = [0]
    for left, right in pairs.tolist():
        if (left, right) in covered:
            continue
        clique = _grow_clique([left, right], neighbours)
        covered.update((a, b) for at, a in enumerate(clique) for b in clique[at + 1 :])
        indices.extend(clique)
        starts.append(len(indices))
    data = np.ones(len(indices))
    return sp.csr_array((data, np.array(indices), np.array(starts)), shape=(len(starts) - 1, n_sites))


def _grow_clique(clique: list[int], neighbours: list[set[int]]) -> list[int]:
    common = neighbours[clique[0]] & neighbours[clique[1]]
    while common:
        site = min(common)
        clique.append(site)
        common &= neighbours[site]
    return sorted(clique)


class PackedRules(NamedTuple):
    """The rules by site, as plain arrays for the compiled loops."""

    ptr: Ints
    rows: Ints
    values: Floats
    low: Floats
    high: Floats
    may_open: Mask
    may_close: Mask


def pack_rules(rules: Rules) -> PackedRules:
    """Lay the rules out by site."""
    columns = rules.columns
    columns.sort_indices()
    return PackedRules(
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int64),
        columns.data.astype(np.float64),
        rules.low,
        rules.high,
        rules.upper > 0,
        rules.lower < 1,
    )
