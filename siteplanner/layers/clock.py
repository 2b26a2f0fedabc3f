"""Instants to local hours: the offsets of any time zone as a table, without a calendar in the loop."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from siteplanner.layers.typed import LOCAL_ZONE
from siteplanner.tables import FOOTFALL_BANDS

# Years that a sighting may come from: a number of seconds read as milliseconds, or the reverse, lies outside.
FIRST_YEAR, LAST_YEAR = 2000, 2099

# First hour of each band of `tables.FOOTFALL_BANDS`, local time, and the end of the last.
BAND_STARTS_H = (0, 6, 9, 17, 24)
N_BANDS = len(FOOTFALL_BANDS)
# Index of footfall_weekday_day, where traffic without a time is counted.
WEEKDAY_DAY = FOOTFALL_BANDS.index("footfall_weekday_day")
# 1 January 1970 was a Thursday, day 3 of a week that starts on Monday.
EPOCH_WEEKDAY = 3
SATURDAY = 5

HOURS_PER_DAY = 24
SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400
TICKS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = (datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - _EPOCH).days
N_DAYS = (datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH).days - FIRST_DAY
N_HOURS = N_DAYS * HOURS_PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Offsets:
    """What a zone adds to Universal Time, s.

    Parameters
    ----------
    begins_s
        Instants from which an offset holds, ascending; the first lies before all years counted.
    """

    begins_s: np.ndarray
    shifts_s: np.ndarray


@lru_cache(maxsize=8)
def offsets_of(zone: str | None) -> Offsets:
    """Return the offsets of an IANA zone in the years counted; without a zone those of the whole of China.

    A change is looked for from day to day: two changes within one day that undo each other are not seen.
    """
    first = (FIRST_DAY - 2) * SECONDS_PER_DAY
    rules = ZoneInfo(zone or LOCAL_ZONE)
    begins, shifts = [first], [_offset_s(rules, first)]
    for day in range(FIRST_DAY - 1, FIRST_DAY + N_DAYS + 2):
        now = day * SECONDS_PER_DAY
        if _offset_s(rules, now) == shifts[-1]:
            continue
        before = now - SECONDS_PER_DAY
        while now - before > 1:
            middle = (before + now) // 2
            if _offset_s(rules, middle) == shifts[-1]:
                before = middle
            else:
                now = middle
        begins.append(now)
        shifts.append(_offset_s(rules, now))
    return Offsets(np.array(begins, dtype=np.int64), np.array(shifts, dtype=np.int64))


def no_offset() -> Offsets:
    """Return the offsets of times that are local already."""
    return Offsets(np.array([(FIRST_DAY - 2) * SECONDS_PER_DAY]), np.zeros(1, dtype=np.int64))


def _offset_s(rules: ZoneInfo, instant_s: int) -> int:
    offset = (_EPOCH + timedelta(seconds=instant_s)).astimezone(rules).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


@lru_cache(maxsize=1)
def band_of_hours() -> np.ndarray:
    """Return the index into `tables.FOOTFALL_BANDS` of every hour of the years counted, int8."""
    hour = np.arange(N_HOURS, dtype=np.int64)
    band = np.searchsorted(BAND_STARTS_H, hour % HOURS_PER_DAY, side="right") - 1
    weekend = is_weekend(days_of_hours(hour))
    return np.asarray(band + weekend * (N_BANDS // 2), dtype=np.int8)


def days_of_hours(hours: np.ndarray) -> np.ndarray:
    """Return the days since 1970-01-01 of hours counted from the first year."""
    return np.asarray(hours // HOURS_PER_DAY + FIRST_DAY)


def is_weekend(day: np.ndarray) -> np.ndarray:
    """Whether days since 1970-01-01 are Saturdays or Sundays."""
    return np.asarray((day + EPOCH_WEEKDAY) % 7 >= SATURDAY)
