"""What the run did without, in words."""

from siteplanner import tables
from siteplanner.model.viability import break_even_wan
from siteplanner.outputs.wording import column_word, known, money
from siteplanner.plan import Plan
from siteplanner.scenario import Language

CENSUS_TOLERANCE = 0.005
"""A raster may differ from the census of a county by this share before it is told (D§12.1)."""


UNSTABLE = 0.5
"""A zone of which shifted lattices find less than this share again is told; no source."""

NAMED = 10
"""So many outlets are named one by one; all are counted."""


def note_texts(plan: Plan, language: Language) -> list[tuple[tuple[str, ...], str]]:
    """Return every note of the run beside its sentence, in the order of the notes."""
    notes = (
        calibration_note(plan),
        *plan.layers.notes,
        *_suppression_notes(plan),
        *_layer_notes(plan),
        *_census_notes(plan),
        *_pull_notes(plan),
        *_zone_notes(plan, language),
    )
    return [(note, note_text(note, language)) for note in notes]


def calibration_note(plan: Plan) -> tuple[str, ...]:
    """Tell what the market model was fitted to, if to anything, and what came out."""
    fit = plan.calibration
    if fit.rung == "none":
        return ("calibration", "none")
    told = fit.coefficients
    factors = told.loc[[f"decay_{name}" for name in tables.SETTLEMENTS]]
    ratio = [f"{value:.2f}" for value in factors["estimate"] / factors["prior"]]
    count = fit.goodness["value"]["evidence_places" if fit.rung == "shares" else "evidence"]
    said = ratio[0] if len(set(ratio)) == 1 else "–".join((min(ratio), max(ratio)))  # noqa: RUF001
    alpha = f"{told['estimate']['attractiveness']:.2f}"
    return ("calibration", fit.rung, f"{count:,.0f}", alpha, said)


def _suppression_notes(plan: Plan) -> list[tuple[str, ...]]:
    """Tell how many figures of footfall are missing to protect people, and how many were counted there."""
    hidden = int(plan.footfall.isna().to_numpy().sum())
    if not hidden or plan.scenario.inputs.footfall is None:
        return []
    rows = plan.conservation
    people = rows[(rows["layer"] == "footfall") & (rows["county_id"] == "suppressed")]["count_in"].sum()
    fewest = plan.scenario.inputs.footfall.suppress_below
    return [("footfall_suppressed", f"{hidden:,}", str(fewest), f"{people:,.0f}")]


def _layer_notes(plan: Plan) -> list[tuple[str, ...]]:
    """Tell which part of the footfall shows nobody, so that its weight went to the others."""
    if plan.scenario.inputs.footfall is None:
        return []
    settings, mix = plan.scenario.demand, plan.demand.mix
    used = (
        ("footfall_weekday_day", settings.weight_work, mix.work),
        ("footfall_weekend_day", settings.weight_visit, mix.leisure),
    )
    return [("layer_empty", name) for name, wanted, got in used if wanted > 0.0 and got <= 0.0]


def _census_notes(plan: Plan) -> list[tuple[str, ...]]:
    """Compare the raster's residents with the census of the counties, where it is given.

    A border cuts pixels, and a raster does not tell on which side of it their people live. A county differs
    where neither counts by the pixels' centres nor a split of them by area come near its census. Where people
    are scaled to the census, how far the raster was from it is told as well.
    """
    table = plan.conservation
    if "residents" not in plan.layers.counties or "count_exact" not in table:
        return []
    census = plan.layers.counties["residents"].astype(float)
    counted = table[table["layer"] == "residents"].set_index("county_id").reindex(census.index)
    off = counted[["count_in", "count_exact"]].sub(census, axis=0).abs().min(axis=1)
    off = (off / census.where(census > 0.0)).dropna()
    off = off[off > CENSUS_TOLERANCE]
    key = "census_differs" if plan.scenario.demand.county_control == "none" else "census_controls"
    return [(key, str(len(off)), f"{off.max():.1%}")] if len(off) else []


def _pull_notes(plan: Plan) -> list[tuple[str, ...]]:
    """Name outlets whose attractiveness is zero, and branches that do not tell what it rests on."""
    outlets, branches = plan.access.outlets, plan.layers.branches
    zero = outlets.index[outlets["attractiveness"] == 0.0]
    untold = branches.index[branches[["counters", "smart_devices"]].isna().any(axis=1)]
    return [
        (key, f"{len(ids):,}", ", ".join(map(str, ids[:NAMED])) + (" …" if len(ids) > NAMED else ""))
        for key, ids in (("no_pull", zero), ("assumed_pull", untold))
        if len(ids)
    ]


def _zone_notes(plan: Plan, language: Language) -> list[tuple[str, ...]]:
    """Tell how many areas were too small for a zone, and which zones hang on where the lattice begins."""
    notes: list[tuple[str, ...]] = []
    dropped, zones = plan.zones.dropped, plan.zones.zones
    if len(dropped):
        poor = int((dropped["reason"] == "not_viable").sum())
        needed = break_even_wan(
            plan.layers.catalogue, plan.scenario.zones.viable_years, plan.scenario.economics
        )
        notes.append(("zones_dropped", f"{len(dropped):,}", f"{poor:,}", money(needed, language)))
    acting = zones["zone_class"].isin((*tables.DENSE, *tables.DESTINATION))
    names = zones.loc[acting & (zones["stability"] < UNSTABLE), "name"] if "stability" in zones else ()
    if len(names):
        more = " …" if len(names) > NAMED else ""
        notes.append(("zones_unstable", f"{len(names):,}", ", ".join(map(str, names[:NAMED])) + more))
    return notes


def note_text(note: tuple[str, ...], language: Language) -> str:
    """Fill the sentence of a note with its arguments; without a sentence, the arguments as they are.

    Arguments that name a table or a column are put in words.
    """
    key, *arguments = note
    table = arguments[0] if arguments else ""
    said = [_argument_word(argument, table, language) for argument in arguments]
    sentence = known("notes", f"{key}.{table}", language) or known("notes", key, language)
    # Only the sentence is a pattern; the arguments, which may come from a file, are never read as one.
    return sentence.format(*said) if sentence else " ".join([key, *said])


def _argument_word(argument: str, table: str, language: Language) -> str:
    """Return the words for a table, a layer or a column; any other text as it is."""
    named = known("sheets", argument, language) or known("values", f"layer.{argument}", language)
    named = named or known("tiers", argument, language)
    return named or column_word(argument, table, language)
