"""The choice model that the branch volumes follow: Huff over all banks with an outside option, plus noise."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from .activity import Activity
from .lattice import to_km
from .people import People
from .settlement import Land

DECAY_PER_MIN = 0.11
OUTSIDE = 0.15  # outside option, in units of a mean outlet one kilometre away
NOISE_SD = 0.25
HOME_SHARE = 0.5
VISITS_PER_PERSON_DAY = 0.0225
CLASS_PRIOR = {"big": 1.0, "postal": 0.9, "joint": 0.8, "city": 0.8, "rural": 0.8}
RURAL_IN_TOWNSHIP = 1.2
RATING = {"A": 1.10, "B": 1.00, "C": 0.95, "D": 0.90}
TYPICAL_CAPACITY = 2.3  # mean attractiveness of our own branches before scaling
# Settlement classes: least density per km2, speed km/h, detour, reach km.
CLASSES = [(8000, 4.8, 1.25, 3.0), (2500, 16.0, 1.25, 6.0), (400, 19.0, 1.25, 10.0), (0, 35.0, 1.4, 20.0)]
BLOCK = (4, 5)  # pixels per demand cell, about 930 by 920 m


@dataclass(frozen=True)
class Demand:
    """Demand cells of about one square kilometre."""

    km: np.ndarray
    visits: np.ndarray  # per business day, all banks and the outside option
    money_wan: np.ndarray
    kind: np.ndarray  # row of CLASSES


def make_demand(land: Land, persons: People, activity: Activity) -> Demand:
    """Gather residents and daytime people into demand cells."""
    width = land.lattice.county.shape[1]
    row, column = np.divmod(land.lattice.inside, width)
    block = (row // BLOCK[0]) * (width // BLOCK[1] + 1) + column // BLOCK[1]
    number, cell = np.unique(block, return_inverse=True)
    size = len(number)
    home, work = np.bincount(cell, persons.y2020, size), np.bincount(cell, activity.jobs, size)
    weight = persons.y2020 + 1e-6
    km = np.column_stack(
        [np.bincount(cell, weight * part, size) / np.bincount(cell, weight, size) for part in land.km.T]
    )
    area = np.bincount(cell, minlength=size) * 0.0424
    density = home / area
    kind = np.select([density >= least for least, *_ in CLASSES], range(len(CLASSES)))
    income = np.bincount(cell, persons.y2020 * (2.6 + 4.6 * persons.towns), size) + 0.6 * np.bincount(
        cell, persons.aged, size
    )
    visits = VISITS_PER_PERSON_DAY * (HOME_SHARE * home + (1 - HOME_SHARE) * work)
    live = (home > 0) | (work > 1)
    return Demand(km[live], visits[live], income[live], kind[live])


def share_market(demand: Demand, points_km: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each outlet's visits and money under the choice model."""
    tree = cKDTree(points_km)
    visits, money = np.zeros(len(pull)), np.zeros(len(pull))
    for kind, (_, speed, detour, reach) in enumerate(CLASSES):
        cells = np.flatnonzero(demand.kind == kind)
        near = tree.query_ball_point(demand.km[cells], reach, return_sorted=True)
        length = np.array([len(found) for found in near], int)
        outlet = np.concatenate([np.asarray(found, int) for found in near]) if len(near) else np.empty(0, int)
        cell = np.repeat(np.arange(len(cells)), length)
        distance = np.hypot(*(demand.km[cells][cell] - points_km[outlet]).T)
        per_km = DECAY_PER_MIN * 60 * detour / speed
        utility = pull[outlet] * np.exp(-per_km * np.maximum(distance, 0.1))
        outside = OUTSIDE * np.exp(-per_km)
        chosen = utility / (outside + np.bincount(cell, utility, len(cells)))[cell]
        visits += np.bincount(outlet, chosen * demand.visits[cells][cell], len(pull))
        money += np.bincount(outlet, chosen * demand.money_wan[cells][cell], len(pull))
    return visits, money


def attractiveness(frame: pd.DataFrame) -> np.ndarray:
    """Attractiveness of our own branches from counters, devices, hours and rating."""
    counters = frame["counters"] + 0.5 * frame["smart_devices"] + 0.2 * frame["atms"]
    value = np.sqrt(counters) * frame["hours_per_week"] / 40 * frame["rating"].map(RATING)
    return value.to_numpy(float) / TYPICAL_CAPACITY


