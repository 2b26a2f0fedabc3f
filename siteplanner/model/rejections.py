"""What was looked at and not chosen, with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.model.rules import Ground, is_legal, too_close
from siteplanner.model.scores import Scores

BRANCHES_TOLD = 50
SITES_TOLD = 100
"""How many of the best-scored places that were not chosen are told; no source."""

NO_RULE = ""

Row = tuple[str, str, str, str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the decision came to.

    Parameters
    ----------
    network
        The network after the plan.
    blocked
        Places that the decision chose but for which no legal order of moves exists.
    gain
        Worth of each place when the plan is done: of an open one as it stands, of another if it opened.
    """

    network: np.ndarray
    blocked: np.ndarray
    gain: np.ndarray


def list_rejected(ground: Ground, scores: Scores, outcome: Outcome) -> pd.DataFrame:
    """List the best release branches and sites that the plan does not use, each with its reason."""
    rows = [*_branches(ground, scores, outcome), *_sites(ground, scores, outcome)]
    frame = pd.DataFrame(rows, columns=["branch_id", "site_id", "reason", "rule", "score"])
    text = ["branch_id", "site_id", "reason", "rule"]
    return frame.astype(dict.fromkeys(text, "str") | {"score": "float64"})


def _branches(ground: Ground, scores: Scores, outcome: Outcome) -> Iterator[Row]:
    stays = np.flatnonzero(outcome.network == ground.today)
    table = scores.release
    for at in _best(table["score"].to_numpy(), stays, BRANCHES_TOLD):
        reason, rule = _why_not_leave(ground, str(table["veto"].iloc[at]), outcome, at)
        yield str(table.index[at]), "", reason, rule, float(table["score"].iloc[at])


def _why_not_leave(ground: Ground, veto: str, outcome: Outcome, at: int) -> tuple[str, str]:
    if veto:
        return "veto", veto
    if at in outcome.blocked:
        return "no_order", NO_RULE
    county = ground.county[at]
    if (ground.county[outcome.network] == county).sum() <= ground.floor[county]:
        return "county_floor", "FLOOR"
    sites = np.setdiff1d(np.arange(ground.branch_ids.size, ground.unit.shape[0]), outcome.network)
    legal = sites[is_legal(ground, np.array([at]), sites)[0]]
    return _spent_or_less(outcome.gain[legal].max(initial=-np.inf) - outcome.gain[at])


def _sites(ground: Ground, scores: Scores, outcome: Outcome) -> Iterator[Row]:
    n_branches = ground.branch_ids.size
    unused = np.setdiff1d(np.arange(n_branches, ground.unit.shape[0]), outcome.network) - n_branches
    table = scores.attract
    for at in _best(table["score"].to_numpy(), unused, SITES_TOLD):
        reason, rule = _why_not_come(ground, str(table["veto"].iloc[at]), outcome, at + n_branches)
        yield "", str(table.index[at]), reason, rule, float(table["score"].iloc[at])


def _why_not_come(ground: Ground, veto: str, outcome: Outcome, place: int) -> tuple[str, str]:
    if veto:
        return "veto", veto
    if place in outcome.blocked:
        return "no_order", NO_RULE
    here = np.array([place])
    if too_close(ground, here, outcome.network).any():
        return "spacing", "SPACING"
    county = ground.county[place]
    if (ground.county[outcome.network] == county).sum() >= ground.cap[county]:
        return "county_cap", "CAP"
    stays = np.flatnonzero((outcome.network == ground.today) & ~ground.fixed)
    legal = stays[is_legal(ground, stays, here)[:, 0]]
    if not legal.size:
        return "no_legal_branch", "CN-2"
    return _spent_or_less(outcome.gain[place] - outcome.gain[legal].min())


def _spent_or_less(best: float) -> tuple[str, str]:
    """Tell a place that one more move would use from one that no pair makes worth its while."""
    return ("move_limit", "MOVES") if best > 0.0 else ("worth_less", NO_RULE)


def _best(score: np.ndarray, among: np.ndarray, most: int) -> list[int]:
    order = np.lexsort((among, -score[among]))
    return [int(at) for at in among[order][:most]]
