"""How much each further move adds, and where more of them no longer pay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.layers.records import Layers
from siteplanner.plan import Plan, decide, survey_region
from siteplanner.scenario import Scenario
from siteplanner.stopwatch import Stopwatch, Watcher, nobody

TOLD_KPIS = (
    "visits_own", "deposits_own_wan", "covered_own", "aged_60_covered_own", "inclusive_covered_own",
    "uncovered_any", "mean_minutes_own", "ede_minutes_own", "gini_minutes_own", "townships_with_own",
    "townships_one_own", "opex_wan",
)  # fmt: skip
"""Indicators of the network that a point tells."""

SUMS = ("net_visits", "net_wan", "capex_wan", "npv_wan")
"""Columns of the moves' ledger that a point adds up."""

N_STEPS = 10
"""Steps from no move to the most where no numbers are asked for."""

LEAST_POINTS = 3
"""Fewer points than these have no bend."""

NOTHING = 1e-9
"""A curve that leaves its chord by less than this share of its rise is straight."""


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """Plans of more and more moves.

    Parameters
    ----------
    scenario
        As it was given.
    points
        By number of moves allowed: ``moves`` made, ``worth`` of the network after the plan and its proved
        ``bound``, ``gap`` between them, sums of the ledger and indicators of the network, ``seconds``.
    knee
        The number of moves from which more of them add less than the average of all; None with fewer than
        three points, or where every further move adds as much as the first.
    is_whole
        Whether every point that was asked for was reached.
    """

    scenario: Scenario
    points: pd.DataFrame
    knee: int | None
    is_whole: bool


def trace_frontier(
    scenario: Scenario, layers: Layers, numbers: Sequence[int], watcher: Watcher = nobody
) -> Frontier:
    """Survey the region once, then decide with each number of moves.

    An interrupt keeps the points that are done.

    Parameters
    ----------
    numbers
        Largest numbers of moves, each at least 0.

    Raises
    ------
    NoLegalPlanError, EngineError
        As `plan.make_plan`.
    KeyboardInterrupt
        When no point was done yet.
    """
    wanted = sorted(set(numbers))
    survey = survey_region(scenario, layers, Stopwatch(watcher))
    rows: dict[int, dict[str, float]] = {}
    try:
        for at, number in enumerate(wanted):
            watcher("frontier", at / len(wanted))
            limits = scenario.relocation.model_copy(update={"max_moves": number})
            clock = Stopwatch()
            plan = decide(survey, scenario.model_copy(update={"relocation": limits}), clock)
            rows[number] = _point(plan) | {"seconds": sum(clock.seconds.values())}
    except KeyboardInterrupt:
        if not rows:
            raise
    points = pd.DataFrame.from_dict(rows, orient="index").rename_axis("max_moves")
    return Frontier(scenario, points, find_knee(points["moves"], points["worth"]), len(rows) == len(wanted))


def spread_numbers(most: int) -> tuple[int, ...]:
    """Return eleven numbers of moves, or fewer, evenly spread from none to the most."""
    return tuple(sorted({round(most * step / N_STEPS) for step in range(N_STEPS + 1)}))


def _point(plan: Plan) -> dict[str, float]:
    proof, moves, kpis = plan.relocation.proof, plan.ledger.moves, plan.ledger.kpis
    after = kpis["after"].astype(float)
    told = {name: after[name] for name in TOLD_KPIS if name in after.index}
    return {
        "moves": len(moves),
        "worth": proof.after,
        "bound": proof.bound,
        "gap": proof.gap,
        **{name: float(moves[name].sum()) for name in SUMS},
        **told,
    }


def find_knee(moves: "pd.Series[float]", worth: "pd.Series[float]") -> int | None:
    """Return the number of moves at which the curve lies furthest above its chord.

    The chord joins the first and the last point; where the curve is concave, that is where the slope falls
    below the average slope (Satopaa et al. 2011, "Finding a kneedle in a haystack", ICDCS Workshops).

    Returns
    -------
    int or None
        None with fewer than three different numbers of moves, or where no point lies above the chord.
    """
    curve = pd.Series(worth.to_numpy(dtype=float), index=moves.to_numpy(dtype=float)).groupby(level=0).max()
    if len(curve) < LEAST_POINTS:
        return None
    x, y = curve.index.to_numpy(dtype=float), curve.to_numpy()
    above = y - (y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0]))
    best = int(np.argmax(above))
    return int(x[best]) if above[best] > NOTHING * max(float(np.ptp(y)), np.finfo(float).tiny) else None
