"""Runs side by side for readers: one page, one workbook, one table for programs."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from siteplanner.outputs import figures
from siteplanner.outputs.exports import write_study_manifest
from siteplanner.outputs.html import heading, page, paragraph, say, table, text
from siteplanner.outputs.memo_summary import MAIN_KPIS, kpi_in_words, kpi_name
from siteplanner.outputs.palette import ACCENT, LEAVING
from siteplanner.outputs.publish import publish
from siteplanner.outputs.wording import number, signed, word
from siteplanner.outputs.workbook import UNTYPED, write_sheets
from siteplanner.scenario import Language
from siteplanner.studies.compare import BASELINE, REMAINDER, Comparison

_MOST_CAUSES = 8
_MOST_MOVES = 120
_TOLD_CAUSES = ("net_wan", "npv_wan", "visits_own", "covered_own")
_MAP_HEIGHT_PX, _MAP_WIDEST_PX = 620.0, 470.0
_MONEY = ("capex_wan", "net_wan", "npv_wan")


def write_comparison(comparison: Comparison, out_dir: Path, language: Language, version: str) -> None:
    """Write compare.html, compare.xlsx, compare.parquet and their manifest to ``out_dir``.

    Raises
    ------
    BusyError, OutputError
        As `publish`.
    """

    def write(stage: Path) -> Iterator[Path]:
        (stage / "compare.html").write_text(
            render_comparison(comparison, language), encoding="utf-8", newline="\n"
        )
        yield stage / "compare.html"
        write_sheets(stage / "compare.xlsx", _title(comparison), _sheets(comparison, language), language)
        yield stage / "compare.xlsx"
        pq.write_table(_long(comparison), stage / "compare.parquet", compression="zstd", version="2.6")
        yield stage / "compare.parquet"
        runs = {run.name: run.manifest["scenario"]["name"] for run in comparison.runs}
        write_study_manifest(stage, {"study": "compare", "runs": runs}, version=version, language=language)
        yield stage / "manifest.json"

    publish(Path(out_dir), write)


def render_comparison(comparison: Comparison, language: Language) -> str:
    """Return the page: what differs first, then where it comes from."""
    parts = [
        _head(comparison, language),
        _lead(comparison, language),
        _kpi_table(comparison, language),
        _causes(comparison, language),
        _moves(comparison, language),
        _maps(comparison, language),
        _settings(comparison, language),
    ]
    return page(Markup("\n").join(parts), _title(comparison), say("compare_kind", language), language)


def _title(comparison: Comparison) -> str:
    return " / ".join(comparison.names)


def _head(comparison: Comparison, language: Language) -> Markup:
    synthetic = any(run.manifest["synthetic"] for run in comparison.runs)
    badge = Markup('<span class="badge">{}</span>').format(say("synthetic", language)) if synthetic else ""
    warning = paragraph(say("synthetic_sentence", language), "synthetic") if synthetic else Markup("")
    return Markup('<header><p class="kind">{}</p><h1>{}{}</h1></header>{}').format(
        say("compare_kind", language), text(_title(comparison)), badge, warning
    )


def _lead(comparison: Comparison, language: Language) -> Markup:
    states = comparison.moves["", "state"].value_counts()
    counts = {name: int(states.get(name, 0)) for name in ("common", "elsewhere", "some")}
    said = say("compare_lead", language, runs=len(comparison.runs), first=text(comparison.names[0]), **counts)
    baselines = [comparison.kpis[name, "before"] for name in comparison.names]
    if all(np.allclose(baselines[0], one, rtol=1e-9, equal_nan=True) for one in baselines):
        return paragraph(said, "lead")
    return paragraph(said, "lead") + paragraph(say("compare_baselines", language), "caution")


def _kpi_table(comparison: Comparison, language: Language) -> Markup:
    """Return each indicator without any move, then after each plan with its distance from the first plan."""
    kpis, names = comparison.kpis, comparison.names
    head = [(word("columns", "kpi", language), ""), (say("compare_nothing", language), "n")]
    head += [(text(name), "n") for name in names]
    shown = [kpi for kpi in (*MAIN_KPIS, *_MONEY) if kpi in kpis.index]
    rows = [_kpi_row(kpi, row, names, language) for kpi, row in kpis.loc[shown].iterrows()]
    return heading("compare_kpis", language) + table(head, rows)


def _kpi_row(
    kpi: Hashable, row: "pd.Series[Any]", names: tuple[str, ...], language: Language
) -> list[object]:
    unit = str(row["", "unit"])
    first = float(row[names[0], "after"])
    key = str(kpi)
    cells: list[object] = [
        kpi_name(key, unit, language),
        ""
        if kpi in _MONEY
        else kpi_in_words(key, (float(row[names[0], "before"]), first), unit, language)[0],
    ]
    for name in names:
        _, after, apart = kpi_in_words(key, (first, float(row[name, "after"])), unit, language)
        small = "" if name == names[0] else Markup("<br><small>{}</small>").format(apart)
        cells.append(Markup("{}{}").format(after, small))
    return cells


def _causes(comparison: Comparison, language: Language) -> Markup:
    """Name the moves that make most of the difference, indicator by indicator."""
    parts = [
        heading("compare_causes", language),
        paragraph(say("compare_causes_intro", language), "small intro"),
    ]
    for (kpi, run), rows in comparison.causes.groupby(["kpi", "run"], sort=False):
        if kpi in _TOLD_CAUSES:
            parts.append(_cause_table(comparison, str(kpi), str(run), rows, language))
    if len(parts) == 2:  # noqa: PLR2004 - the heading and its words
        parts.append(paragraph(say("compare_no_causes", language)))
    return Markup("").join(parts)


def _cause_table(
    comparison: Comparison, kpi: str, run: str, rows: pd.DataFrame, language: Language
) -> Markup:
    order = rows.reindex(rows["contribution"].abs().sort_values(ascending=False, kind="stable").index)
    told, left = order.head(_MOST_CAUSES), order.iloc[_MOST_CAUSES:]
    unit = str(comparison.kpis.loc[kpi, ("", "unit")])
    head = [
        (kpi_name(kpi, unit, language), "name"),
        (text(comparison.names[0]), "n"),
        (text(run), "n"),
        (say("compare_difference", language), "n"),
    ]
    body = [
        [
            _cause(comparison, str(branch), language),
            *(signed(number) for number in numbers),
        ]
        for branch, numbers in zip(
            told["branch_id"], told[["first", "this", "contribution"]].to_numpy(dtype=float), strict=True
        )
    ]
    if len(left):
        rest = [
            say("compare_rest", language, n=len(left)),
            *(signed(left[c].sum()) for c in ("first", "this")),
        ]
        body.append([*rest, signed(left["contribution"].sum())])
    total = ["", "", "", signed(rows["contribution"].sum())]
    total[0] = str(say("sum", language))
    return table(head, body, total)


def _cause(comparison: Comparison, branch_id: str, language: Language) -> Markup:
    if branch_id in {BASELINE, REMAINDER}:
        return say(f"compare_{branch_id}", language)
    return text(comparison.moves.loc[branch_id, ("", "branch_name")])


def _moves(comparison: Comparison, language: Language) -> Markup:
    moves, names = comparison.moves, comparison.names
    head = [(say("head_branch", language), "name"), (say("compare_state", language), "")]
    head += [(text(name), "name") for name in names]
    rank = {"some": 0, "elsewhere": 1, "common": 2}
    order = moves["", "state"].map(rank).sort_values(kind="stable").index
    rows = [
        [
            Markup('{}<br><span class="small">{}</span>').format(
                text(row["", "branch_name"]), text(row["", "from_county"])
            ),
            say(f"compare_{row['', 'state']}", language),
            *(_goes(row, name, language) for name in names),
        ]
        for _, row in moves.loc[order].head(_MOST_MOVES).iterrows()
    ]
    more = len(moves) - _MOST_MOVES
    note = paragraph(say("compare_more", language, n=more), "small") if more > 0 else Markup("")
    return heading("compare_moves", language) + table(head, rows) + note


def _goes(row: "pd.Series[Any]", name: str, language: Language) -> Markup:
    if pd.isna(row[name, "seq"]):
        return say("compare_stays", language)
    return Markup('{}<br><span class="small">{} · {}</span>').format(
        text(row[name, "site_name"]),
        text(row[name, "to_county"]),
        say(
            "compare_brings",
            language,
            seq=int(row[name, "seq"]),
            deposits=signed(float(row[name, "net_wan"])),
        ),
    )


def _maps(comparison: Comparison, language: Language) -> Markup:
    """Draw, for each run, who comes within reach and who no longer does against the first."""
    title = heading("compare_map", language)
    if comparison.cells is None:
        return title + paragraph(say("compare_no_map", language))
    first, others = comparison.names[0], comparison.names[1:]
    counties = comparison.counties
    frame = figures.frame_around(counties.total_bounds, _MAP_HEIGHT_PX, _MAP_WIDEST_PX)
    drawn = Markup("")
    for name in others:
        cells = comparison.cells
        gained, lost = (cells[cells[a] & ~cells[b]] for a, b in ((name, first), (first, name)))
        people = [number(float(part["residents"].sum())) for part in (gained, lost)]
        words = say("compare_reached", language, run=text(name), gained=people[0], lost=people[1])
        drawn += Markup("<div><p>{}</p>{}</div>").format(
            words, _difference(counties, frame, (gained, lost), words)
        )
    swatches = ((ACCENT, str(say("compare_gained", language))), (LEAVING, str(say("compare_lost", language))))
    return title + Markup('<figure><div class="maps">{}</div><div class="legend">{}</div></figure>').format(
        drawn, figures.swatches(swatches)
    )


def _difference(
    counties: gpd.GeoDataFrame, frame: figures.Frame, parts: tuple[pd.DataFrame, pd.DataFrame], words: Markup
) -> Markup:
    layers = [figures.draw_borders(counties, frame)]
    layers += [
        figures.draw_dots(part[["lon", "lat"]].to_numpy(dtype=float), frame, colour)
        for part, colour in zip(parts, (ACCENT, LEAVING), strict=True)
    ]
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{t}">{b}</svg>'
    ).format(w=round(frame.width), h=round(frame.height), t=words.striptags(), b=Markup("").join(layers))


def _settings(comparison: Comparison, language: Language) -> Markup:
    parts = [heading("compare_settings", language)]
    names = comparison.names
    if len(comparison.settings):
        head = [(word("columns", "parameter", language), "key"), *((text(name), "") for name in names)]
        rows = [
            [Markup("<code>{}</code>").format(key), *map(text, row)]
            for key, *row in comparison.settings.itertuples()
        ]
        parts.append(table(head, rows))
    else:
        parts.append(paragraph(say("compare_same_settings", language)))
    if len(comparison.inputs):
        files = say("list_comma", language).join(text(name) for name in comparison.inputs.index)
        parts.append(paragraph(say("compare_inputs", language, files=files)))
    return Markup("").join(parts)


def _sheets(comparison: Comparison, language: Language) -> list[tuple[str, pd.DataFrame, Any]]:
    kpis = comparison.kpis.copy()
    kpis.index = pd.Index([word("kpis", str(kpi), language) for kpi in kpis.index], name="kpi")
    causes = comparison.causes.assign(
        kpi=comparison.causes["kpi"].map(lambda kpi: word("kpis", kpi, language)),
        branch=[
            _cause(comparison, branch, language).striptags() for branch in comparison.causes["branch_id"]
        ],
    )
    states = comparison.moves["", "state"].map(lambda state: str(say(f"compare_{state}", language)))
    moves = comparison.moves.copy()
    moves["", "state"] = states
    settings, inputs = comparison.settings.reset_index(), comparison.inputs.reset_index()
    return [
        ("kpis", _flat(kpis, language), UNTYPED),
        ("moves", _flat(moves, language), UNTYPED),
        ("compare_causes", causes, UNTYPED),
        ("parameters", settings, UNTYPED),
        ("compare_inputs", inputs, UNTYPED),
    ]


def _flat(frame: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Put the run and the column's name in words into one heading."""
    names = [
        " · ".join(filter(None, (run, word("columns", column, language)))) for run, column in _pairs(frame)
    ]
    return frame.set_axis(names, axis=1).reset_index()


