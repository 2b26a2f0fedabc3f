"""Why the ledger and the market model differ: from one total of deposits to the other, line by line.

The market model shares out the deposits that people have today, and lets those whose branch leaves choose
again. The ledger takes the same gain, adds homes still to be handed over, and lets the deposits of the old
place leave by the attrition model instead (D§7.1): people are sticky, markets are not. Every line is the
difference of two ways to count the same customers, so that the lines of a move add up to its net deposits.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BRIDGE = ("market_net_wan", "attrition_wan", "switched_wan", "unmodelled_wan", "pipeline_wan")
"""Columns of the ledger that add up to ``net_wan``."""


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The deposits of moves as either model counts them, one value a move, 10,000 CNY.

    Parameters
    ----------
    won
        Won at the new place less taken from own outlets, of the people there are today.
    left, recaptured
        At the old place once the new one is open, and what of it own outlets keep by choice.
    drawn, held
        At the old place today: by the market model, and as observed, by the market model where not.
    loss
        Share lost by the attrition model.
    pipeline
        Won less taken from own outlets of homes still to be handed over, at the horizon.
    """

    won: np.ndarray
    left: np.ndarray
    recaptured: np.ndarray
    drawn: np.ndarray
    held: np.ndarray
    loss: np.ndarray
    pipeline: np.ndarray


def bridge(counted: Counted) -> dict[str, np.ndarray]:
    """Return `BRIDGE` by move: what the market model says, and what changes on the way to the ledger's net.

    ``won + pipeline - held loss`` is the ledger's; ``won - (left - recaptured)`` the market model's. Between
    them lie another loss of those left behind, the loss of those whom the new place and earlier moves had won
    already, and the loss of deposits that the market model does not explain.
    """
    c = counted
    return {
        "market_net_wan": c.won - (c.left - c.recaptured),
        "attrition_wan": (c.left - c.recaptured) - c.left * c.loss,
        "switched_wan": -(c.drawn - c.left) * c.loss,
        "unmodelled_wan": -(c.held - c.drawn) * c.loss,
        "pipeline_wan": c.pipeline,
    }


def reconcile(moves: pd.DataFrame, held_wan: float) -> pd.DataFrame:
    """Return `tables.RECONCILIATION`: the market model's total, every difference, and the ledger's total.

    Parameters
    ----------
    moves
        `tables.LEDGER`.
    held_wan
        Deposits that the network after the plan has by inertia alone, 10,000 CNY.
    """
    sums = {name: float(moves[name].sum()) for name in (*BRIDGE, "net_wan")}
    lines = {
        "choice_wan": sums["market_net_wan"] - held_wan,
        "inertia_wan": held_wan,
        **sums,
    }
    return pd.DataFrame({"deposits_wan": lines}, dtype=float).rename_axis("line")
