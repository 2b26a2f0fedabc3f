"""The memo's middle: the move table and, for each move, why, what and for whom."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from siteplanner import tables
from siteplanner.outputs.exports import gaps_in_words
from siteplanner.outputs.html import figures as key_figures
from siteplanner.outputs.html import heading, paragraph, say, strong, table, text
from siteplanner.outputs.wording import number, percent, reason_word, signed, unit_word, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_MOST_ROWS = 200
_MOST_ARTICLES = 40  # a committee reads no more; the workbook holds every move
_LEAST_POINTS = 0.05  # shown as 0.1; less is nothing
_CANNIBAL_WARNING = 0.25  # share of the gross gain taken from siblings (D§7.1)


def move_table(rows: pd.DataFrame, language: Language) -> Markup:
    """Return one row per move with its net effect, and the sums below."""
    columns = (
        ("seq", "", "n"),
        ("branch", "", "name"),
        ("site", "", "name"),
        ("distance", "km", "n"),
        ("format", "", "key"),
        ("visits", "1/day", "n"),
        ("deposits", "10,000 CNY", "n"),
        ("npv", "10,000 CNY", "n"),
        ("payback", "year", "n"),
        ("break_even", "", "n"),
    )
    top = [(_head(name, unit, language), kind) for name, unit, kind in columns]
    body = [_table_row(seq, row, language) for seq, row in rows.head(_MOST_ROWS).iterrows()]
    sums = [
        "",
        say("sum", language),
        "",
        "",
        "",
        signed(rows["net_visits"].sum()),
        signed(rows["net_wan"].sum()),
        signed(rows["npv_wan"].sum()),
        "",
        "",
    ]
    more = (
        paragraph(say("more_rows", language, n=len(rows) - _MOST_ROWS), "small")
        if len(rows) > _MOST_ROWS
        else ""
    )
    note = paragraph(say("break_even_note", language), "small")
    return heading("moves_title", language) + table(top, body, sums) + more + note


def _head(name: str, unit: str, language: Language) -> Markup:
    words = say(f"head_{name}", language)
    return Markup("{}<small>{}</small>").format(words, unit_word(unit, language)) if unit else words


def _table_row(seq: object, row: "pd.Series[Any]", language: Language) -> list[object]:
    tag = (
        Markup('<span class="tag">{}</span>').format(say("inclusive_tag", language))
        if row["to_inclusive"]
        else ""
    )
    return [
        seq,
        Markup('{}<br><span class="small">{}</span>').format(
            text(row["branch_name"]), text(row["from_county"])
        ),
        Markup('{}<br><span class="small">{}</span>{}').format(
            text(row["site_name"]), text(row["to_county"]), tag
        ),
        number(row["distance_km"], 1),
        word("formats", str(row["format_to"]), language),
        signed(row["net_visits"]),
        signed(row["net_wan"]),
        signed(row["npv_wan"]),
        number(row["payback_years"], 1),
        _break_even(row, language),
    ]


def _break_even(row: "pd.Series[Any]", language: Language) -> str:
    """Write the retention at which the net present value is 0; outside 0-100 % it says always or never."""
    share = float(row["break_even_retention"])
    if share <= 0:
        return str(say("break_even_always", language))
    return str(say("break_even_never", language)) if share > 1 else percent(share, 0)


def move_articles(plan: Plan, rows: pd.DataFrame, language: Language) -> Markup:
    """Return a short case for each move."""
    rows = rows.assign(data_gaps=gaps_in_words(rows["data_gaps"], language))
    drawn = Markup("").join(
        _article(plan, str(seq), row, language) for seq, row in rows.head(_MOST_ARTICLES).iterrows()
    )
    left = len(rows) - _MOST_ARTICLES
    more = paragraph(say("more_articles", language, n=left), "small") if left > 0 else Markup("")
    return (
        heading("articles_title", language)
        + paragraph(say("articles_intro", language), "small intro")
        + drawn
        + more
    )


def _article(plan: Plan, seq: str, row: "pd.Series[Any]", language: Language) -> Markup:
    parts = [
        Markup('<h3><span class="no">{}</span>{} → {}</h3>').format(
            seq, text(row["branch_name"]), text(row["site_name"])
        ),
        paragraph(_route(row, language), "route"),
        paragraph(_why_leave(plan, row, language)),
        paragraph(_why_come(plan, row, language)),
        _ledger(row, language),
        paragraph(_customers(row, language) + _spread(row, language)),
        paragraph(_stands(row, language) + _rules(row, language), "small"),
        *(paragraph(words, "small caution") for words in _cautions(row, language)),
    ]
    return Markup("<article>{}</article>").format(Markup("").join(parts))


def _route(row: "pd.Series[Any]", language: Language) -> Markup:
    ends = [
        say(
            "route_end",
            language,
            place=text(" ".join(filter(None, (row[f"{end}_county"], row[f"{end}_township"])))),
            tier=word("tiers", row[f"{end}_tier"], language),
            zone=word("classes", row[f"{end}_zone_class"], language),
        )
        for end in ("from", "to")
    ]
    return say("route", language, start=ends[0], end=ends[1], km=number(row["distance_km"], 1))


def _best_parts(scores: "pd.Series[Any]", parts: tuple[str, ...], language: Language) -> Markup:
    """Return the three parts with most points, in words with their points."""
    points = sorted(
        ((float(scores[f"part_{part}"]), part) for part in parts), key=lambda item: (-item[0], item[1])
    )
    said = (
        say(
            "part_points",
            language,
            part=word("values", f"criterion.{part}", language),
            points=number(value, 1),
        )
        for value, part in points[:3]
        if value >= _LEAST_POINTS
    )
    return say("list_comma", language).join(said)


def _why_leave(plan: Plan, row: "pd.Series[Any]", language: Language) -> Markup:
    scores = plan.scores.release.loc[row["branch_id"]]
    return say(
        "why_leave",
        language,
        zone=text(row["from_zone"]),
        score=strong(number(row["release_score"], 1)),
        parts=_best_parts(scores, tables.RELEASE_PARTS, language),
    )


def _why_come(plan: Plan, row: "pd.Series[Any]", language: Language) -> Markup:
    site = plan.candidates.sites.loc[row["site_id"]]
    scores = plan.scores.attract.loc[row["site_id"]]
    reasons = say("list_comma", language).join(
        reason_word(row[name], language) for name in ("reason_1", "reason_2", "reason_3") if row[name]
    )
    return say(
        "why_come",
        language,
        kind=word("values", f"destination_type.{row['destination_type']}", language),
        gap=number(site["gap_visits"], 0),
        score=strong(number(row["attract_score"], 1)),
        parts=_best_parts(scores, tables.ATTRACT_PARTS, language),
        reasons=reasons,
        minutes=number(plan.scenario.access.cover_min),
    )


def _ledger(row: "pd.Series[Any]", language: Language) -> Markup:
    """Return gains and losses side by side: never one net number alone."""
    spread = say("range", language, low=number(row["lost_low_wan"]), high=number(row["lost_high_wan"]))
    items = [
        ("ledger_gross", signed(row["gross_gain_wan"]), _visits(row["gross_gain_visits"], language)),
        (
            "ledger_cannibal",
            signed(-row["cannibalised_wan"]),
            _visits(-row["cannibalised_visits"], language),
        ),
        ("ledger_lost", signed(-row["lost_wan"]), spread),
        ("ledger_net", signed(row["net_wan"]), _visits(row["net_visits"], language)),
        ("ledger_volume", signed(row["volume_effect_wan"]), say("per_year", language)),
        ("ledger_cost", signed(row["cost_effect_wan"]), say("per_year", language)),
        ("ledger_capex", number(row["capex_wan"]), ""),
        ("ledger_npv", signed(row["npv_wan"]), _payback(row, language)),
    ]
    return key_figures(
        (
            (say(key, language), Markup("{} <small>{}</small>").format(value, note))
            for key, value, note in items
        ),
        "ledger",
    )


def _visits(value: float, language: Language) -> Markup:
    return say("visits_small", language, n=signed(value))


def _payback(row: "pd.Series[Any]", language: Language) -> Markup:
    years = float(row["payback_years"])
    return (
        say("payback_small", language, years=number(years, 1))
        if years < float("inf")
        else say("no_payback", language)
    )


def _customers(row: "pd.Series[Any]", language: Language) -> Markup:
    return say(
        "customers_affected",
        language,
        retention=strong(percent(row["retention"])),
        break_even=strong(_break_even(row, language)),
        recaptured=number(row["recaptured_visits"]),
        extra=number(row["extra_km"], 1),
        aged=strong(number(row["aged_60_affected"])),
        gained=number(row["covered_gained"]),
        lost=number(row["covered_lost"]),
    )


def _spread(row: "pd.Series[Any]", language: Language) -> Markup:
    """Say between what the retention lies in eight of ten cases, and what the choice model keeps (D§7.2)."""
    return say(
        "retention_spread",
        language,
        low=percent(row["retention_low"]),
        high=percent(row["retention_high"]),
        choice=percent(row["retention_choice"]),
    )


def _stands(row: "pd.Series[Any]", language: Language) -> Markup:
    return say(
        "stands_same" if row["format_from"] == row["format_to"] else "stands",
        language,
        old=word("formats", row["format_from"], language),
        new=word("formats", row["format_to"], language),
        counters=number(row["counters"]),
        devices=number(row["smart_devices"]),
        staff=number(row["staff"]),
        area=number(row["area_m2"]),
        role=word("roles", row["role"], language),
    )


def _rules(row: "pd.Series[Any]", language: Language) -> Markup:
    kept, _, broken = str(row["rules_checked"]).removeprefix("ok: ").partition("; warn: ")
    said = say("rules_kept", language, n=len(kept.split()))
    return said + (say("rules_warned", language, rules=broken) if broken else Markup(""))


def _cautions(row: "pd.Series[Any]", language: Language) -> list[Markup]:
    said = []
    gross = float(row["gross_gain_wan"])
    if gross > 0 and row["cannibalised_wan"] / gross > _CANNIBAL_WARNING:
        said.append(say("caution_cannibal", language, share=percent(row["cannibalised_wan"] / gross, 0)))
    if row["npv_wan"] > 0 > row["net_wan"]:
        said.append(say("caution_downsizing", language))
    if row["models_differ"]:
        shares = {name: percent(row[name], 0) for name in ("retention", "retention_choice")}
        said.append(say("caution_retention", language, **shares))
    if row["data_gaps"]:
        said.append(say("caution_gaps", language, gaps=text(row["data_gaps"])))
    return said
