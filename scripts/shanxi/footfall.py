"""Hourly footfall of one synthetic weekday and one Sunday, with a floor against singling people out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .activity import Activity
from .lattice import PIXELS_PER_DEGREE
from .people import People
from .settlement import Land

BLOCK = (2, 3)  # pixels per lattice point, about 460 by 550 m
SEEN = 0.30  # part of the people present whom one carrier would see
FLOOR = 10  # k-anonymity: fewer people than this are not reported
ROUND = 5
CROWD = 100  # counts from here on are rounded to 10
LEAST_AT_PEAK = 30
DAYS = {"weekday": "2026-03-18", "sunday": "2026-03-22"}
HOURS = np.arange(24)


def rhythm(day: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the share of people at home, at work and at leisure, hour by hour; together at most one."""
    at_work = np.interp(
        HOURS,
        [0, 5, 7, 9, 11, 12.5, 14, 17, 19, 22, 24],
        [0.03, 0.03, 0.12, 0.50, 0.53, 0.40, 0.51, 0.46, 0.18, 0.06, 0.03],
    )
    leisure = np.interp(
        HOURS, [0, 6, 9, 12, 15, 19, 21, 23, 24], [0.01, 0.02, 0.05, 0.09, 0.07, 0.14, 0.10, 0.03, 0.01]
    )
    if day == "sunday":
        at_work = 0.38 * at_work
        leisure = np.interp(
            HOURS, [0, 7, 10, 14, 17, 20, 22, 24], [0.01, 0.03, 0.17, 0.28, 0.29, 0.19, 0.07, 0.01]
        )
    out = np.interp(HOURS, [0, 6, 9, 16, 20, 24], [0.98, 0.96, 0.95, 0.95, 0.97, 0.98])
    return np.clip(out - at_work - leisure, 0, 1), at_work, leisure


def model_footfall(land: Land, persons: People, activity: Activity, rng: np.random.Generator) -> pd.DataFrame:
    """Return lon, lat, time, count in long form, sorted by place and time."""
    width = land.lattice.county.shape[1]
    row, column = np.divmod(land.lattice.inside, width)
    _, cell = np.unique((row // BLOCK[0]) * width + column // BLOCK[1], return_inverse=True)
    size = int(cell.max()) + 1
    fun = persons.y2020 * persons.towns * (0.05 + activity.centre) ** 1.3
    fun *= persons.y2020.sum() / fun.sum()
    home, work, leisure = (np.bincount(cell, part, size) for part in (persons.y2020, activity.jobs, fun))
    weight = persons.y2020 + 0.2 * activity.jobs + 1e-9
    lon, lat = (
        np.bincount(cell, weight * part, size) / np.bincount(cell, weight, size)
        for part in land.lattice.centres(land.lattice.inside)
    )
    shift = rng.uniform(-0.6, 0.6, (2, size)) / PIXELS_PER_DEGREE
    lon, lat = np.round(lon + shift[0], 4), np.round(lat + shift[1], 4)
    frames = []
    for name, date in DAYS.items():
        parts = rhythm(name)
        present = SEEN * sum(
            people[:, None] * share for people, share in zip((home, work, leisure), parts, strict=True)
        )
        day = rng.lognormal(0, 0.08, size)[:, None]
        seen = rng.poisson(present * day)
        step = np.where(seen >= CROWD, 2 * ROUND, ROUND)
        count = (np.round(seen / step) * step).astype(np.int32)
        shown = (seen >= FLOOR) & (count >= FLOOR) & (count.max(axis=1) >= LEAST_AT_PEAK)[:, None]
        place, hour = np.nonzero(shown)
        time = np.datetime64(date) + hour.astype("timedelta64[h]")
        frames.append(
            pd.DataFrame(
                {
                    "lon": lon[place],
                    "lat": lat[place],
                    "time": time,
                    "count": count[place, hour],
                    "place": place,
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True).sort_values(
        ["place", "time"], kind="stable", ignore_index=True
    )
    return frame.drop(columns="place")


def write_footfall(frame: pd.DataFrame, path: Path) -> None:
    """Write the points as a small Parquet file; times are naive local time of Asia/Shanghai."""
    schema = pa.schema(
        [("lon", pa.float64()), ("lat", pa.float64()), ("time", pa.timestamp("ms")), ("count", pa.int32())]
    )
    table = pa.Table.from_arrays([
        pa.array(frame["lon"].to_numpy()), pa.array(frame["lat"].to_numpy()),
        pa.array(frame["time"].to_numpy("datetime64[ms]")), pa.array(frame["count"].to_numpy(np.int32)),
    ], schema=schema)  # fmt: skip
    pq.write_table(
        table, path, compression="zstd", compression_level=19, use_dictionary=True, row_group_size=len(frame)
    )
