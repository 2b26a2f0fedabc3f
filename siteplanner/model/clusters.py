"""Core and satellites: branches that share staff and customers (D§9.6)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse.csgraph import connected_components

from siteplanner import tables
from siteplanner.errors import EngineError
from siteplanner.model.catalogue import Catalogue
from siteplanner.model.sphere import distances_km, unit_vectors
from siteplanner.scenario import ClusterSettings

HEAD_KM = 100.0
"""Fewest heads first: one head fewer outweighs this many km between satellites and cores; no source."""

MIP_GAP = 1e-4
CORE_FORMAT_KM = 10.0
"""A head that has the format of a core counts as this much nearer; no source."""

NODE_LIMIT = 2_000
"""Nodes of the branch and bound of one group, so that the answer depends on no clock; no source."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Cluster and role of every branch after the plan.

    Parameters
    ----------
    gap
        Largest relative gap of the groups' programs; 0 when all are solved to the end.
    """

    branches: pd.DataFrame
    gap: float

    def __post_init__(self) -> None:
        tables.check(self.branches, tables.CLUSTERS)


def group_branches(branches: pd.DataFrame, catalogue: Catalogue, settings: ClusterSettings) -> Clusters:
    """Join branches to clusters of one full-service core and its satellites.

    Every branch is a satellite of a core within reach in its prefecture, or a head; a head without satellites
    is single. The fewest heads are sought, then heads that have the format of a core and the least distance:
    a capacitated facility location problem, solved exactly for each group of branches that could share a
    core.

    Parameters
    ----------
    branches
        Index ``branch_id``; ``lon``, ``lat``, ``prefecture``, ``tier``, ``format``.
    """
    ordered = branches.sort_index()
    km, allowed = _possible(ordered, catalogue, settings)
    head_km = np.where(ordered["format"] == "core", HEAD_KM - CORE_FORMAT_KM, HEAD_KM)
    _, group = connected_components(sp.csr_array(allowed), directed=False)
    core = np.arange(len(ordered))
    gap = 0.0
    for name in np.unique(group):
        members = np.flatnonzero(group == name)
        if members.size > 1:
            square = np.ix_(members, members)
            chosen, missing = _solve(km[square], allowed[square], head_km[members], settings.max_size)
            core[members] = members[chosen]
            gap = max(gap, missing)
    return Clusters(_tell(ordered, core, km), gap)


def _possible(
    branches: pd.DataFrame, catalogue: Catalogue, settings: ClusterSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances, and which branch (row) may be a satellite of which core (column)."""
    unit = unit_vectors(branches["lon"].to_numpy(), branches["lat"].to_numpy())
    km = distances_km(unit, unit)
    radius = np.where(branches["tier"] == "U", settings.radius_u_km, settings.radius_ct_km)
    full = branches["format"].map(catalogue.formats["full_service"]).to_numpy(dtype=bool)
    prefecture = pd.factorize(branches["prefecture"])[0]
    allowed = (km <= radius[:, None]) & full[None, :] & (prefecture[:, None] == prefecture[None, :])
    np.fill_diagonal(allowed, val=False)
    return km, allowed


def _solve(
    km: np.ndarray, allowed: np.ndarray, head_km: np.ndarray, max_size: int
) -> tuple[np.ndarray, float]:
    """Return the head of each branch of one group (itself for a head), and the relative gap."""
    n = km.shape[0]
    satellite, core = np.nonzero(allowed)
    n_pairs = satellite.size
    # Columns: one per possible pair, then one per head.
    cost = np.concatenate((km[satellite, core], head_km))
    pair = np.arange(n_pairs)
    head = n_pairs + np.arange(n)
    ones, last = np.ones(n_pairs), 2 * n + n_pairs
    rows = [satellite, np.arange(n), n + core, n + np.arange(n), 2 * n + pair, 2 * n + pair, np.full(n, last)]
    columns = [pair, head, pair, head, pair, n_pairs + core, head]
    most = max_size - 1.0
    data = [ones, np.ones(n), ones, np.full(n, -most), ones, -ones, np.ones(n)]
    shape = (last + 1, n_pairs + n)
    matrix = sp.csr_array(
        (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=shape
    )
    # The last row follows from the others for whole numbers; stated, it tightens the relaxation.
    fewest = np.ceil(n / max_size)
    low = np.concatenate((np.ones(n), np.full(n + n_pairs, -np.inf), [fewest]))
    high = np.concatenate((np.ones(n), np.zeros(n + n_pairs), [np.inf]))
    value, gap = _run(matrix, cost, low, high)
    chosen = np.arange(n)
    taken = np.round(value[:n_pairs]) > 0.0
    chosen[satellite[taken]] = core[taken]
    return chosen, gap


def _run(
    matrix: sp.csr_array, cost: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, float]:
    found = milp(
        cost,
        integrality=np.ones(cost.size, dtype=np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(matrix, low, high),
        options={"node_limit": NODE_LIMIT, "mip_rel_gap": MIP_GAP},
    )
    if found.x is None:
        raise EngineError(f"branches could not be grouped to clusters: {found.message}")
    return np.asarray(found.x), float(found.mip_gap or 0.0)


def _tell(branches: pd.DataFrame, core: np.ndarray, km: np.ndarray) -> pd.DataFrame:
    n = len(branches)
    ids = branches.index.to_numpy()
    size = np.bincount(core, minlength=n)
    is_head = core == np.arange(n)
    role = np.select([~is_head, size[core] > 1], ["satellite", "core"], "single")
    return pd.DataFrame(
        {
            "cluster_id": pd.array(ids[core], dtype="str"),
            "role": pd.array(role, dtype="str"),
            "core_id": pd.array(ids[core], dtype="str"),
            "km_to_core": km[np.arange(n), core],
        },
        index=branches.index.rename("branch_id"),
    )
