"""What was looked at and not chosen, with the reason."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from siteplanner.model.rules import Ground, is_legal, too_close
from siteplanner.model.scores import Scores

BRANCHES_TOLD = 50
SITES_TOLD = 100
"""How many of the best-scored places that were not chosen are told; no source."""

NO_RULE = ""

Row = tuple[str, str, str, str, float]


def list_rejected(ground: Ground, scores: Scores, network: np.ndarray, blocked: np.ndarray) -> pd.DataFrame:
    """List the best release branches and sites that the plan does not use, each with its reason.

    Parameters
    ----------
    network
        The network after the plan.
    blocked
        Places that the decision chose but for which no legal order of moves exists.
    """
    rows = [*_branches(ground, scores, network, blocked), *_sites(ground, scores, network, blocked)]
    frame = pd.DataFrame(rows, columns=["branch_id", "site_id", "reason", "rule", "score"])
    text = ["branch_id", "site_id", "reason", "rule"]
    return frame.astype(dict.fromkeys(text, "str") | {"score": "float64"})


def _branches(ground: Ground, scores: Scores, network: np.ndarray, blocked: np.ndarray) -> Iterator[Row]:
    stays = np.flatnonzero(network == ground.today)
    table = scores.release
    for at in _best(table["score"].to_numpy(), stays, BRANCHES_TOLD):
        reason, rule = _why_not_leave(ground, str(table["veto"].iloc[at]), network, at, blocked)
        yield str(table.index[at]), "", reason, rule, float(table["score"].iloc[at])


def _why_not_leave(
    ground: Ground, veto: str, network: np.ndarray, at: int, blocked: np.ndarray
) -> tuple[str, str]:
    if veto:
        return "veto", veto
    if at in blocked:
        return "no_order", NO_RULE
    county = ground.county[at]
    if (ground.county[network] == county).sum() <= ground.floor[county]:
        return "county_floor", "FLOOR"
    return _spent_or_less(ground, network)


def _sites(ground: Ground, scores: Scores, network: np.ndarray, blocked: np.ndarray) -> Iterator[Row]:
    n_branches = ground.branch_ids.size
    unused = np.setdiff1d(np.arange(n_branches, ground.unit.shape[0]), network) - n_branches
    table = scores.attract
    for at in _best(table["score"].to_numpy(), unused, SITES_TOLD):
        reason, rule = _why_not_come(ground, str(table["veto"].iloc[at]), network, at + n_branches, blocked)
        yield "", str(table.index[at]), reason, rule, float(table["score"].iloc[at])


def _why_not_come(
    ground: Ground, veto: str, network: np.ndarray, place: int, blocked: np.ndarray
) -> tuple[str, str]:
    if veto:
        return "veto", veto
    if place in blocked:
        return "no_order", NO_RULE
    here = np.array([place])
    if too_close(ground, here, network).any():
        return "spacing", "SPACING"
    county = ground.county[place]
    if (ground.county[network] == county).sum() >= ground.cap[county]:
        return "county_cap", "CAP"
    if not is_legal(ground, np.flatnonzero(~ground.fixed), here).any():
        return "no_legal_branch", "CN-2"
    return _spent_or_less(ground, network)


def _spent_or_less(ground: Ground, network: np.ndarray) -> tuple[str, str]:
    if (network != ground.today).sum() >= ground.max_moves:
        return "move_limit", "MOVES"
    return "worth_less", NO_RULE


def _best(score: np.ndarray, among: np.ndarray, most: int) -> list[int]:
    order = np.lexsort((among, -score[among]))
    return [int(at) for at in among[order][:most]]