def _long(comparison: Comparison) -> pa.Table:
    """Return every number as one row: which table, which run, which key, which measure."""
    kpis = comparison.kpis.drop(columns=[("", "unit")])
    moves = comparison.moves.drop(columns="", level=0)
    numbers = moves.columns.get_level_values(1).isin(["seq", "net_wan", "npv_wan", "net_visits"])
    causes = comparison.causes.rename(columns={"branch_id": "key", "kpi": "measure", "contribution": "value"})
    parts = [
        *_columns_as_rows(kpis, "kpis"),
        *_columns_as_rows(moves.loc[:, numbers], "moves"),
        causes[["key", "run", "measure", "value"]].assign(table="causes"),
    ]
    frame = pd.concat(parts, ignore_index=True)
    names = ("table", "run", "key", "measure")
    arrays = {name: pa.array(frame[name].astype(object), pa.string()) for name in names}
    return pa.table({**arrays, "value": pa.array(frame["value"].to_numpy(dtype=float))})


def _columns_as_rows(frame: pd.DataFrame, table: str) -> Iterator[pd.DataFrame]:
    for run, measure in _pairs(frame):
        values = frame[run, measure].astype(float).dropna()
        yield pd.DataFrame(
            {"table": table, "run": run, "key": values.index.astype(str), "measure": measure, "value": values}
        )


def _pairs(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the run and the name of each column."""
    runs, names = (frame.columns.get_level_values(level) for level in (0, 1))
    return list(zip(map(str, runs), map(str, names), strict=True))
