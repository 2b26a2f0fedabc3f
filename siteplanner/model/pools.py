"""Meso sets layout: which branches may leave, and which zones may be entered (D§6.3)."""

import numpy as np
import pandas as pd

from siteplanner.model.contest import Evidence, cell_at
from siteplanner.scenario import RelocationSettings

SOURCE = "SOURCE"
TARGET = "TARGET"
PROTECTED_CLASS = "dense_productive"
"""A productive core is protected (D§6.3): overlap alone does not release its branches."""


def outside_sources(evidence: Evidence, settings: RelocationSettings) -> np.ndarray:
    """Tell which branches stand outside the zones that branches may leave.

    A branch elsewhere may leave all the same when its siblings would serve at least `source_overlap` of its
    visits (D§6.2), unless it stands in a productive core.
    """
    branches = evidence.branches
    if not settings.sources:
        return np.zeros(len(branches), dtype=bool)
    cells = evidence.zones.cells["zone_id"].reindex(cell_at(evidence.grid, branches))
    kind = cells.map(evidence.zones.zones["zone_class"]).to_numpy()
    overlap = evidence.market.outlets["overlap"].reindex(branches.index).to_numpy(dtype=float)
    redundant = (overlap >= settings.source_overlap) & (kind != PROTECTED_CLASS)
    return np.asarray(~(pd.Series(kind).isin(settings.sources).to_numpy() | redundant))


def outside_destinations(evidence: Evidence, settings: RelocationSettings) -> np.ndarray:
    """Tell which sites lie outside the zones that branches may enter; the user's own sites never do."""
    sites = evidence.candidates.sites
    if not settings.destinations:
        return np.zeros(len(sites), dtype=bool)
    kind = sites["zone_id"].map(evidence.zones.zones["zone_class"])
    return np.asarray(~(kind.isin(settings.destinations) | (sites["origin"] == "user")))
