"""The memo's account of the market model: what it was fitted to, and how far it is to be trusted."""

import math

import pandas as pd
from markupsafe import Markup

from siteplanner.outputs.figures import year_bars
from siteplanner.outputs.html import paragraph, say, table, text
from siteplanner.outputs.notes import calibration_note, note_text
from siteplanner.outputs.wording import number, percent, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

# Clusters of errors are told from this p-value down: the usual one in twenty.
_CLUSTERED = 0.05
_RUNGS_OF_PEOPLE = ("origins", "shares")


def calibration_section(plan: Plan, language: Language) -> Markup:
    """Return what the market was fitted to, the coefficients, the profile, and how well it fits."""
    fit = plan.calibration
    lead = [text(note_text(calibration_note(plan), language))]
    if fit.rung == "none":
        lead.append(say("calibration_no_evidence", language))
    if fit.alternatives:
        lead.append(say(f"calibration_{fit.alternatives}", language))
    return (
        Markup('<h3 id="calibration">{}</h3>').format(say("calibration_title", language))
        + paragraph(Markup(" ").join(lead))
        + _coefficients(plan, language)
        + _profile(plan, language)
        + paragraph(Markup(" ").join(_judgement(plan, language)))
        + paragraph(say("calibration_use", language), "small")
    )


def _coefficients(plan: Plan, language: Language) -> Markup:
    columns = (("coefficient", ""), ("estimate", "n"), ("low", "n"), ("high", "n"), ("prior", "n"))
    head = [(word("columns", name, language), kind) for name, kind in (*columns, ("status", ""))]
    rows = [
        [
            word("measures", str(key), language),
            *(number(row[name], 2) for name, _ in columns[1:]),
            word("values", f"status.{row['status']}", language),
        ]
        for key, row in plan.calibration.coefficients.iterrows()
    ]
    return table(head, rows)


def _profile(plan: Plan, language: Language) -> Markup:
    profile = plan.calibration.profile
    if profile.empty:
        return Markup("")
    deviance = profile.set_index(profile["decay_factor"].map(lambda value: f"×{value:.2f}"))["deviance"]  # noqa: RUF001
    words = str(say("calibration_profile", language))
    picture = year_bars(deviance, [number(value, 1) for value in deviance], words)
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(picture, words)


def _judgement(plan: Plan, language: Language) -> list[Markup]:
    """Say how well the model fits, and what the evidence leaves open."""
    fit, told = plan.calibration, plan.calibration.goodness["value"]
    said = []
    if fit.rung == "origins" and told["evidence_unplaced"] + told["evidence_beyond"] > 0.0:
        unused = {key: number(told[f"evidence_{key}"]) for key in ("unplaced", "beyond")}
        said.append(say("calibration_unused", language, **unused))
    if "pseudo_r2" in told:
        said.append(say("calibration_pseudo_r2", language, value=number(told["pseudo_r2"], 2)))
    if fit.rung == "totals" and (fit.coefficients["status"] == "prior").any():
        said.append(say("calibration_kept", language, delta=number(told["delta_aic"], 1)))
    if math.isfinite(told.get("held_out", math.nan)):
        key = "calibration_held_out" if fit.rung in _RUNGS_OF_PEOPLE else "calibration_held_out_volumes"
        both = {"value": percent(told["held_out"]), "prior": percent(told["held_out_prior"])}
        said.append(say(key, language, **both))
    return [*said, *_volumes(told, language), *_clusters(told, language)]


def _volumes(told: "pd.Series[float]", language: Language) -> list[Markup]:
    return [
        say(
            "calibration_volumes",
            language,
            n=number(told[f"branches_{kind}"]),
            what=say(f"calibration_{kind}", language),
            mape=percent(told[f"mape_{kind}"]),
            spearman=number(told.get(f"spearman_{kind}", math.nan), 2),
        )
        for kind in ("visits", "deposits")
        if f"branches_{kind}" in told
    ]


def _clusters(told: "pd.Series[float]", language: Language) -> list[Markup]:
    if not math.isfinite(told.get("moran_i", math.nan)):
        return []
    clustered = told["moran_p"] <= _CLUSTERED and told["moran_i"] > 0.0
    key = "calibration_clusters" if clustered else "calibration_scattered"
    return [say(key, language, value=number(told["moran_i"], 2), p=number(told["moran_p"], 3))]
