"""The parts of an objective: each values a set, follows a search, and bounds itself by cuts.

An objective is a sum of terms (capture plus inclusive coverage, say). All terms are monotone and
submodular in the open set and are maximised.
"""

from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from siteplanner.location import capture_kernels, cover_kernels
from siteplanner.location.capture_bound import STAGES, CaptureBound
from siteplanner.location.capture_kernels import TANGENT
from siteplanner.location.fold import Settled, settle_nothing
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.pairs import Pairs

WHOLE = 1.0 - 1e-9
"""An x at least this is open: the solver returns ones with an error in the last digits."""


class Cuts(NamedTuple):
    """Per cluster: ``worth <= const + slope @ x`` for 0/1 points; ``value`` is the right side here."""

    value: Floats
    const: Floats
    slope: sp.csr_array


class Tracker(Protocol):
    """Follows a local search: the marginal of every site, kept exact under toggles."""

    marginal: Floats

    def toggle(self, site: int) -> None:
        """Open a closed site or close an open one."""

    def swap_change(self, closed: int, opened: int) -> float:
        """Return the exact change of a swap."""


class Term(Protocol):
    """One part of the objective: what its rows are worth, and what was settled before (see `fold`)."""

    pairs: Pairs
    settled: Settled

    def value(self, chosen: Mask) -> float:
        """Worth of a set of open sites."""

    def track(self, chosen: Mask) -> Tracker:
        """Start following a search from this set."""

    def cut(self, point: Floats, usable: Mask) -> list[Cuts]:
        """Return families of cuts, one per cluster each, that are lowest at this point."""

    def deepen(self) -> bool:
        """Go on to a costlier and deeper kind of cuts; False when there is none."""

    def lighten(self) -> "Term":
        """Return a smaller term of nearly the same values, or this one."""


class CaptureTerm:
    """Huff / MNL share: ``weight * U / (outside + U)`` with U the open utility of the row."""

    def __init__(self, pairs: Pairs, settled: Settled | None = None) -> None:
        self.pairs = pairs
        self.settled = settle_nothing(pairs.n_sites) if settled is None else settled
        self._bound: CaptureBound | None = None

    def value(self, chosen: Mask) -> float:
        """Sum the captured weight of a set of open sites."""
        utility = capture_kernels.open_utility(self.pairs, chosen)
        worth = float(np.sum(self.pairs.weight * utility / (self.pairs.extra + utility)))
        return worth + _settled_value(self.settled, chosen)

    def track(self, chosen: Mask) -> Tracker:
        """Start following a search from this set."""
        return _CaptureTracker(self.pairs, self.settled.by_site, chosen)

    def cut(self, point: Floats, usable: Mask) -> list[Cuts]:
        """At a 0/1 point both the tangent and the submodular cut; else see `capture_bound`."""
        if ((point < 1.0 - WHOLE) | (point > WHOLE)).all():
            return [self._cut(np.round(point), usable, np.array([t])) for t in (TANGENT, 0.5)]
        bound = self._ready_bound()
        return [_assemble(bound.pairs, *bound.cut(point, usable), point)]

    def deepen(self) -> bool:
        """Go on to the envelopes of the rows, then to tighter ones."""
        return self._ready_bound().deepen()

    def lighten(self) -> "Term":
        """Return the term of the averaged rows."""
        return CaptureTerm(self._ready_bound().average(STAGES[0].rows), self.settled)

    def _ready_bound(self) -> CaptureBound:
        if self._bound is None:
            self._bound = CaptureBound(self.pairs, WHOLE)
        return self._bound

    def _cut(self, point: Floats, usable: Mask, thresholds: Floats) -> Cuts:
        value, mark, base, widest = capture_kernels.price_rows(self.pairs, point, usable, thresholds)
        slopes = capture_kernels.cut_slopes(self.pairs, point, (mark, base, widest))
        return _assemble(self.pairs, value, slopes, point)


