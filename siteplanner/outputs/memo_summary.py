"""The memo's first page: what is asked for, one picture, the network before and after."""

import math
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from siteplanner.labels import section_labels
from siteplanner.outputs import figures
from siteplanner.outputs.beaten import proof_percent
from siteplanner.outputs.html import figures as key_figures
from siteplanner.outputs.html import heading, paragraph, say, strong, table, text
from siteplanner.outputs.palette import ACTION_CLASSES, ZONE_COLOURS
from siteplanner.outputs.wording import money, number, percent, signed, unit_word, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_MAP_HEIGHT_PX, _MAP_WIDEST_PX = 560.0, 430.0
_INSET_MARGIN = 0.12  # of the arrows' extent, so that no arrow touches the edge
_LEAST_INSET_DEG = 0.05
MAIN_KPIS = (
    "own_outlets_dense", "own_outlets_destination", "townships_with_own",
    "townships_one_own", "covered_own_share", "covered_any_share", "covered_point_share",
    "aged_60_covered_own_share", "inclusive_covered_own", "uncovered_own", "uncovered_any",
    "mean_minutes_own", "p95_km_own", "gini_minutes_own", "ede_minutes_own",
    "visits_own", "share_own", "deposits_own_wan",
    "opex_wan",
)  # fmt: skip
_LINE_TOTALS = ("market_net_wan", "net_wan")
_BIG = 1_000.0  # from here decimals say nothing


def title_of(plan: Plan, language: Language) -> str:
    """Return the scenario's title in the language, else its name."""
    scenario = plan.scenario
    return (scenario.title_zh if language == "zh" else scenario.title_en) or scenario.name


def head(plan: Plan, language: Language) -> Markup:
    """Return title, what the paper is, for which year, and whether the data are made up."""
    scenario = plan.scenario
    synthetic = scenario.output.synthetic
    badge = Markup('<span class="badge">{}</span>').format(say("synthetic", language)) if synthetic else ""
    facts = say(
        "facts",
        language,
        year=scenario.demand.plan_year,
        branches=len(plan.layers.branches),
        counties=len(plan.layers.counties),
        cell=number(scenario.grid.cell_m),
    )
    warning = paragraph(say("synthetic_sentence", language), "synthetic") if synthetic else Markup("")
    return Markup(
        '<header><p class="kind">{kind}</p><h1>{title}{badge}</h1>'
        '<p class="facts">{facts}</p></header>{warning}'
    ).format(
        kind=say("kind", language),
        title=text(title_of(plan, language)),
        badge=badge,
        facts=facts,
        warning=warning,
    )


def recommendation(plan: Plan, rows: pd.DataFrame, language: Language) -> Markup:
    """Return the recommendation, the ask, and the figures that carry them."""
    if rows.empty:
        return heading("recommendation", language) + paragraph(say("no_moves", language), "lead")
    sums = totals(plan, rows)
    kinds = (
        rows["destination_type"]
        .value_counts()
        .sort_index(kind="stable")
        .sort_values(ascending=False, kind="stable")
    )
    where = say("list_comma", language).join(
        say("kind_count", language, kind=word("values", f"destination_type.{kind}", language), n=count)
        for kind, count in kinds.items()
    )
    settings = plan.scenario
    lead = say(
        "recommendation_lead",
        language,
        n=strong(len(rows)),
        prefectures=rows["from_prefecture"].nunique(),
        where=where,
        inclusive=strong(int(rows["to_inclusive"].sum())),
    )
    effect = say(
        "recommendation_effect",
        language,
        visits=strong(signed(sums["net_visits"])),
        deposits=strong(money(sums["net_wan"], language, plus=True)),
        low=money(sums["net_low_wan"], language, plus=True),
        high=money(sums["net_high_wan"], language, plus=True),
        capex=strong(money(sums["capex_wan"], language)),
        years=settings.demand.horizon_years,
        npv=strong(money(sums["npv_wan"], language, plus=True)),
        minutes=number(settings.access.cover_min),
        before=percent(sums["cover_before"]),
        after=strong(percent(sums["cover_after"], 1)),
    )
    ask = say("ask", language, gap=proof_percent(plan))
    cautions = Markup("").join(paragraph(words, "caution") for words in _cautions(plan, rows, language))
    return (
        heading("recommendation", language)
        + paragraph(lead + effect + ask, "lead")
        + cautions
        + _key_figures(sums, language)
    )


