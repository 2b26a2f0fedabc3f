"""Queue tickets: days of a few branches, simulated customer by customer."""

import heapq
from pathlib import Path

import numpy as np
import pandas as pd

BRANCHES = 30
DAYS = ("2026-03-16", "2026-03-17", "2026-03-18", "2026-03-19", "2026-03-20")
OPEN_HOUR, CLOSE_HOUR = 9, 17
PROFILE = np.array([34, 38, 32, 18, 16, 22, 24, 16], float)  # arrivals by hour, 09 to 17
CLASS_SHARE = {"general": 0.87, "vip": 0.05, "corporate": 0.08}
SERVICE_MIN = {"general": 7.3, "vip": 12.0, "corporate": 12.0}
SERVICE_CV = 0.9
PATIENCE_MIN = 55.0
TICKET_SHARE = 0.52  # visitors who take a ticket; the others use devices only
PRIORITY = {"vip": 0, "general": 1, "corporate": 1}


def choose_branches(branches: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Take the ten with the most visitors per counter and twenty others that have a queue machine."""
    busy = branches[(branches["counters"] >= 2) & (branches["visits_per_day"] >= 60)]
    busy = busy.assign(load=busy["visits_per_day"] / busy["counters"]).sort_values("load", kind="stable")
    usable = busy[busy["load"] * TICKET_SHARE < 50]
    top = usable.tail(10)
    rest = usable.drop(top.index)
    return pd.concat([top, rest.loc[rng.choice(rest.index, BRANCHES - len(top), replace=False)]]).sort_index()


def simulate_day(
    per_day: float, counters: int, rng: np.random.Generator
) -> list[tuple[float, float, float, str, int]]:
    """Simulate one day: taken, called, ended (minutes after opening), class, whether the customer left."""
    arrivals = []
    for hour, share in enumerate(PROFILE / PROFILE.sum()):
        arrivals.extend(60 * hour + rng.uniform(0, 60, rng.poisson(per_day * share)))
    arrivals = np.sort(np.array(arrivals))
    kinds = rng.choice(list(CLASS_SHARE), len(arrivals), p=list(CLASS_SHARE.values()))
    sigma = np.sqrt(np.log1p(SERVICE_CV**2))
    service = np.array([SERVICE_MIN[kind] for kind in kinds]) * rng.lognormal(
        -(sigma**2) / 2, sigma, len(arrivals)
    )
    patience = rng.exponential(PATIENCE_MIN, len(arrivals)) + 8
    free = [0.0] * counters
    queue: list[tuple[int, int]] = []
    rows = []
    following = 0
    while following < len(arrivals) or queue:
        now = heapq.heappop(free)
        if not queue and following < len(arrivals):
            now = max(now, arrivals[following])
        while following < len(arrivals) and arrivals[following] <= now:
            heapq.heappush(queue, (PRIORITY[kinds[following]], following))
            following += 1
        ended = now
        if queue:
            who = heapq.heappop(queue)[1]
            gone = now - arrivals[who] > patience[who]
            ended = now if gone else now + service[who]
            rows.append((arrivals[who], now, ended, kinds[who], int(gone)))
        heapq.heappush(free, ended)
    return rows


def model_tickets(branches: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate every chosen branch on every day."""
    rows = []
    for branch in choose_branches(branches, rng).itertuples():
        for date in DAYS:
            per_day = branch.visits_per_day * TICKET_SHARE * rng.lognormal(0, 0.06)
            opening = pd.Timestamp(date) + pd.Timedelta(hours=OPEN_HOUR)
            for taken, called, ended, kind, gone in simulate_day(per_day, branch.counters, rng):
                rows.append((branch.branch_id, opening, taken, called, ended, kind, gone))
    frame = pd.DataFrame(
        rows, columns=["branch_id", "opening", "taken", "called", "served_end", "class", "abandoned"]
    )
    for column in ("taken", "called", "served_end"):
        seconds = np.round(frame[column].to_numpy() * 60).astype("timedelta64[s]")
        frame[column] = (frame["opening"].to_numpy("datetime64[s]") + seconds).astype(str)
    left = frame["abandoned"] == 1
    frame.loc[left, "served_end"] = ""
    frame = frame.drop(columns="opening").sort_values(
        ["branch_id", "taken"], kind="stable", ignore_index=True
    )
    return frame[["branch_id", "taken", "called", "served_end", "class", "abandoned"]]


def write_tickets(frame: pd.DataFrame, path: Path) -> None:
    """Write the tickets as gzip without a time of making."""
    frame.to_csv(
        path, index=False, lineterminator="\n", compression={"method": "gzip", "compresslevel": 9, "mtime": 0}
    )


def overtime_shares(frame: pd.DataFrame, minutes: float = 10) -> pd.Series:
    """Share of customers of each branch who waited longer than the limit, those who left included."""
    wait = pd.to_datetime(frame["called"]) - pd.to_datetime(frame["taken"])
    return (wait > pd.Timedelta(minutes=minutes)).groupby(frame["branch_id"]).mean()
