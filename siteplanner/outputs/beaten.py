"""By how much another legal plan could at most beat this one: one number for memo, map and terminal."""

import math

from siteplanner.outputs.wording import number
from siteplanner.plan import Plan

_FINE, _COARSE = 2, 1  # decimals of a percentage below 1 and from there on


def beaten_by(plan: Plan) -> float:
    """Return (bound - after) / after, never below 0; not a number without a bound or a plan of worth."""
    proof = plan.relocation.proof
    if not (proof.after > 0 and math.isfinite(proof.bound)):
        return math.nan
    return max(proof.bound - proof.after, 0.0) / proof.after


def proof_percent(plan: Plan) -> str:
    """Write `beaten_by` as a percentage, rounded up, never down: the sentences say "at most"."""
    share = beaten_by(plan) * 100
    if math.isnan(share):
        return number(None)
    digits = _FINE if share < 1 else _COARSE
    return f"{number(math.ceil(share * 10**digits - 1e-9) / 10**digits, digits)}%"