def totals(plan: Plan, rows: pd.DataFrame) -> dict[str, float]:
    """Add up the moves; range of the net deposits from the least and the largest loss."""
    names = (
        "net_visits",
        "net_wan",
        "capex_wan",
        "npv_wan",
        "volume_effect_wan",
        "cost_effect_wan",
        "aged_60_affected",
    )
    sums = {name: float(rows[name].sum()) for name in names}
    won = float((rows["gross_gain_wan"] - rows["cannibalised_wan"]).sum())
    counties = plan.ledger.counties
    people = float(counties["residents"].sum())
    return sums | {
        "net_low_wan": won - float(rows["lost_high_wan"].sum()),
        "net_high_wan": won - float(rows["lost_low_wan"].sum()),
        "cover_before": _share(counties["covered_own_before"].sum(), people),
        "cover_after": _share(counties["covered_own_after"].sum(), people),
    }


def _share(part: float, whole: float) -> float:
    return float(part) / whole if whole else math.nan


def _cautions(plan: Plan, rows: pd.DataFrame, language: Language) -> list[Markup]:
    """Say what a sum would hide: downsizing sold as growth (D§7.3), moves that cost more than they yield."""
    only_cost = rows[(rows["npv_wan"] > 0) & (rows["net_wan"] < 0)]
    losing = rows[rows["npv_wan"] < 0]
    said = []
    if len(only_cost):
        said.append(say("caution_cost", language, n=len(only_cost), seqs=_seqs(only_cost, language)))
    if len(losing):
        said.append(say("caution_npv", language, n=len(losing), seqs=_seqs(losing, language)))
    differ = rows[rows["models_differ"].astype(bool)]
    if len(differ):
        key = "caution_two_models_all" if len(differ) == len(rows) else "caution_two_models"
        points = number(plan.scenario.economics.models_differ * 100)
        said.append(say(key, language, n=len(differ), seqs=_seqs(differ, language), points=points))
    return said + _second_opinion(plan, language)


def _second_opinion(plan: Plan, language: Language) -> list[Markup]:
    """Show what the market model says of the whole network where it differs from the ledger (D§7.2)."""
    market, ledger = (float(plan.ledger.reconciliation["deposits_wan"][line]) for line in _LINE_TOTALS)
    if abs(market - ledger) <= plan.scenario.economics.models_differ * abs(ledger):
        return []
    amounts = {"ledger": money(ledger, language, plus=True), "market": money(market, language, plus=True)}
    return [say("caution_models", language, **amounts)]


def _seqs(rows: pd.DataFrame, language: Language) -> Markup:
    return say("list_comma", language).join(map(str, rows.index))


def _key_figures(sums: dict[str, float], language: Language) -> Markup:
    items = [
        (say("figure_visits", language), signed(sums["net_visits"]), say("unit_visits", language)),
        (say("figure_deposits", language), money(sums["net_wan"], language, plus=True), ""),
        (say("figure_npv", language), money(sums["npv_wan"], language, plus=True), ""),
        (say("figure_capex", language), money(sums["capex_wan"], language), ""),
        (say("figure_cover", language), _points(sums), say("unit_points", language)),
        (say("figure_aged", language), number(sums["aged_60_affected"]), say("unit_people", language)),
    ]
    return key_figures(
        ((words, Markup("{}<small>{}</small>").format(value, unit)) for words, value, unit in items),
        "figures",
    )


def _points(sums: dict[str, float]) -> str:
    return signed((sums["cover_after"] - sums["cover_before"]) * 100, 2)


def map_figure(plan: Plan, rows: pd.DataFrame, language: Language) -> Markup:
    """Return the whole region and, beside it, the prefecture with most moves."""
    scene = figures.Scene(plan.layers.counties, plan.zones.zones, plan.formats.branches_after, rows)
    km = word("units", "km", language)
    whole = figures.frame_around(plan.layers.counties.total_bounds, _MAP_HEIGHT_PX, _MAP_WIDEST_PX)
    title = say("map_title", language)
    if rows.empty:
        drawn = _framed(say("map_whole", language), figures.draw_map(scene, whole, title=title, km=km))
    else:
        busiest = _busiest(rows)
        inset = _inset_frame(rows[rows["from_prefecture"] == busiest])
        whole_map = figures.draw_map(scene, whole, title=title, km=km, box=inset)
        inset_title = say("map_inset", language, prefecture=text(busiest))
        drawn = _framed(say("map_whole", language), whole_map) + _framed(
            inset_title, figures.draw_map(scene, inset, title=inset_title.striptags(), km=km, detail=True)
        )
    present = set(plan.zones.zones["zone_class"])
    classes = section_labels("classes", language)
    legend = figures.swatches((ZONE_COLOURS[key], classes[key]) for key in ACTION_CLASSES if key in present)
    return Markup(
        '{h}<figure><div class="maps">{maps}</div><div class="legend">{legend}</div>'
        "<figcaption>{caption}</figcaption></figure>"
    ).format(h=heading("map", language), maps=drawn, legend=legend, caption=say("map_caption", language))


