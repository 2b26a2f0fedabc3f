"""The memo's end: counties, what was not chosen, rules, proof, and what everything rests on."""

import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from siteplanner.outputs import figures
from siteplanner.outputs.beaten import proof_percent
from siteplanner.outputs.exports import conservation
from siteplanner.outputs.html import heading, paragraph, say, strong, table, text
from siteplanner.outputs.notes import note_texts
from siteplanner.outputs.parameters import changed_parameters, parameter_rows
from siteplanner.outputs.wording import NO_NUMBER, number, percent, reason_word, signed, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_MOST_COUNTIES = 40
_MOST_REJECTED = 12
_HASH_LETTERS = 12  # enough to tell two files apart; the manifest holds all 64
_MAIN_PARAMETERS = (
    "demand.plan_year",
    "demand.horizon_years",
    "grid.cell_m",
    "access.cover_min",
    "demand.visits_per_person_year",
    "demand.deposits_per_person_cny",
    "market.decay_per_min",
    "market.outside_share",
    "relocation.max_moves",
    "relocation.inclusion_weight",
    "relocation.cover_weight",
    "economics.spread",
    "economics.fee_share",
    "economics.discount_rate",
    "economics.ramp",
    "economics.loss_min",
    "economics.loss_max",
)


def counties_section(plan: Plan, language: Language) -> Markup:
    """Return the counties that change or are on an inclusive list: branches and coverage before and after."""
    about = pd.DataFrame(plan.layers.counties).reindex(
        columns=["name", "inclusive", "list_name", "list_year"]
    )
    facts = plan.ledger.counties.join(about)
    facts = facts.join(plan.quotas.counties["quota"])
    listed = facts["inclusive"].eq(True)
    change = (facts["covered_own_after"] - facts["covered_own_before"]).abs()
    touched = (facts["outlets_after"] != facts["outlets_before"]) | (change > 0.5)  # noqa: PLR2004 - half a person
    shown = facts.assign(listed=listed, change=change)[listed | touched].sort_values(
        ["change", "county_id"], ascending=[False, True], kind="stable"
    )
    head = [
        (word("columns", "county", language), ""),
        (say("county_outlets", language), "n"),
        (word("columns", "quota", language), "n"),
        (say("county_cover", language), "n"),
        (say("county_cover_line", language), ""),
        (say("county_aged", language), "n"),
    ]
    rows = [_county_row(row, language) for _, row in shown.head(_MOST_COUNTIES).iterrows()]
    left = len(shown) - _MOST_COUNTIES
    more = paragraph(say("more_rows", language, n=left), "small") if left > 0 else Markup("")
    return (
        heading("counties_title", language)
        + paragraph(_inclusive_sentence(facts, language))
        + table(head, rows)
        + more
    )


def _inclusive_sentence(facts: pd.DataFrame, language: Language) -> Markup:
    listed = facts[facts["inclusive"].eq(True)]
    if listed.empty:
        return say("inclusive_none", language)
    people = float(listed["residents"].sum())
    before, after = (
        float(listed[f"covered_own_{when}"].sum()) / people if people else math.nan
        for when in ("before", "after")
    )
    return say(
        "inclusive_sentence",
        language,
        n=len(listed),
        branches_before=number(listed["outlets_before"].sum()),
        branches_after=strong(number(listed["outlets_after"].sum())),
        before=percent(before, 2),
        after=strong(percent(after, 2)),
        fewer=int((listed["outlets_after"] < listed["outlets_before"]).sum()),
        lists=text(
            say("list_comma", language).join(sorted(set(listed["list_name"].dropna().astype(str)) - {""}))
            or NO_NUMBER
        ),
    )


def _county_row(row: "pd.Series[Any]", language: Language) -> list[Any]:
    tag = Markup("")
    if row["listed"]:
        year = f" {row['list_year']:.0f}" if pd.notna(row["list_year"]) else ""
        tag = Markup('<span class="tag">{}{}</span>').format(say("inclusive_tag", language), year)
    before, after = (_of(row[f"covered_own_{when}"], row["residents"]) for when in ("before", "after"))
    aged = [_of(row[f"aged_60_covered_{when}"], row["aged_60"]) for when in ("before", "after")]
    cover = f"{percent(before)} → {percent(after)}"
    return [
        Markup("{}{}").format(text(row["name"]), tag),
        f"{number(row['outlets_before'])} → {number(row['outlets_after'])}",
        signed(row["quota"]),
        cover,
        figures.dumbbell(before, after, cover),
        f"{percent(aged[0])} → {percent(aged[1])}" if row["aged_60"] else number(None),
    ]


