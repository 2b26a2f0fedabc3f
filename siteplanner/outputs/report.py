"""The memo for a committee: one self-contained page, good on screen and on A4."""

from pathlib import Path

from markupsafe import Markup

from siteplanner.outputs import (
    memo_evidence,
    memo_forecast,
    memo_market,
    memo_moves,
    memo_schedule,
    memo_summary,
)
from siteplanner.outputs.html import page, say, text
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.wording import word
from siteplanner.plan import Plan
from siteplanner.scenario import Language


def write_report(plan: Plan, path: Path, language: Language, version: str) -> None:
    """Write report.html; the same plan gives the same bytes."""
    path.write_text(render_report(plan, language, version), encoding="utf-8", newline="\n")


def render_report(plan: Plan, language: Language, version: str) -> str:
    """Return the memo as HTML: decision first, then the moves, then what the decision rests on."""
    rows = move_rows(plan)
    parts = [
        memo_summary.head(plan, language),
        memo_summary.recommendation(plan, rows, language),
        memo_summary.kpi_table(plan, language),
        memo_summary.reconciliation_table(plan, language) if len(rows) else Markup(""),
        memo_summary.map_figure(plan, rows, language),
    ]
    if len(rows):
        parts += [
            memo_moves.move_table(rows, language),
            memo_moves.move_articles(plan, rows, language),
            memo_schedule.schedule_section(plan, rows, language),
        ]
    parts += [
        memo_evidence.counties_section(plan, language),
        memo_forecast.forecast_section(plan, language),
        memo_evidence.rejected_section(plan, language),
        memo_evidence.rules_section(plan, language),
        memo_evidence.proof_section(plan, language),
        memo_market.calibration_section(plan, language),
        memo_evidence.without_section(plan, language),
        memo_evidence.assumptions_section(plan, language),
        memo_evidence.sources_section(plan, language),
        _signatures(language),
        _footer(plan, language, version),
    ]
    title = memo_summary.title_of(plan, language)
    return page(Markup("\n").join(parts), title, say("kind", language), language)


def _signatures(language: Language) -> Markup:
    lines = (
        Markup("<span>{}</span>").format(say(key, language))
        for key in ("sign_author", "sign_review", "sign_approve")
    )
    return Markup('<div class="sign">{}</div>').format(Markup("").join(lines))


def _footer(plan: Plan, language: Language, version: str) -> Markup:
    scenario = plan.scenario
    return Markup("<footer>{}</footer>").format(
        say(
            "footer",
            language,
            version=version,
            scenario=text(scenario.name),
            seed=scenario.relocation.seed,
            engine=word("values", f"engine.{scenario.engine.kind}", language),
        )
    )
