"""What a run tells beside its figures."""

from dataclasses import replace

import numpy as np
import pytest

from siteplanner.outputs.notes import note_texts
from tests.outputs.fake_plan import fake_plan


def with_census(plan, factor):
    layer = plan.conservation[plan.conservation["layer"] == "residents"].set_index("county_id")["count_exact"]
    counties = plan.layers.counties.assign(residents=layer.reindex(plan.layers.counties.index) * factor)
    return replace(plan, layers=replace(plan.layers, counties=counties))


def census_notes(plan):
    return [text for note, text in note_texts(plan, "en") if note[0] == "census_differs"]


def test_a_raster_that_agrees_with_the_census_is_not_mentioned():
    assert census_notes(with_census(fake_plan(), 1.004)) == []


def test_a_raster_that_differs_is():
    plan = with_census(fake_plan(), 0.8)
    (text,) = census_notes(plan)
    # 1 / 0.8 - 1 is a quarter too many.
    assert "25.0%" in text
    assert f"In {len(plan.layers.counties)} counties" in text


@pytest.mark.parametrize("near", ["count_in", "count_exact"])
def test_pixels_on_the_border_do_not_make_a_difference_of_their_own(near):
    plan = with_census(fake_plan(), 1.0)
    other = "count_exact" if near == "count_in" else "count_in"
    moved = plan.conservation.assign(**{other: plan.conservation[other] * 1.06})
    assert census_notes(replace(plan, conservation=moved)) == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_without_a_census_nothing_is_compared(language):
    plan = fake_plan()
    bare = replace(
        plan,
        layers=replace(plan.layers, counties=plan.layers.counties.drop(columns="residents", errors="ignore")),
    )
    assert all(note[0] != "census_differs" for note, _ in note_texts(bare, language))


def test_outlets_without_pull_and_branches_that_do_not_tell_it_are_named_and_counted():
    plan = fake_plan()
    outlets = plan.access.outlets.copy()
    outlets["attractiveness"] = outlets["attractiveness"].clip(lower=0.1)
    outlets.iloc[:12, outlets.columns.get_loc("attractiveness")] = 0.0
    branches = plan.layers.branches.assign(counters=3.0, smart_devices=2.0)
    branches.iloc[2, branches.columns.get_loc("counters")] = np.nan
    told = replace(
        plan,
        access=replace(plan.access, outlets=outlets),
        layers=replace(plan.layers, branches=branches),
    )
    notes = {note[0]: note[1:] for note, _ in note_texts(told, "en")}
    assert notes["no_pull"] == ("12", ", ".join(outlets.index[:10]) + " …")
    assert notes["assumed_pull"] == ("1", branches.index[2])
    whole = replace(told, access=replace(plan.access, outlets=outlets.assign(attractiveness=1.0)))
    assert "no_pull" not in {note[0] for note, _ in note_texts(whole, "en")}