def rival_pull(rivals: pd.DataFrame, township_tier: np.ndarray) -> np.ndarray:
    """Attractiveness of rivals: the class prior, rural credit stronger in townships."""
    pull = rivals["class"].map(CLASS_PRIOR).to_numpy(float)
    return np.where((rivals["class"] == "rural") & (township_tier == "T"), RURAL_IN_TOWNSHIP, pull)


def furnish(frame: pd.DataFrame, visits: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Give branches counters, devices, staff and premises that fit their first visits."""
    expected = visits * np.exp(rng.normal(0, 0.30, len(frame)))
    rank = pd.Series(expected).rank(pct=True).to_numpy()
    kind = np.where(rank > 0.86, "core", np.where(rank < 0.22, "light", "standard"))
    least, most = (
        np.select([kind == "core", kind == "light"], pair, other)
        for pair, other in (((5, 1), 2), ((10, 2), 5))
    )
    counters = np.clip(np.round(0.55 * expected / rng.uniform(33, 46, len(frame))), least, most).astype(int)
    devices = np.clip(counters + rng.integers(0, 3, len(frame)), 2, 12)
    atms = np.clip(np.round(counters * 0.6 + rng.uniform(0.3, 1.8, len(frame))), 1, 6).astype(int)
    staff = np.round(2.5 + 1.7 * counters + 0.3 * devices + rng.uniform(0, 2, len(frame))).astype(int)
    per_counter = np.select([kind == "core", kind == "light"], [92.0, 62.0], 80.0)
    area = np.round(60 + per_counter * counters * rng.uniform(0.85, 1.25, len(frame)), -1).astype(int)
    hours = np.select([kind == "core", kind == "light"], [52.5, 40.0], 45.0)
    score = rng.normal(0, 1, len(frame)) + 0.6 * (rank - 0.5)
    grade = np.select([score > 1.0, score > -0.35, score > -1.2], ["A", "B", "C"], "D")
    return frame.assign(
        format=kind, counters=counters, smart_devices=devices, atms=atms, staff=staff, area_m2=area,
        hours_per_week=hours, rating=grade,
    )  # fmt: skip


def finish(
    frame: pd.DataFrame, visits: np.ndarray, money: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Write volumes with noise, costs, lease ends and the few protected branches."""
    size = len(frame)
    noise = rng.normal(0, NOISE_SD, (3, size))
    seen = np.maximum(visits * np.exp(noise[0]), 4)
    deposits = money * np.exp(noise[1])
    urban = frame["tier"].map({"U": 1.0, "C": 0.55, "T": 0.3}).to_numpy()
    # About 420 for a standard and 220 for a light branch: the planning defaults of the domain notes.
    opex = 26 * frame["staff"] + 6 * frame["smart_devices"] + 60
    opex += frame["area_m2"] * (0.06 + 0.12 * urban)
    lease = pd.Timestamp("2027-01-31") + pd.to_timedelta(rng.integers(0, 8 * 12 - 1, size) * 30.44, unit="D")
    main = seen.argsort(kind="stable")[::-1]
    locked = np.zeros(size, int)
    locked[main[:4]] = 1
    locked[rng.choice(main[4:], 3, replace=False)] = 1
    return frame.assign(
        deposits_wan=np.round(deposits, -1).astype(int),
        visits_per_day=np.round(seen).astype(int),
        customers=np.round(seen * 52 * np.exp(noise[2] / 2), -1).astype(int),
        opex_wan=np.round(opex, 1),
        lease_end=(lease + pd.offsets.MonthEnd(0)).strftime("%Y-%m-%d"),
        locked=locked,
    )


def run_network(
    own: pd.DataFrame, rivals: pd.DataFrame, rival_tier: np.ndarray, demand: Demand, rng: np.random.Generator
) -> pd.DataFrame:
    """Furnish our branches and let the choice model fill them."""
    points = np.vstack(
        [
            to_km(own["lon"].to_numpy(), own["lat"].to_numpy()),
            to_km(rivals["lon"].to_numpy(), rivals["lat"].to_numpy()),
        ]
    )
    theirs = rival_pull(rivals, rival_tier)
    first, _ = share_market(demand, points, np.concatenate([np.ones(len(own)), theirs]))
    furnished = furnish(own, first[: len(own)], rng)
    visits, money = share_market(demand, points, np.concatenate([attractiveness(furnished), theirs]))
    return finish(furnished, visits[: len(own)], money[: len(own)], rng)
