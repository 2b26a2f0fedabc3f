"""The two ends every problem shares: rows gathered for a solve, and its outcome put into a `Solution`."""

import time
from collections.abc import Callable

from siteplanner.location.engine import Outcome
from siteplanner.location.fold import Folded
from siteplanner.location.options import Effort, Mask, SiteOptions
from siteplanner.location.pairs import Pairs, choose_seeds, gather_pairs
from siteplanner.location.solution import Certificate, Solution, gap_status, relative_gap
from siteplanner.location.terms import Term, sum_values


def gather_rows(folded: Folded, sites: SiteOptions, effort: Effort) -> Pairs:
    """Gather demand rows around the sites of today's network that may close."""
    free = ~(sites.locked_open | sites.locked_closed)
    seeds = choose_seeds(free, sites.existing, effort.seed)
    return gather_pairs(folded.matrix, folded.weight, folded.extra, seeds)


def report_solution(terms: list[Term], outcome: Outcome, sites: SiteOptions, effort: Effort) -> Solution:
    """Report a maximised sum of terms."""
    return report_outcome(outcome, sites, effort, lambda chosen: sum_values(terms, chosen))


def report_outcome(
    outcome: Outcome,
    sites: SiteOptions,
    effort: Effort,
    value_of: Callable[[Mask], float],
    certificate: Certificate | None = None,
) -> Solution:
    """Report what a solve found; ``value_of`` values today's network."""
    gap = relative_gap(outcome.value, outcome.bound)
    return Solution(
        open=outcome.chosen,
        objective=outcome.value,
        bound=outcome.bound,
        gap=gap,
        status=gap_status(gap, effort.gap),
        seconds=time.monotonic() - effort.started,
        iterations=outcome.iterations,
        gain_gap=gain_gap(outcome, sites.existing, value_of),
        certificate=certificate,
    )


def gain_gap(outcome: Outcome, existing: Mask | None, value_of: Callable[[Mask], float]) -> float | None:
    """Distance of the bound as a share of what is gained over the existing network."""
    if existing is None:
        return None
    gain = outcome.value - value_of(existing)
    distance = outcome.bound - outcome.value
    if distance <= 0:
        return 0.0
    return distance / gain if gain > 0 else float("inf")
