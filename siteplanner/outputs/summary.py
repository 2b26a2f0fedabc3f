"""The lines that a run prints."""

from pathlib import Path

import pandas as pd

from siteplanner.labels import label
from siteplanner.outputs.beaten import proof_percent
from siteplanner.outputs.notes import calibration_note, note_text
from siteplanner.plan import Plan
from siteplanner.scenario import Language
from siteplanner.tables import DENSE, DESTINATION

# 100 million CNY (yi) in Chinese, billion CNY in English, from 10,000 CNY.
_WAN_PER_YI = 10_000.0
_WAN_PER_BILLION = 100_000.0


def summary_lines(plan: Plan, folder: Path, language: Language) -> list[str]:
    """Say what went in, what was found, what is proposed, and how sure that is."""
    title = (plan.scenario.title_zh if language == "zh" else plan.scenario.title_en) or plan.scenario.name

    def say(key: str, **values: object) -> str:
        return label(f"cli.{key}", language, **values)

    lines = [
        say("title", title=title),
        _people(plan, language),
        say("demand", visits=f"{_visits(plan):,.0f}", potential=_money(_deposits(plan), language)),
        say("market", said=note_text(calibration_note(plan), language)),
        say("zones", counts=_zones(plan, language)),
        _moves(plan, language),
        _net(plan, language),
        _coverage(plan, language),
        _rules(plan, language),
        _proof(plan, language),
        say(
            "where",
            folder=folder,
            seconds=f"{sum(plan.seconds.values()):.1f}",
            peak=f"{max(plan.peak_mb.values()):,.0f}",
        ),
    ]
    return [*lines, say("synthetic")] if plan.scenario.output.synthetic else lines


def _visits(plan: Plan) -> float:
    return float(plan.demand.cells["visits_per_day"].sum())


def _deposits(plan: Plan) -> float:
    return float(plan.demand.cells["potential_wan"].sum())


def _money(wan: float, language: Language) -> str:
    return f"{wan / (_WAN_PER_YI if language == 'zh' else _WAN_PER_BILLION):,.1f}"


def _people(plan: Plan, language: Language) -> str:
    people = plan.conservation[plan.conservation["layer"] == "residents"]
    inside = people[people["county_id"] != "outside"]
    error = ((inside["count_in"] - inside["count_out"]).abs() / inside["count_in"].clip(lower=1.0)).max()
    residents = f"{inside['count_out'].sum():,.0f}"
    return label("cli.people", language, residents=residents, error=f"{error:.0e}" if error else "0")


def _zones(plan: Plan, language: Language) -> str:
    counts = plan.zones.zones["zone_class"].value_counts()
    shown = [name for name in (*DENSE, *DESTINATION) if counts.get(name, 0)]
    comma = label("report.list_comma", language)
    return comma.join(f"{label(f'classes.{name}', language)} {counts[name]}" for name in shown)


def _moves(plan: Plan, language: Language) -> str:
    counties = plan.candidates.sites["county_id"].reindex(plan.relocation.moves["site_id"])
    inclusive = int(plan.layers.counties["inclusive"].reindex(counties).eq(True).sum())
    return label(
        "cli.moves",
        language,
        moves=len(counties),
        inclusive=inclusive,
        rejected=len(plan.relocation.rejected),
    )


def _net(plan: Plan, language: Language) -> str:
    total = plan.ledger.moves[["net_visits", "net_wan", "npv_wan"]].sum()
    return label(
        "cli.net",
        language,
        visits=f"{total['net_visits']:+,.0f}",
        deposits=f"{'+' if total['net_wan'] >= 0 else ''}{_money(total['net_wan'], language)}",
        npv=f"{total['npv_wan']:+,.0f}",
    )


def _coverage(plan: Plan, language: Language) -> str:
    counties = plan.ledger.counties
    listed = counties[plan.layers.counties["inclusive"].reindex(counties.index).eq(True)]
    return label(
        "cli.coverage",
        language,
        before=_share(counties, "covered_own_before"),
        after=_share(counties, "covered_own_after"),
        inclusive_before=_share(listed, "covered_own_before"),
        inclusive_after=_share(listed, "covered_own_after"),
        minutes=f"{plan.scenario.access.cover_min:g}",
    )


def _share(counties: pd.DataFrame, covered: str) -> str:
    residents = counties["residents"].sum()
    return f"{counties[covered].sum() / residents:.2%}" if residents else "-"


def _rules(plan: Plan, language: Language) -> str:
    trace = plan.relocation.trace
    broken = trace[~trace["ok"].astype(bool)]
    hard = broken["severity"] == "hard"
    return label(
        "cli.rules",
        language,
        steps=trace["step"].nunique(),
        broken=int(hard.sum()),
        warnings=int((~hard).sum()),
    )


def _proof(plan: Plan, language: Language) -> str:
    proof = plan.relocation.proof
    return label(
        "cli.proof",
        language,
        status=label(f"status.{proof.status}", language),
        gap=proof_percent(plan),
        gain_gap=f"{proof.gain_gap:.1%}",
    )
