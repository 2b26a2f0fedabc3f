"""What was looked at and not chosen, with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.model.rules import Ground, is_legal, too_close
from siteplanner.model.scores import Scores
from siteplanner.model.sphere import distances_km

BRANCHES_TOLD = 50
SITES_TOLD = 100
"""How many of the best-scored places that were not chosen are told; no source."""

NO_RULE = ""

Why = tuple[str, str, float, float]
"""Reason, rule, what the place would add to the plan with its best partner (visits a day), and how near the
next own outlet of the plan is, km, where that is the reason."""

Row = tuple[str, str, float, str, str, float, float]


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
    """List the best release branches and sites that the plan does not use: why not, and what they lack."""
    rows = [*_branches(ground, scores, outcome), *_sites(ground, scores, outcome)]
    columns = ["branch_id", "site_id", "score", "reason", "rule", "worth", "nearest_km"]
    frame = pd.DataFrame(rows, columns=columns)
    text = ["branch_id", "site_id", "reason", "rule"]
    numbers = ["score", "worth", "nearest_km"]
    return frame.astype(dict.fromkeys(text, "str") | dict.fromkeys(numbers, "float64"))


def _branches(ground: Ground, scores: Scores, outcome: Outcome) -> Iterator[Row]:
    stays = np.flatnonzero(outcome.network == ground.today)
    table = scores.release
    for at in _best(table["score"].to_numpy(), stays, BRANCHES_TOLD):
        why = _why_not_leave(ground, str(table["veto"].iloc[at]), outcome, at)
        yield str(table.index[at]), "", float(table["score"].iloc[at]), *why


def _why_not_leave(ground: Ground, veto: str, outcome: Outcome, at: int) -> Why:
    if veto:
        return "veto", veto, np.nan, np.nan
    sites = np.setdiff1d(np.arange(ground.branch_ids.size, ground.unit.shape[0]), outcome.network)
    legal = sites[is_legal(ground, np.array([at]), sites)[0]]
    worth = float(outcome.gain[legal].max(initial=-np.inf) - outcome.gain[at]) if legal.size else np.nan
    if at in outcome.blocked:
        return "no_order", NO_RULE, worth, np.nan
    county = ground.county[at]
    if (ground.county[outcome.network] == county).sum() <= ground.floor[county]:
        return "county_floor", "FLOOR", worth, np.nan
    return _spent_or_less(worth)


def _sites(ground: Ground, scores: Scores, outcome: Outcome) -> Iterator[Row]:
    n_branches = ground.branch_ids.size
    unused = np.setdiff1d(np.arange(n_branches, ground.unit.shape[0]), outcome.network) - n_branches
    table = scores.attract
    for at in _best(table["score"].to_numpy(), unused, SITES_TOLD):
        why = _why_not_come(ground, str(table["veto"].iloc[at]), outcome, at + n_branches)
        yield "", str(table.index[at]), float(table["score"].iloc[at]), *why


def _why_not_come(ground: Ground, veto: str, outcome: Outcome, place: int) -> Why:
    if veto:
        return "veto", veto, np.nan, np.nan
    here = np.array([place])
    stays = np.flatnonzero((outcome.network == ground.today) & ~ground.fixed)
    legal = stays[is_legal(ground, stays, here)[:, 0]]
    worth = float(outcome.gain[place] - outcome.gain[legal].min()) if legal.size else np.nan
    if place in outcome.blocked:
        return "no_order", NO_RULE, worth, np.nan
    if too_close(ground, here, outcome.network).any():
        near = distances_km(ground.unit[here], ground.unit[outcome.network])
        return "spacing", "SPACING", worth, float(near.min())
    county = ground.county[place]
    if (ground.county[outcome.network] == county).sum() >= ground.cap[county]:
        return "county_cap", "CAP", worth, np.nan
    if not legal.size:
        return "no_legal_branch", "CN-2", np.nan, np.nan
    return _spent_or_less(worth)


def _spent_or_less(worth: float) -> Why:
    """Tell a place that one more move would use from one that no pair makes worth its while."""
    return ("move_limit", "MOVES", worth, np.nan) if worth > 0.0 else ("worth_less", NO_RULE, worth, np.nan)


def _best(score: np.ndarray, among: np.ndarray, most: int) -> list[int]:
    order = np.lexsort((among, -score[among]))
    return [int(at) for at in among[order][:most]]
