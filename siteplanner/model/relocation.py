"""The decision: which branches move where, in which order, with a bound."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplanner import tables
from siteplanner.errors import EngineError, NoLegalPlanError
from siteplanner.location import Infeasible, NoPlanInTime, Solution, max_capture
from siteplanner.model.contest import Contest, Evidence
from siteplanner.model.pairing import Merits, Pairs, order_moves, pair_up
from siteplanner.model.rejections import Outcome, list_rejected
from siteplanner.model.rules import NO_ID, Ground, too_close, trace_rules
from siteplanner.model.scores import Scores
from siteplanner.model.worth import Worth, gain_of_each, state_worth, value_of
from siteplanner.scenario import RelocationSettings, Scenario

RULES_OF_KEYWORD = {
    "n_open": ("COUNT",),
    "max_moves": ("MOVES",),
    "group_min": ("FLOOR", "CN-5", "CN-6"),
    "group_max": ("CAP",),
    "conflicts": ("SPACING",),
    "move_classes": ("CN-1", "CN-2"),
    "locked_open": ("PROTECTED", "CN-3", "CN-5", "CN-6", "SOURCE"),
    "locked_closed": ("SPACING", "CN-1", "CN-2", "TARGET"),
}
"""Rules behind each constraint of the location problem, to name those that clash."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How good the plan is and how that is known; objective in worth of visits a day.

    ``gap`` is (bound - after) / bound; ``gain_gap`` is (bound - after) / (bound - before): the share of the
    best possible improvement that may still be missing.
    """

    before: float
    after: float
    bound: float
    gap: float
    gain_gap: float
    status: str
    seconds: float
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Relocation:
    """Moves in order, what was rejected, and the rules after every step."""

    moves: pd.DataFrame
    rejected: pd.DataFrame
    trace: pd.DataFrame
    proof: Proof

    def __post_init__(self) -> None:
        tables.check(self.moves, tables.MOVES)
        tables.check(self.rejected, tables.REJECTED)
        tables.check(self.trace, tables.TRACE)


def relocate(
    evidence: Evidence, contest: Contest, ground: Ground, scores: Scores, scenario: Scenario
) -> Relocation:
    """Choose all moves in one exact decision, pair them, put them in order and test every rule on the way.

    The decision maximises `worth.state_worth` over all sets that keep the number of branches and every hard
    rule; its bound is valid for every such set, whatever stopped the solver. NoLegalPlanError names the
    rules when no set exists.
    """
    worth = state_worth(evidence, contest, scores, scenario)
    n_branches = ground.branch_ids.size
    solution = _solve(worth, ground, scores, scenario.relocation)
    closed = np.flatnonzero(~solution.open[:n_branches])
    opened = n_branches + np.flatnonzero(solution.open[n_branches:])
    score = np.concatenate((scores.release["score"].to_numpy(), scores.attract["score"].to_numpy()))
    gain = gain_of_each(worth, solution.open)
    pairs = pair_up(ground, closed, opened, Merits(score, gain))
    ordered, networks = order_moves(ground, pairs)
    _hold_limits(ground, networks[-1])
    chosen = np.zeros(ground.unit.shape[0], dtype=bool)
    chosen[networks[-1]] = True
    blocked = np.setdiff1d(np.concatenate((closed, opened)), np.concatenate((ordered.branch, ordered.place)))
    return Relocation(
        moves=_tell_moves(ordered, ground, evidence.candidates.sites.index.to_numpy()),
        rejected=list_rejected(ground, scores, Outcome(networks[-1], blocked, gain)),
        trace=trace_rules(ground, networks),
        proof=_prove(worth, ground, chosen, solution),
    )


def _solve(worth: Worth, ground: Ground, scores: Scores, settings: RelocationSettings) -> Solution:
    n_branches, n_places = ground.branch_ids.size, ground.unit.shape[0]
    existing = np.arange(n_places) < n_branches
    veto = np.concatenate((scores.release["veto"].to_numpy(), scores.attract["veto"].to_numpy())) != ""
    groups, fewest, most = _groups(ground)
    cover, bonus, shift = _as_coverage(worth)
    before = value_of(worth, existing)
    try:
        solution = max_capture(
            worth.utility,
            worth.weight,
            worth.rest,
            n_branches,
            bonus_cover=cover,
            bonus_weight=bonus,
            existing=existing,
            max_moves=settings.max_moves,
            locked_open=existing & veto,
            locked_closed=~existing & veto,
            site_group=groups,
            group_min=fewest,
            group_max=most,
            conflicts=_conflicts(ground),
            move_classes=(ground.prefecture, ground.level),
            gap=settings.gap * before / (before + shift) if before > 0.0 else settings.gap,
            time_limit=settings.time_limit_s,
            seed=settings.seed,
        )
    except Infeasible as error:
        rules = [rule for keyword in error.constraints for rule in RULES_OF_KEYWORD.get(keyword, (keyword,))]
        raise NoLegalPlanError(dict.fromkeys(rules)) from error
    except NoPlanInTime as error:
        raise EngineError(
            f"no legal plan was found within {settings.time_limit_s:g} s; raise relocation.time_limit_s"
        ) from error
    return replace(solution, objective=solution.objective - shift, bound=solution.bound - shift)


def _as_coverage(worth: Worth) -> tuple[sp.csr_array, np.ndarray, float]:
    """Write the worth of switching places as rows that only one place covers.

    Closing branch j is worth p: ``p (1 - x)``, or ``p - p x``. Weights must not be negative, so every place
    gets the largest p on top. With the number of open places fixed, all this adds the same ``shift`` to the
    value of every plan and changes none.
    """
    closing, opening = worth.place[: worth.n_branches], worth.place[worth.n_branches :]
    lift = float(closing.max(initial=0.0))
    rows = sp.vstack((worth.cover, sp.eye_array(worth.place.size, format="csr")), format="csr")
    bonus = np.concatenate((worth.bonus, lift - closing, lift + opening))
    return sp.csr_array(rows), bonus, lift * worth.n_branches - float(closing.sum())


def _groups(ground: Ground) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """Return the groups of places with fewest and most branches: counties, then townships that need one."""
    n_branches, n_counties = ground.branch_ids.size, ground.counties.size
    now = np.bincount(ground.county[:n_branches], minlength=n_counties)
    floor = np.maximum(ground.floor, (now > 0) & ground.keep_county)
    fewest, most = [floor], [np.maximum(ground.cap, floor)]
    members = [_membership(ground.county, n_counties)]
    if ground.keep_township and ground.townships.size:
        here = ground.township[:n_branches]
        own = np.bincount(here[here != NO_ID], minlength=ground.townships.size)
        lonely = np.flatnonzero((own > 0) & (ground.rivals == 0))
        members.append(_membership(ground.township, ground.townships.size)[lonely])
        fewest.append(np.ones(lonely.size))
        most.append(np.full(lonely.size, np.inf))
    return sp.csr_array(sp.vstack(members)), np.concatenate(fewest), np.concatenate(most)


def _membership(group: np.ndarray, size: int) -> sp.csr_array:
    inside = np.flatnonzero(group != NO_ID)
    return sp.csr_array((np.ones(inside.size), (group[inside], inside)), shape=(size, group.size))


def _conflicts(ground: Ground) -> np.ndarray:
    """Return the pairs of places of which at least one is a site and that are closer than spacing allows."""
    n_branches, n_places = ground.branch_ids.size, ground.unit.shape[0]
    sites = np.arange(n_branches, n_places)
    left, right = np.nonzero(too_close(ground, sites, np.arange(n_places)))
    left = sites[left]
    keep = right < left
    return np.column_stack((right[keep], left[keep]))


def _hold_limits(ground: Ground, network: np.ndarray) -> None:
    """Refuse a plan that leaves a county below its floor or above its cap after the last step."""
    count = np.bincount(ground.county[network], minlength=ground.counties.size)
    rules = [
        *(["FLOOR"] if (count < ground.floor).any() else []),
        *(["CAP"] if (count > np.maximum(ground.cap, ground.floor)).any() else []),
    ]
    if rules:
        raise NoLegalPlanError(rules)


def _prove(worth: Worth, ground: Ground, chosen: np.ndarray, solution: Solution) -> Proof:
    today = np.arange(ground.unit.shape[0]) < ground.branch_ids.size
    before, after = value_of(worth, today), value_of(worth, chosen)
    bound = max(solution.bound, after)
    missing, possible = bound - after, bound - before
    return Proof(
        before=before,
        after=after,
        bound=bound,
        gap=missing / bound if bound > 0.0 else 0.0,
        gain_gap=missing / possible if possible > 0.0 else 0.0,
        status=solution.status,
        seconds=solution.seconds,
        iterations=solution.iterations,
    )


def _tell_moves(pairs: Pairs, ground: Ground, site_ids: np.ndarray) -> pd.DataFrame:
    points = pairs.parts
    score = pd.Series(0.0, index=points.index)
    for name in points:
        score = score + points[name]
    frame = pd.DataFrame(
        {
            "branch_id": ground.branch_ids[pairs.branch],
            "site_id": site_ids[pairs.place - ground.branch_ids.size],
            "distance_km": pairs.distance_km,
            "worth": pairs.gain,
            "pair_score": score,
        },
        index=points.index,
    )
    frame = pd.concat([frame, points], axis=1)
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="seq"))
