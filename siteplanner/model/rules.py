"""What a relocation may never do, as data: id, severity, test; and the test after every step (D§10).

A network is an integer array: the place at which each own branch stands. Places are today's own premises,
in the order of the branches, followed by the candidate sites, so today's network is ``arange(n_branches)``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.sphere import distances_km, unit_vectors
from siteplanner.scenario import RelocationSettings, RuleSettings

LEVEL = {"U": 2, "C": 1, "T": 0, "V": 0}
"""Legal level of a tier: a branch never moves to a higher one (D§10, CN-2)."""

LOCAL_FORMAT = "community"
"""The format that stays in its county (D§10, CN-3)."""

NO_ID = -1

Standing = np.ndarray
"""The place of each own branch: a network."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What the rules need to know and no move changes.

    Parameters
    ----------
    branch_ids
        Own branches; place i is where branch i stands today.
    unit
        Unit vectors of the places, n x 3.
    county, prefecture, township
        Codes of the places; -1 for no township.
    level, spacing_km
        Legal level, and own-own spacing by settlement class, of the places.
    fixed, local
        Branches that may not move at all; branches that may not leave their county.
    rivals
        Outlets of other banks by township code.
    floor, cap
        Fewest and most own branches by county code; with ``counties`` and ``townships`` naming the codes.
    """

    branch_ids: np.ndarray
    unit: np.ndarray
    county: np.ndarray
    prefecture: np.ndarray
    township: np.ndarray
    level: np.ndarray
    spacing_km: np.ndarray
    fixed: np.ndarray
    local: np.ndarray
    rivals: np.ndarray
    floor: np.ndarray
    cap: np.ndarray
    counties: np.ndarray
    townships: np.ndarray
    keep_township: bool
    keep_county: bool
    max_moves: int

    @property
    def today(self) -> Standing:
        """Return the network before the plan."""
        return np.arange(self.branch_ids.size)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and its test: the ids that break it in a network, sorted; none when it is kept."""

    rule: str
    severity: Literal["hard", "warn"]
    broken: Callable[[Ground, Standing], np.ndarray]


def lay_ground(
    branches: pd.DataFrame,
    sites: pd.DataFrame,
    rival_townships: pd.Series,
    counties: pd.DataFrame,
    settings: tuple[RuleSettings, RelocationSettings],
) -> Ground:
    """Turn tables into the arrays that the rules are tested on.

    Parameters
    ----------
    branches, sites
        Points with `tables.PLACED` and ``settlement``; branches also ``format`` and ``locked``.
    rival_townships
        ``township_id`` of every outlet of another bank.
    counties
        Index ``county_id``; columns ``floor`` and ``cap``.
    """
    rules, moves = settings
    columns = ["lon", "lat", "county_id", "prefecture", "township_id", "tier", "settlement"]
    places = pd.concat([branches[columns], sites[columns]], ignore_index=True)
    county_ids = np.sort(counties.index.to_numpy())
    township_ids = np.unique(places["township_id"].fillna("").astype(str).to_numpy())
    township_ids = township_ids[township_ids != ""]
    spacing = {kind: getattr(moves, f"spacing_{kind}_km") for kind in tables.SETTLEMENTS}
    seen = codes(rival_townships, township_ids)
    limits = counties.reindex(county_ids)
    return Ground(
        branch_ids=branches.index.to_numpy(),
        unit=unit_vectors(places["lon"].to_numpy(), places["lat"].to_numpy()),
        county=codes(places["county_id"], county_ids),
        prefecture=pd.factorize(places["prefecture"], sort=True)[0],
        township=codes(places["township_id"], township_ids),
        level=places["tier"].map(LEVEL).to_numpy(dtype=np.int64),
        spacing_km=places["settlement"].map(spacing).to_numpy(dtype=float),
        fixed=branches["locked"].to_numpy(dtype=bool) | np.isin(branches.index, list(rules.protected)),
        local=(branches["format"] == LOCAL_FORMAT).to_numpy(),
        rivals=np.bincount(seen[seen != NO_ID], minlength=township_ids.size),
        floor=limits["floor"].to_numpy(dtype=np.int64),
        cap=limits["cap"].to_numpy(dtype=np.int64),
        counties=county_ids,
        townships=township_ids,
        keep_township=rules.keep_last_in_township,
        keep_county=rules.keep_last_own_in_county,
        max_moves=moves.max_moves,
    )


def codes(values: pd.Series, known: np.ndarray) -> np.ndarray:
    """Return the position of each value in a sorted list, -1 when it is not in it."""
    if known.size == 0:
        return np.full(len(values), NO_ID)
    text = values.fillna("").astype(str).to_numpy(dtype=object)
    known_text = known.astype(str).astype(object)
    at = np.searchsorted(known_text, text).clip(max=known.size - 1)
    return np.where(known_text[at] == text, at, NO_ID)


