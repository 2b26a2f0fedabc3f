"""The memo for a committee: one self-contained page, good on screen and on A4."""

from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from siteplanner.outputs import memo_evidence, memo_forecast, memo_market, memo_moves, memo_summary
from siteplanner.outputs.html import say, text
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.wording import word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

# Nothing is loaded, nothing runs: the page needs neither network nor script.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}


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
        parts += [memo_moves.move_table(rows, language), memo_moves.move_articles(plan, rows, language)]
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
    return _page(Markup("\n").join(parts), memo_summary.title_of(plan, language), language)


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


def _page(body: Markup, title: str, language: Language) -> str:
    style = files("siteplanner.outputs").joinpath("assets", "memo.css").read_text(encoding="utf-8")
    return Markup(
        '<!doctype html>\n<html lang="{tag}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>{title} · {kind}</title>\n<style>\n{style}</style>\n"
        "</head>\n<body>\n{body}\n</body>\n</html>\n"
    ).format(
        tag=_LANGUAGE_TAGS[language],
        policy=_POLICY,
        title=title,
        kind=say("kind", language),
        style=Markup(style),  # noqa: S704 - our own style sheet
        body=body,
    )
