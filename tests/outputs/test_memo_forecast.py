"""The outlook of the memo says the sums of the forecast."""

from dataclasses import replace

import pytest
from fake_plan import fake_plan

from siteplanner.outputs.memo_forecast import forecast_section
from siteplanner.outputs.notes import note_texts


@pytest.fixture(scope="module")
def plan():
    made = fake_plan()
    rows = made.forecast.counties
    steps = (rows["year"] - 2026).to_numpy()
    first = rows["county_id"] == rows["county_id"].iloc[0]
    visits = 1_000.0 + first * steps * 100.0 - ~first * steps * 10.0
    rows = rows.assign(visits_per_day=visits, visits_60=visits / 4.0, potential_wan=2e6 + steps * 1e5)
    return replace(made, forecast=replace(made.forecast, counties=rows))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_outlook_tells_years_and_counties(plan, language):
    said = str(forecast_section(plan, language))
    counties = plan.forecast.counties["county_id"].nunique()
    assert f"<b>{counties * 1_000:,}</b>" in said
    last = counties * 1_000 + 500 - 50 * (counties - 1)
    assert f"<b>{last:,}</b>" in said
    assert "25.0%" in said
    assert "1,000 → 1,500" in said
    assert "+50.0%" in said
    assert "1,000 → 950" in said
    assert said.count("<svg") == 2
    assert "2031" in said


def test_one_raster_is_said(plan):
    alone = replace(plan, layers=replace(plan.layers, population_earlier=None))
    assert "with one population raster residents stay as they are" in str(forecast_section(alone, "en"))
    assert "as between the two rasters" in str(forecast_section(plan, "en"))


def test_no_visits_at_all_break_nothing(plan):
    rows = plan.forecast.counties
    empty = rows.assign(**dict.fromkeys(rows.select_dtypes("float"), 0.0))
    said = str(forecast_section(replace(plan, forecast=replace(plan.forecast, counties=empty)), "zh"))
    assert "nan" not in said


def test_a_county_alone_has_no_rising_and_falling(plan):
    rows = plan.forecast.counties
    alone = rows[rows["county_id"] == rows["county_id"].iloc[0]]
    said = str(forecast_section(replace(plan, forecast=replace(plan.forecast, counties=alone)), "en"))
    assert "<table" not in said


def test_empty_footfall_is_told(plan):
    inputs = plan.scenario.inputs.model_dump() | {
        "footfall": {"path": "footfall.csv", "kind": "points", "datum": "wgs84"}
    }
    scenario = plan.scenario.model_validate(plan.scenario.model_dump() | {"inputs": inputs})
    notes = [note for note, _ in note_texts(replace(plan, scenario=scenario), "en")]
    assert ("layer_empty", "footfall_weekday_day") in notes
    assert ("layer_empty", "footfall_weekend_day") in notes
    texts = [
        text for note, text in note_texts(replace(plan, scenario=scenario), "en") if note[0] == "layer_empty"
    ]
    assert "Footfall, weekday day" in texts[0]
