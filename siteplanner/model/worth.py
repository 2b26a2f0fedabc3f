"""What a set of own outlets is worth: visits won, weighted, and people brought within reach of a bank."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from siteplanner.model.capture import near_matrix
from siteplanner.model.contest import Contest, Evidence
from siteplanner.model.scores import DESTINATION_FORMAT, Scores, inclusive_rows
from siteplanner.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """The objective, over branches first and sites after them.

    Parameters
    ----------
    utility
        Rows x places, sites with the attractiveness of the format assumed at a destination.
    weight, rest
        Worth of all visits of a row; utility of rivals and of the outside option.
    cover, bonus
        0/1 rows x places within reach, only rows that no rival covers; worth of a row's people.
    place
        Worth of switching a place in itself: of closing a branch (it counts when the branch is closed), and
        of opening a site: what stays with the bank, and points of the score.
    """

    utility: sp.csr_array
    weight: np.ndarray
    rest: np.ndarray
    cover: sp.csr_array
    bonus: np.ndarray
    place: np.ndarray
    n_branches: int


def state_worth(evidence: Evidence, contest: Contest, scores: Scores, scenario: Scenario) -> Worth:
    """State the objective of the plan in worth of visits a day.

    A visit counts once, and ``inclusion_weight`` times more from an inclusive county; each person within
    ``cover_min`` of an own outlet where no rival is counts ``cover_weight``. In the choice model everybody
    chooses anew, but customers are sticky (D§7.2): closing a branch is credited with the visits that stay
    with the bank beyond those that siblings recapture in the model. Each point of release and attract score
    counts ``score_weight``. Rows without a place within reach and rows without weight are left out.
    """
    settings = scenario.relocation
    utility = sp.hstack(
        (contest.network.own, contest.sites * contest.formats[DESTINATION_FORMAT]), format="csr"
    )
    weight = contest.visits * (1.0 + settings.inclusion_weight * inclusive_rows(evidence, contest))
    kept = (weight > 0.0) & (np.diff(utility.indptr) > 0)
    cover_min = scenario.access.cover_min
    blocks = (near_matrix(part, cover_min) for part in (contest.network.own_minutes, contest.site_minutes))
    cover = sp.hstack(list(blocks), format="csr")
    bonus = contest.residents * settings.cover_weight
    lonely = ~rival_covers(evidence, contest, cover_min)
    counted = lonely & (bonus > 0.0) & (np.diff(cover.indptr) > 0)
    market = Worth(
        utility=sp.csr_array(utility[np.flatnonzero(kept)]),
        weight=weight[kept],
        rest=contest.network.rest[kept],
        cover=sp.csr_array(cover[np.flatnonzero(counted)]),
        bonus=bonus[counted],
        place=np.zeros(utility.shape[1]),
        n_branches=contest.network.own.shape[1],
    )
    return replace(market, place=_worth_in_itself(market, scores, settings.score_weight))


def _worth_in_itself(market: Worth, scores: Scores, score_weight: float) -> np.ndarray:
    release, attract = scores.release["score"].to_numpy(), scores.attract["score"].to_numpy()
    today = np.arange(market.place.size) < market.n_branches
    drawn, lost = _capture_of_each(market, today)
    leaves = (1.0 - scores.release["value_retention"].to_numpy()) * drawn[: release.size]
    closing = np.maximum(lost[: release.size] - leaves, 0.0) + score_weight * release
    return np.concatenate((closing, score_weight * attract))


def rival_covers(evidence: Evidence, contest: Contest, cover_min: float) -> np.ndarray:
    """Tell which rows have a rival within reach."""
    reach = evidence.access.reach
    n_own = contest.network.own.shape[1]
    near = (reach.minutes <= cover_min) & (reach.indices >= n_own)
    total = np.concatenate(([0], np.cumsum(near)))
    return np.asarray(total[reach.indptr[1:]] > total[reach.indptr[:-1]])


def value_of(worth: Worth, chosen: np.ndarray) -> float:
    """Return the worth of a set of open places."""
    won = worth.utility @ chosen.astype(np.float64)
    covered = (worth.cover @ chosen.astype(np.float64)) > 0.0
    market = worth.weight @ (won / (worth.rest + won)) + worth.bonus @ covered
    switched = chosen != (np.arange(chosen.size) < worth.n_branches)
    return float(market + worth.place @ switched)


def gain_of_each(worth: Worth, chosen: np.ndarray) -> np.ndarray:
    """Return what each place adds to, or for an open one takes from, the worth when it alone is switched."""
    gain = _capture_of_each(worth, chosen)[1]
    near = worth.cover @ chosen.astype(np.float64)
    rows = np.repeat(np.arange(worth.bonus.size), np.diff(worth.cover.indptr))
    columns = worth.cover.indices
    decisive = np.where(chosen[columns], near[rows] == 1.0, near[rows] == 0.0)
    people = np.bincount(columns, weights=worth.bonus[rows] * decisive, minlength=chosen.size)
    sign = np.where(np.arange(chosen.size) < worth.n_branches, -1.0, 1.0)
    return np.asarray(gain + people + sign * worth.place)


def _capture_of_each(worth: Worth, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the worth of the visits each place draws, or would draw, and what the bank has of it by net."""
    won = worth.utility @ chosen.astype(np.float64)
    rows = np.repeat(np.arange(worth.weight.size), np.diff(worth.utility.indptr))
    columns, u = worth.utility.indices, worth.utility.data
    rest, here, is_open = worth.rest[rows], won[rows], chosen[columns]
    full = rest + np.where(is_open, here, here + u)
    drawn = worth.weight[rows] * u / full
    net = drawn * rest / np.maximum(full - u, rest)
    size = chosen.size
    return np.bincount(columns, drawn, size), np.bincount(columns, net, size)
