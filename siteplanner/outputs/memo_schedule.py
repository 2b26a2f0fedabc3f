"""The memo's timetable: when each move is made, what it waits for, and what must come first."""

from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from siteplanner.outputs.gantt import draw_gantt, legend
from siteplanner.outputs.html import heading, paragraph, say, table, text
from siteplanner.outputs.wording import number, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_MOST_ROWS = 60  # more moves make a picture that nobody reads; the workbook dates them all


def schedule_section(plan: Plan, rows: pd.DataFrame, language: Language) -> Markup:
    """Return the picture of the schedule, and a row for each move."""
    dated = rows[rows["open_on"].notna()]
    undated = rows[rows["open_on"].isna()]
    parts = [heading("schedule_title", language)]
    if len(dated):
        parts += [paragraph(_lead(plan, dated, language)), _picture(plan, dated.head(_MOST_ROWS), language)]
    if len(undated):
        seqs = say("list_comma", language).join(escape(seq) for seq in undated.index)
        parts.append(paragraph(say("schedule_undated", language, n=len(undated), seqs=seqs), "caution"))
    parts += [_table(rows.head(_MOST_ROWS), language), paragraph(_basis(plan, language), "small")]
    return Markup("").join(parts)


def _lead(plan: Plan, dated: pd.DataFrame, language: Language) -> Markup:
    quarters = dated["quarter"].value_counts().sort_index()
    breaks = plan.schedule["lease_break_wan"]
    said = say(
        "schedule_lead",
        language,
        first=_quarter(str(quarters.index[0]), language),
        last=_quarter(str(quarters.index[-1]), language),
        counts=say("list_comma", language).join(
            say("schedule_count", language, quarter=_quarter(str(quarter), language), n=count)
            for quarter, count in quarters.items()
        ),
    )
    if (breaks > 0.0).any():
        said += say("schedule_breaks", language, n=int((breaks > 0.0).sum()), cost=number(breaks.sum()))
    return said


def _quarter(code: str, language: Language) -> str:
    year, _, quarter = code.partition("Q")
    return str(say("schedule_quarter", language, year=year, quarter=quarter))


def _picture(plan: Plan, dated: pd.DataFrame, language: Language) -> Markup:
    named = dated.assign(name=dated["site_name"])
    phases = ("schedule_apply", "schedule_works", "schedule_accept", "schedule_open", "schedule_frozen")
    drawn = draw_gantt(named, plan.scenario.phasing.frozen_months, title=str(say("schedule_title", language)))
    words = tuple(say(key, language) for key in phases)
    return Markup("<figure>{}{}</figure>").format(drawn, legend(words))  # type: ignore[arg-type]


def _table(rows: pd.DataFrame, language: Language) -> Markup:
    head = (
        ("head_seq", "n"), ("head_branch", "name"), ("head_site", "name"), ("schedule_apply", "key"),
        ("schedule_works", "key"), ("schedule_open", "key"), ("schedule_waits", ""), ("schedule_after", "n"),
    )  # fmt: skip
    return table(
        [(say(key, language), kind) for key, kind in head],
        [_row(str(seq), row, language) for seq, row in rows.iterrows()],
    )


def _row(seq: str, row: "pd.Series[Any]", language: Language) -> list[object]:
    return [
        seq,
        text(row["branch_name"]),
        text(row["site_name"]),
        *(_month(row[name]) for name in ("apply_on", "works_on", "open_on")),
        word("values", f"waits_for.{row['waits_for']}", language),
        row["depends_on"],
    ]


def _month(date: Any) -> str:  # noqa: ANN401 - a timestamp or none
    return "–" if pd.isna(date) else f"{date:%Y-%m}"  # noqa: RUF001


def _basis(plan: Plan, language: Language) -> Markup:
    settings = plan.scenario.phasing
    months = say("list_comma", language).join(escape(month) for month in sorted(settings.frozen_months))
    return say(
        "schedule_basis",
        language,
        approval=settings.approval_months,
        works=settings.works_months,
        acceptance=settings.acceptance_months,
        frozen=months if settings.frozen_months else "–",  # noqa: RUF001
        batch=settings.quarterly_batch,
        share=number(100.0 * settings.yearly_share, 1),
        homes=number(100.0 * settings.homes_occupied),
    )