def _of(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else math.nan


def rejected_section(plan: Plan, language: Language) -> Markup:
    """Return why others were not chosen: counts by reason, and the best-scored of them by name."""
    rejected = plan.relocation.rejected
    if rejected.empty:
        return heading("rejected_title", language) + paragraph(say("rejected_none", language))
    counts = rejected["reason"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    summary = say("list_comma", language).join(
        say("reason_count", language, reason=reason_word(str(reason), language), n=number(count))
        for reason, count in counts.items()
    )
    intro = say("rejected_intro", language, n=number(len(rejected)), summary=summary, shown=_MOST_REJECTED)
    branches, sites = plan.layers.branches["name"], plan.candidates.sites["name"]
    return (
        heading("rejected_title", language)
        + paragraph(intro)
        + _rejected_table(rejected[rejected["branch_id"] != ""], "branch_id", branches, language)
        + _rejected_table(rejected[rejected["branch_id"] == ""], "site_id", sites, language)
    )


def _rejected_table(rejected: pd.DataFrame, key: str, names: "pd.Series[str]", language: Language) -> Markup:
    """Return the best-scored of one kind: release and attract scores do not compare."""
    best = rejected.sort_values(["score", key], ascending=[False, True], kind="stable").head(_MOST_REJECTED)
    if best.empty:
        return Markup("")
    title = say("rejected_branches" if key == "branch_id" else "rejected_sites", language)
    columns = (("score", "n"), ("reason", ""), ("rule", ""))
    head = [(title, "name"), *((word("columns", name, language), kind) for name, kind in columns)]
    head.append((say("entering_head", language), ""))
    rows = [
        [
            text(names.get(place, place)),
            number(score, 1),
            reason_word(reason, language),
            _rule_note(rule, language),
            _entering(reason, worth, nearest_km, language),
        ]
        for place, score, reason, rule, worth, nearest_km in best[
            [key, "score", "reason", "rule", "worth", "nearest_km"]
        ].itertuples(index=False)
    ]
    return table(head, rows)


def _entering(reason: str, worth: float, nearest_km: float, language: Language) -> Markup:
    """Say what would have to change for a place to enter the plan."""
    if reason not in ENTERING or (reason != "no_legal_branch" and math.isnan(worth)):
        return say("entering_rule", language)
    return say(
        f"entering_{reason}",
        language,
        worth=signed(worth, 1),
        lack=number(abs(worth), 1),
        km=number(nearest_km, 2),
    )


ENTERING = (
    "spacing",
    "county_floor",
    "county_cap",
    "no_legal_branch",
    "no_order",
    "move_limit",
    "worth_less",
)
"""Reasons that a change other than of a veto would remove."""


def _rule_note(rule: str, language: Language) -> str:
    return word("rules", rule, language) if rule else ""


def rules_section(plan: Plan, language: Language) -> Markup:
    """Return every rule with the steps after which it was tested and those that did not keep it."""
    trace = plan.relocation.trace
    steps = int(trace["step"].max()) if len(trace) else 0
    rows, broken_hard = [], 0
    for rule, tests in trace.groupby("rule", sort=True):
        broken = tests[~tests["ok"].astype(bool)]
        hard = str(tests["severity"].iloc[0]) == "hard"
        broken_hard += len(broken) if hard else 0
        rows.append(
            [
                Markup("<code>{}</code>").format(rule),
                _rule_words(str(rule), language),
                word("values", f"severity.{tests['severity'].iloc[0]}", language),
                number(len(tests)),
                _rule_result(broken, language),
            ]
        )
    head = [
        (say(key, language), kind)
        for key, kind in (
            ("rule_id", "key"),
            ("rule_words", ""),
            ("rule_severity", "key"),
            ("rule_tests", "n"),
            ("rule_result", ""),
        )
    ]
    key = "rules_all_kept" if not broken_hard else "rules_broken"
    intro = say(key, language, steps=steps, n=len(rows), broken=broken_hard)
    return heading("rules_title", language) + paragraph(intro) + table(head, rows)


def _rule_words(rule: str, language: Language) -> str:
    words = word("rules", rule, language)
    return "" if words == rule else words


def _rule_result(broken: pd.DataFrame, language: Language) -> Markup:
    if broken.empty:
        return say("rule_kept", language)
    said = say("list_comma", language).join(
        say("rule_broken_at", language, step=row.step, detail=text(row.detail))
        for row in broken.head(5).itertuples()
    )
    return Markup('<span class="warn">{}</span>').format(said)


def proof_section(plan: Plan, language: Language) -> Markup:
    """Return how good the plan is and how that is known; a plan stopped by time is never called optimal."""
    proof = plan.relocation.proof
    proved = proof.status == "optimal" and proof.bound - proof.after <= 1e-6 * abs(proof.bound)
    status = proof.status if proof.status != "optimal" or proved else "gap_reached"
    known = {"optimal": "status_optimal", "time_limit": "status_time_limit"}
    sentence = say(
        "proof_sentence",
        language,
        before=number(proof.before, 1),
        after=strong(number(proof.after, 1)),
        bound=number(proof.bound, 1),
        gap=strong(proof_percent(plan)),
    )
    gain = Markup("")
    if math.isfinite(proof.gain_gap) and proof.gain_gap >= 0:
        gain = say("proof_gain", language, gain_gap=percent(proof.gain_gap))
    return heading("proof_title", language) + paragraph(
        sentence + gain + say(known.get(status, "status_gap_reached"), language)
    )


def without_section(plan: Plan, language: Language) -> Markup:
    """Return what the run did without."""
    notes = [said for _, said in note_texts(plan, language)]
    if not notes:
        return heading("without_title", language) + paragraph(say("without_nothing", language))
    items = Markup("").join(Markup("<li>{}</li>").format(text(note)) for note in notes)
    return heading("without_title", language) + Markup('<ul class="small">{}</ul>').format(items)


def assumptions_section(plan: Plan, language: Language) -> Markup:
    """Return the parameters that differ from their defaults, and the main ones that do not."""
    head = [
        (word("columns", name, language), kind)
        for name, kind in (("parameter", ""), ("meaning", ""), ("value", "n"), ("default", "n"))
    ]
    changed = changed_parameters(plan.scenario, language)
    every = parameter_rows(plan.scenario, language)
    main = every[every["parameter"].isin(_MAIN_PARAMETERS) & ~every["parameter"].isin(changed["parameter"])]
    first = (
        table(head, map(_parameter_row, changed.to_dict("records")))
        if len(changed)
        else paragraph(say("nothing_changed", language))
    )
    return (
        heading("assumptions_title", language)
        + paragraph(say("changed_intro", language))
        + first
        + paragraph(say("main_intro", language))
        + table(head[:-1], (_parameter_row(row)[:-1] for row in main.to_dict("records")))
    )


def _parameter_row(row: dict[Any, Any]) -> list[Any]:
    return [
        Markup("<code>{}</code>").format(row["parameter"]),
        row["meaning"],
        text(row["value"]),
        text("" if row["default"] is None else row["default"]),
    ]


def sources_section(plan: Plan, language: Language) -> Markup:
    """Return the files with their checksums, the years of the data, and people in against people out."""
    layers = plan.layers
    earlier = layers.population_earlier
    vintage = say("vintage", language, year=layers.population.year, plan_year=plan.scenario.demand.plan_year)
    if earlier is not None:
        vintage += say("vintage_earlier", language, year=earlier.year)
    head = [(say("source_file", language), ""), (say("source_hash", language), "")]
    files = [
        [text(path), Markup("<code>{}…</code>").format(digest[:_HASH_LETTERS])]
        for path, digest in sorted(layers.files.items())
    ]
    return (
        heading("sources_title", language)
        + paragraph(vintage)
        + table(head, files)
        + paragraph(say("conservation_intro", language))
        + _conservation_table(plan, language)
    )


def _conservation_table(plan: Plan, language: Language) -> Markup:
    head = [
        (word("columns", name, language), kind)
        for name, kind in (("layer", ""), ("count_in", "n"), ("count_out", "n"))
    ]
    rows = [
        [
            word("values", f"layer.{layer}", language),
            number(sums["in"], 1),
            number(sums["out"], 1),
            f"{sums['relative_difference']:.1e}" if sums["relative_difference"] else "0",
        ]
        for layer, sums in conservation(plan.conservation).items()
    ]
    return table([*head, (say("relative_difference", language), "n")], rows)