class CoverTerm:
    """Coverage: ``weight * best open value`` of the row."""

    def __init__(self, pairs: Pairs, settled: Settled | None = None) -> None:
        self.pairs = pairs
        self.settled = settle_nothing(pairs.n_sites) if settled is None else settled

    def value(self, chosen: Mask) -> float:
        """Covered weight of a set of open sites."""
        first, _ = cover_kernels.best_values(self.pairs, chosen)
        return float(np.sum(self.pairs.weight * first)) + _settled_value(self.settled, chosen)

    def track(self, chosen: Mask) -> Tracker:
        """Start following a search from this set."""
        return _CoverTracker(self.pairs, self.settled.by_site, chosen)

    def cut(self, point: Floats, usable: Mask) -> list[Cuts]:  # noqa: ARG002 - one protocol for all terms
        """Closed-form Benders cuts."""
        value, level = cover_kernels.price_rows(self.pairs, point)
        return [_assemble(self.pairs, value, cover_kernels.cut_slopes(self.pairs, level), point)]

    def deepen(self) -> bool:
        """Closed-form Benders cuts are the deepest there are."""
        return False

    def lighten(self) -> "Term":
        """Return this term."""
        return self


class _CaptureTracker:
    def __init__(self, pairs: Pairs, by_site: Floats, chosen: Mask) -> None:
        self._pairs, self._by_site, self._chosen = pairs, by_site, chosen.copy()
        self._utility = capture_kernels.open_utility(pairs, chosen)
        self.marginal: Floats = capture_kernels.site_marginals(pairs, self._utility, self._chosen)
        self.marginal += by_site

    def toggle(self, site: int) -> None:
        capture_kernels.toggle_site(self._pairs, self._utility, self.marginal, self._chosen, site)
        self.marginal[site] += self._by_site[site]

    def swap_change(self, closed: int, opened: int) -> float:
        return float(capture_kernels.swap_change(self._pairs, self._utility, self.marginal, closed, opened))


class _CoverTracker:
    def __init__(self, pairs: Pairs, by_site: Floats, chosen: Mask) -> None:
        self._pairs, self._by_site, self._chosen = pairs, by_site, chosen.copy()
        self._best = cover_kernels.best_values(pairs, self._chosen)
        self.marginal: Floats = cover_kernels.site_marginals(pairs, *self._best, self._chosen)
        self.marginal += by_site

    def toggle(self, site: int) -> None:
        cover_kernels.toggle_site(self._pairs, self._best, self.marginal, self._chosen, site)
        self.marginal[site] += self._by_site[site]

    def swap_change(self, closed: int, opened: int) -> float:
        return float(cover_kernels.swap_change(self._pairs, self._best, self.marginal, closed, opened))


def _settled_value(settled: Settled, chosen: Mask) -> float:
    return settled.amount + float(settled.by_site[chosen].sum())


def _assemble(pairs: Pairs, row_value: Floats, slopes: Floats, point: Floats) -> Cuts:
    shape = (pairs.n_sites, pairs.n_clusters)
    by_site = sp.csr_array((slopes, pairs.cut_cluster, pairs.cut_ptr), shape=shape)
    worth = pairs.weight * row_value
    value = np.bincount(pairs.cluster, weights=worth, minlength=pairs.n_clusters).astype(np.float64)
    slope = sp.csr_array(by_site.T)
    return Cuts(value, value - slope @ point, slope)


def sum_marginals(trackers: list[Tracker], n_sites: int) -> Floats:
    """Add the marginals of all terms."""
    total = np.zeros(n_sites)
    for tracker in trackers:
        total += tracker.marginal
    return total


def sum_values(terms: list[Term], chosen: Mask) -> float:
    """Add the values of all terms."""
    return sum(term.value(chosen) for term in terms)


def cluster_offsets(terms: list[Term]) -> Ints:
    """First cluster number of each term when all clusters stand in one row, and their total."""
    sizes = [term.pairs.n_clusters for term in terms]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