def too_close(ground: Ground, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Tell which pairs of places are closer than own-own spacing allows.

    Where two settlement classes meet, the smaller spacing holds: the denser side sets the measure.
    """
    needed = np.minimum(ground.spacing_km[left][:, None], ground.spacing_km[right][None, :])
    return np.asarray(distances_km(ground.unit[left], ground.unit[right]) < needed)


def is_legal(ground: Ground, branch: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Tell, branch by place, whether the law lets this branch move there (CN-1, CN-2, CN-3)."""
    same_prefecture = ground.prefecture[branch][:, None] == ground.prefecture[place][None, :]
    not_upward = ground.level[branch][:, None] >= ground.level[place][None, :]
    same_county = ground.county[branch][:, None] == ground.county[place][None, :]
    return np.asarray(same_prefecture & not_upward & (same_county | ~ground.local[branch][:, None]))


def branch_vetoes(ground: Ground) -> np.ndarray:
    """Return the rule that forbids each branch to move, empty when it is free; before any score.

    A community branch may only move inside its county; the decision is taken by prefecture, so it stays.
    """
    now = ground.today
    own_township = _counts(ground.township[now], ground.townships.size)
    alone = np.zeros(now.size, dtype=bool)
    inside = ground.township[now] != NO_ID
    here = ground.township[now][inside]
    alone[inside] = (own_township[here] == 1) & (ground.rivals[here] == 0)
    own_county = _counts(ground.county[now], ground.counties.size)
    last = own_county[ground.county[now]] == 1
    veto = np.full(now.size, "", dtype=object)
    veto[last & ground.keep_county] = "CN-6"
    veto[ground.local] = "CN-3"
    veto[alone & ground.keep_township] = "CN-5"
    veto[ground.fixed] = "PROTECTED"
    return veto


def _counts(values: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(values[values != NO_ID], minlength=size)


def _pick(ids: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.asarray(ids[where])


def _moved(ground: Ground, network: Standing) -> np.ndarray:
    return np.flatnonzero(network != ground.today)


def _other_prefecture(ground: Ground, network: Standing) -> np.ndarray:
    return _pick(ground.branch_ids, ground.prefecture[network] != ground.prefecture[ground.today])


def _upward(ground: Ground, network: Standing) -> np.ndarray:
    return _pick(ground.branch_ids, ground.level[network] > ground.level[ground.today])


def _left_county(ground: Ground, network: Standing) -> np.ndarray:
    return _pick(ground.branch_ids, ground.local & (ground.county[network] != ground.county[ground.today]))


def _empty_townships(ground: Ground, network: Standing) -> np.ndarray:
    if not ground.keep_township:
        return ground.townships[:0]
    before = _counts(ground.township[ground.today], ground.townships.size)
    after = _counts(ground.township[network], ground.townships.size)
    return _pick(ground.townships, (before > 0) & (after == 0) & (ground.rivals == 0))


def _empty_counties(ground: Ground, network: Standing) -> np.ndarray:
    if not ground.keep_county:
        return ground.counties[:0]
    before = _counts(ground.county[ground.today], ground.counties.size)
    return _pick(ground.counties, (before > 0) & (_counts(ground.county[network], ground.counties.size) == 0))


def _protected(ground: Ground, network: Standing) -> np.ndarray:
    return _pick(ground.branch_ids, ground.fixed & (network != ground.today))


def _crowded(ground: Ground, network: Standing) -> np.ndarray:
    moved = _moved(ground, network)
    close = too_close(ground, network[moved], network)
    close[np.arange(moved.size), moved] = False
    return _pick(ground.branch_ids, moved[close.any(axis=1)])


def _below_floor(ground: Ground, network: Standing) -> np.ndarray:
    before = _counts(ground.county[ground.today], ground.counties.size)
    after = _counts(ground.county[network], ground.counties.size)
    return _pick(ground.counties, after < np.minimum(ground.floor, before))


def _above_cap(ground: Ground, network: Standing) -> np.ndarray:
    before = _counts(ground.county[ground.today], ground.counties.size)
    after = _counts(ground.county[network], ground.counties.size)
    return _pick(ground.counties, after > np.maximum(ground.cap, before))


def _shared_places(ground: Ground, network: Standing) -> np.ndarray:
    used = np.bincount(network, minlength=ground.unit.shape[0])
    return _pick(ground.branch_ids, used[network] > 1)


def _too_many(ground: Ground, network: Standing) -> np.ndarray:
    moved = _moved(ground, network)
    return _pick(ground.branch_ids, moved[ground.max_moves :])


RULES = (
    Rule("CN-1", "hard", _other_prefecture),
    Rule("CN-2", "hard", _upward),
    Rule("CN-3", "hard", _left_county),
    Rule("CN-5", "hard", _empty_townships),
    Rule("CN-6", "hard", _empty_counties),
    Rule("PROTECTED", "hard", _protected),
    Rule("SPACING", "hard", _crowded),
    Rule("FLOOR", "hard", _below_floor),
    Rule("CAP", "hard", _above_cap),
    Rule("COUNT", "hard", _shared_places),
    Rule("MOVES", "hard", _too_many),
)
"""Every rule tested after every step.

During the plan a county may lie below its floor or above its cap only if it did so from the start; after the
last step `relocate` holds them strictly.
"""


def breaks(ground: Ground, network: Standing) -> list[str]:
    """Return the ids of the hard rules that a network breaks."""
    return [rule.rule for rule in RULES if rule.severity == "hard" and rule.broken(ground, network).size]


def trace_rules(ground: Ground, networks: list[Standing]) -> pd.DataFrame:
    """Test every rule on every network of an order; step 0 is today."""
    rows = [
        (step, rule.rule, broken.size == 0, rule.severity, " ".join(np.sort(broken.astype(str))))
        for step, network in enumerate(networks)
        for rule in RULES
        for broken in [rule.broken(ground, network)]
    ]
    return pd.DataFrame(rows, columns=["step", "rule", "ok", "severity", "detail"])