def _framed(words: Markup, drawing: Markup) -> Markup:
    return Markup("<div><p>{}</p>{}</div>").format(words, drawing)


def _busiest(rows: pd.DataFrame) -> str:
    counts = rows["from_prefecture"].value_counts()
    return str(min(counts.index[counts == counts.max()]))


def _inset_frame(rows: pd.DataFrame) -> figures.Frame:
    lon = rows[["from_lon", "to_lon"]].to_numpy(dtype=float)
    lat = rows[["from_lat", "to_lat"]].to_numpy(dtype=float)
    half = max(np.ptp(lon), np.ptp(lat), _LEAST_INSET_DEG) * _INSET_MARGIN
    bounds = (lon.min() - half, lat.min() - half, lon.max() + half, lat.max() + half)
    return figures.frame_around(bounds, _MAP_HEIGHT_PX, _MAP_WIDEST_PX)


def kpi_table(plan: Plan, language: Language) -> Markup:
    """Return the network before and after, with bars to compare."""
    columns = [("kpi", ""), ("before", "n"), ("after", "n"), ("change", "n")]
    top = [(word("columns", name, language), kind) for name, kind in columns]
    kpis = plan.ledger.kpis
    main = kpis.loc[[kpi for kpi in MAIN_KPIS if kpi in kpis.index]]
    rows = [_kpi_row(str(kpi), row, language) for kpi, row in (main if len(main) else kpis).iterrows()]
    drawn = table([*top, (say("bars_heading", language), "")], rows)
    return heading("kpi_title", language) + paragraph(say("kpi_more", language), "small intro") + drawn


def _kpi_row(kpi: str, row: "pd.Series[Any]", language: Language) -> list[object]:
    before, after, unit = float(row["before"]), float(row["after"]), str(row["unit"])
    shown = kpi_in_words(kpi, (before, after), unit, language)
    words = word("kpis", kpi, language)
    return [
        kpi_name(kpi, unit, language),
        *shown,
        figures.bars(before, after, f"{words}: {shown[0]} → {shown[1]}"),
    ]


def kpi_name(kpi: str, unit: str, language: Language) -> Markup:
    """Return what an indicator is called, with its unit."""
    words, shown = word("kpis", kpi, language), unit_word(unit, language)
    return say("with_unit", language, words=words, unit=shown) if shown else escape(words)


def kpi_in_words(kpi: str, ends: tuple[float, float], unit: str, language: Language) -> tuple[str, str, str]:
    """Write an indicator before, after, and its change."""
    before, after = ends
    if kpi.startswith("gini_"):
        return number(before, 3), number(after, 3), signed(after - before, 3)
    if unit == "share" or kpi.endswith("_share"):
        change = f"{signed((after - before) * 100, 2)} {say('unit_points', language)}"
        return percent(before), percent(after), change
    digits = 0 if max(abs(before), abs(after)) >= _BIG or (before % 1 == 0 and after % 1 == 0) else 2
    return number(before, digits), number(after, digits), signed(after - before, digits)


def reconciliation_table(plan: Plan, language: Language) -> Markup:
    """Return the way from the market model's deposits to the ledger's, line by line."""
    head = [
        (word("columns", "line", language), ""),
        (say("reconciliation_wan", language), "n"),
        (say("reconciliation_why", language), ""),
    ]
    rows: list[list[object]] = []
    for line, amount in plan.ledger.reconciliation["deposits_wan"].items():
        words, shown = word("kpis", str(line), language), signed(float(amount))
        total = line in _LINE_TOTALS
        why = "" if total else say(f"why_{line}", language)
        rows.append([strong(words), strong(shown), why] if total else [words, shown, why])
    intro = paragraph(say("reconciliation_intro", language), "small intro")
    title = Markup("<h3>{}</h3>").format(say("reconciliation_title", language))
    return title + intro + table(head, rows)
