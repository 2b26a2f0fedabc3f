"""The schedule of the moves as one picture: approval, works, acceptance and opening, month by month."""

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from siteplanner.outputs.palette import INK, LEAVING, LINE, MUTED, ZONE_COLOURS

_ROW_PX = 17.0
_BAR_PX = 9.0
_LEFT_PX = 190.0
_RIGHT_PX = 14.0
_TOP_PX = 34.0
_WIDTH_PX = 860.0
_MONTHS_PER_YEAR = 12
_MONTHS_PER_QUARTER = 3
_LONGEST_NAME = 14

PHASES = (("apply_on", "works_on"), ("works_on", "accept_on"), ("accept_on", "open_on"))
"""Columns of the schedule between which each phase lies."""

PHASE_COLOURS = (LINE, ZONE_COLOURS["blank"], ZONE_COLOURS["blank_contested"])


def draw_gantt(rows: pd.DataFrame, frozen_months: tuple[int, ...], *, title: str) -> Markup:
    """Draw one row for each move that has a date, in the order of the plan.

    Parameters
    ----------
    rows
        Indexed by ``seq``; ``name`` and the dates of `tables.SCHEDULE`.
    frozen_months
        Calendar months that are shaded: nothing opens in them.
    title
        What the picture shows, for readers who hear it.
    """
    dates = {name: _months(rows[name]) for name in ("apply_on", "works_on", "accept_on", "open_on")}
    first = int(dates["apply_on"].min()) // _MONTHS_PER_QUARTER * _MONTHS_PER_QUARTER
    last = (int(dates["open_on"].max()) // _MONTHS_PER_QUARTER + 1) * _MONTHS_PER_QUARTER
    scale = (_WIDTH_PX - _LEFT_PX - _RIGHT_PX) / (last - first)

    def x(month: float) -> float:
        return _LEFT_PX + (month - first) * scale

    height = _TOP_PX + _ROW_PX * len(rows) + 6.0
    parts = [
        *_frozen(first, last, frozen_months, x, height),
        *_ticks(first, last, x, height),
        *(
            _row(at, str(seq), str(rows["name"].iloc[at]), {k: v[at] for k, v in dates.items()}, x)
            for at, seq in enumerate(rows.index)
        ),
    ]
    return Markup(
        '<svg viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" role="img" aria-label="{title}">'
        "{body}</svg>"
    ).format(w=_WIDTH_PX, h=height, title=title, body=Markup("").join(parts))


def _months(dates: "pd.Series[Any]") -> np.ndarray:
    given = pd.to_datetime(dates)
    return (given.dt.year * _MONTHS_PER_YEAR + given.dt.month - 1).to_numpy(dtype=np.int64)


def _frozen(first: int, last: int, frozen: tuple[int, ...], x: Any, height: float) -> list[Markup]:  # noqa: ANN401
    shade = Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{:g}" fill="#f4f0ec"/>')
    return [
        shade.format(x(month), _TOP_PX - 4.0, x(month + 1) - x(month), height - _TOP_PX + 2.0)
        for month in range(first, last)
        if month % _MONTHS_PER_YEAR + 1 in frozen
    ]


def _ticks(first: int, last: int, x: Any, height: float) -> list[Markup]:  # noqa: ANN401
    """Draw a line a quarter, its number above, and the year above its first quarter shown."""
    parts, crowded = [], (last - first) / _MONTHS_PER_QUARTER > _MOST_QUARTERS
    for month in range(first, last + 1, _MONTHS_PER_QUARTER):
        year, quarter = divmod(month, _MONTHS_PER_YEAR)
        number = quarter // _MONTHS_PER_QUARTER + 1
        heavy = number == 1 or month == first
        parts.append(
            Markup('<path d="M{0:.1f} {1:g}V{2:g}" stroke="{3}" stroke-width="{4}"/>').format(
                x(month), 12.0 if heavy else _TOP_PX - 8.0, height - 4.0, LINE, 0.9 if heavy else 0.5
            )
        )
        if month == last:
            break
        if heavy:
            parts.append(
                Markup('<text x="{:.1f}" y="14" class="scale" font-weight="700">{}</text>').format(
                    x(month) + 3.0, year
                )
            )
        if not crowded:
            parts.append(
                Markup('<text x="{:.1f}" y="27" class="scale" fill="{}">Q{}</text>').format(
                    x(month) + 3.0, MUTED, number
                )
            )
    return parts


_MOST_QUARTERS = 24
"""More quarters than these leave no room for their numbers."""


def _row(at: int, seq: str, name: str, months: dict[str, int], x: Any) -> Markup:  # noqa: ANN401
    y = _TOP_PX + at * _ROW_PX + _ROW_PX / 2
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    parts = [
        Markup('<text x="{:g}" y="{:.1f}" class="scale" text-anchor="end">{}  {}</text>').format(
            _LEFT_PX - 8.0, y + 3.5, seq, short
        )
    ]
    for (start, end), colour in zip(PHASES, PHASE_COLOURS, strict=True):
        if months[end] > months[start]:
            parts.append(
                Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:g}" fill="{}"/>').format(
                    x(months[start]), y - _BAR_PX / 2, x(months[end]) - x(months[start]), _BAR_PX, colour
                )
            )
    middle = x(months["open_on"] + 0.5)
    parts.append(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4" fill="{}" stroke="{}" stroke-width=".8"/>').format(
            middle, y, LEAVING, INK
        )
    )
    return Markup("<g>{}</g>").format(Markup("").join(parts))


def legend(words: tuple[object, object, object, object, object]) -> Markup:
    """Return the legend: the three phases, the opening, and the months in which nothing opens."""
    colours = (*PHASE_COLOURS, LEAVING, "#f4f0ec")
    entries = (
        Markup('<span class="swatch"><i style="background:{}"></i>{}</span>').format(colour, said)
        for colour, said in zip(colours, words, strict=True)
    )
    return Markup('<div class="legend">{}</div>').format(Markup("").join(entries))
