"""The frontier for readers: the curve with its proved bound, the knee, and what each point means."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from siteplanner.outputs.exports import write_study_manifest
from siteplanner.outputs.html import heading, page, paragraph, say, strong, table, text
from siteplanner.outputs.palette import ACCENT, INK, LEAVING, LINE, MUTED
from siteplanner.outputs.publish import publish
from siteplanner.outputs.wording import known, number, percent, signed, word
from siteplanner.outputs.workbook import UNTYPED, write_sheets
from siteplanner.scenario import Language
from siteplanner.studies.frontier import Frontier

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _PAD = 760.0, 320.0, 70.0, 40.0, 18.0
_COLUMNS = (
    ("worth", 1), ("net_visits", 0), ("net_wan", 0), ("capex_wan", 0), ("npv_wan", 0), ("covered_own", 0),
    ("inclusive_covered_own", 0), ("ede_minutes_own", 2),
)  # fmt: skip
_MOST_LINES = 8
_SIGNED = {"net_visits", "net_wan", "npv_wan"}


def write_frontier(frontier: Frontier, out_dir: Path, language: Language, version: str) -> None:
    """Write frontier.html, frontier.xlsx, frontier.parquet and their manifest to ``out_dir``.

    Raises
    ------
    BusyError, OutputError
        As `publish`.
    """

    def write(stage: Path) -> Iterator[Path]:
        (stage / "frontier.html").write_text(
            render_frontier(frontier, language), encoding="utf-8", newline="\n"
        )
        yield stage / "frontier.html"
        write_sheets(
            stage / "frontier.xlsx", _title(frontier, language), [_sheet(frontier, language)], language
        )
        yield stage / "frontier.xlsx"
        # Seconds differ from run to run: they stand in the manifest alone.
        rows = frontier.points.drop(columns="seconds").reset_index()
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), stage / "frontier.parquet")
        yield stage / "frontier.parquet"
        facts = {
            "study": "frontier",
            "scenario": frontier.scenario.model_dump(mode="json"),
            "knee": frontier.knee,
            "whole": frontier.is_whole,
            "measured": {"seconds": {str(at): round(s, 3) for at, s in frontier.points["seconds"].items()}},
        }
        write_study_manifest(stage, facts, version=version, language=language)
        yield stage / "manifest.json"

    publish(Path(out_dir), write)


def render_frontier(frontier: Frontier, language: Language) -> str:
    """Return the page: curve, table, and how to read them."""
    scenario = frontier.scenario
    badge = Markup('<span class="badge">{}</span>').format(say("synthetic", language))
    warning = paragraph(say("synthetic_sentence", language), "synthetic")
    parts = [
        Markup('<header><p class="kind">{}</p><h1>{}{}</h1></header>{}').format(
            say("frontier_kind", language),
            text(_title(frontier, language)),
            badge if scenario.output.synthetic else "",
            warning if scenario.output.synthetic else "",
        ),
        paragraph(_lead(frontier, language), "lead"),
        *([] if frontier.is_whole else [paragraph(say("frontier_cut", language), "caution")]),
        heading("frontier_curve", language),
        Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(
            _curve(frontier, language), say("frontier_caption", language)
        ),
        heading("frontier_table", language),
        _table(frontier, language),
        paragraph(say("frontier_basis", language), "small"),
    ]
    return page(
        Markup("\n").join(parts), _title(frontier, language), say("frontier_kind", language), language
    )


def _title(frontier: Frontier, language: Language) -> str:
    scenario = frontier.scenario
    return (scenario.title_zh if language == "zh" else scenario.title_en) or scenario.name


def _lead(frontier: Frontier, language: Language) -> Markup:
    points = frontier.points
    first, last = points.iloc[0], points.iloc[-1]
    said = say(
        "frontier_lead",
        language,
        first=number(first["moves"]),
        last=number(last["moves"]),
        rise=strong(signed(last["worth"] - first["worth"], 0)),
        gap=percent(points["gap"].max(), 2),
    )
    if frontier.knee is None:
        return said + say("frontier_no_knee", language)
    at = points[points["moves"] == frontier.knee].iloc[-1]
    share = (at["worth"] - first["worth"]) / (last["worth"] - first["worth"])
    return said + say("frontier_knee", language, knee=strong(number(frontier.knee)), share=percent(share, 0))


def _curve(frontier: Frontier, language: Language) -> Markup:
    """Draw worth against moves, the bound above it as a band, and a line at the knee."""
    points = frontier.points.sort_values("moves")
    x, y, bound = (points[name].to_numpy(dtype=float) for name in ("moves", "worth", "bound"))
    low, high = float(y.min()), float(bound.max())
    span_x, span_y = max(float(np.ptp(x)), 1.0), max(high - low, 1e-9)
    across = _LEFT + (x - x.min()) / span_x * (_WIDTH - _LEFT - _PAD)

    def down(values: np.ndarray) -> np.ndarray:
        return _PAD + (high - values) / span_y * (_HEIGHT - _PAD - _BOTTOM)

    parts = [_grid(low, high, down)]
    band = [*zip(across, down(bound), strict=True), *zip(across[::-1], down(y)[::-1], strict=True)]
    parts.append(Markup('<path d="{}Z" fill="{}" fill-opacity=".25"/>').format(_line(band), LEAVING))
    curve = list(zip(across, down(y), strict=True))
    parts.append(
        Markup('<path d="{}" fill="none" stroke="{}" stroke-width="2"/>').format(_line(curve), ACCENT)
    )
    for at, (px, py) in enumerate(curve):
        parts.append(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.2" fill="{}"/>').format(px, py, ACCENT)
            + Markup('<text x="{:.1f}" y="{:.1f}" class="scale" text-anchor="middle">{}</text>').format(
                px, _HEIGHT - _BOTTOM + 18.0, number(x[at])
            )
        )
    if frontier.knee is not None:
        px = float(across[x == frontier.knee][0])
        parts.append(
            Markup('<path d="M{0:.1f} {1}V{2}" stroke="{3}" stroke-dasharray="4 3"/>').format(
                px, _PAD, _HEIGHT - _BOTTOM, INK
            )
        )
    axis = Markup(
        '<text x="{:.1f}" y="{:.1f}" class="scale" text-anchor="middle" fill="{}">{}</text>'
    ).format((_LEFT + _WIDTH - _PAD) / 2, _HEIGHT - 4.0, MUTED, say("frontier_axis", language))
    title = say("frontier_curve", language)
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{t}">{b}</svg>'
    ).format(w=_WIDTH, h=_HEIGHT, t=title, b=Markup("").join(parts) + axis)


def _grid(low: float, high: float, down: Any) -> Markup:  # noqa: ANN401 - a function of arrays
    """Draw level lines at round numbers."""
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-9)))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= _MOST_LINES)
    values = np.arange(np.ceil(low / step), np.floor(high / step) + 1.0) * step
    drawn = Markup("")
    for value, y in zip(values, down(values), strict=True):
        drawn += Markup(
            '<path d="M{left} {y:.1f}H{right}" stroke="{line}" stroke-width=".6"/>'
            '<text x="{at}" y="{base:.1f}" class="scale" text-anchor="end">{said}</text>'
        ).format(
            left=_LEFT, right=_WIDTH - _PAD, y=y, line=LINE, at=_LEFT - 6.0, base=y + 3.5, said=number(value)
        )
    return drawn


def _line(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _table(frontier: Frontier, language: Language) -> Markup:
    shown = [(name, digits) for name, digits in _COLUMNS if name in frontier.points]
    head = [
        (say("frontier_axis", language), "n"),
        *((say(f"frontier_{name}", language), "n") for name, _ in shown),
    ]
    head.append((say("frontier_gap", language), "n"))
    rows = [
        [
            number(row["moves"]),
            *((signed if name in _SIGNED else number)(row[name], digits) for name, digits in shown),
            percent(row["gap"], 2),
        ]
        for _, row in frontier.points.iterrows()
    ]
    return table(head, rows)


def _sheet(frontier: Frontier, language: Language) -> tuple[str, pd.DataFrame, Any]:
    frame = frontier.points.drop(columns="seconds").reset_index()
    names = {name: _heading(str(name), language) for name in frame.columns}
    return "frontier", frame.rename(columns=names), UNTYPED


def _heading(name: str, language: Language) -> str:
    return known("kpis", name, language) or word("columns", name, language)
