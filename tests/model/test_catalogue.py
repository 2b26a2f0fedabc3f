import numpy as np
import pandas as pd
import pytest

from siteplanner.errors import InputError
from siteplanner.layers.catalogue_file import load_catalogue
from siteplanner.model.catalogue import NUMBERS, equip, running_cost
from siteplanner.tables import FORMATS, SETTLEMENTS


def test_every_number_of_the_catalogue_has_a_source():
    catalogue = load_catalogue()
    assert list(catalogue.formats.index) == list(FORMATS)
    assert set(catalogue.rent) == set(SETTLEMENTS)
    sources = catalogue.formats[[f"source_{name}" for name in NUMBERS]].to_numpy().ravel()
    assert all(text.startswith("D§") or text == "no source" for text in sources)


def test_costs_of_the_domain_notes():
    formats = load_catalogue().formats
    assert formats.loc["standard", ["opex_wan", "capex_wan"]].tolist() == [420.0, 450.0]
    assert formats.loc["light", ["opex_wan", "capex_wan"]].tolist() == [220.0, 180.0]
    assert formats.loc["self_service", ["opex_wan", "capex_wan"]].tolist() == [45.0, 60.0]


def test_running_cost_replaces_the_rent():
    sites = pd.DataFrame(
        {
            "settlement": ["urban", "rural", "urban", "urban"],
            "rent": [np.nan, np.nan, 190.0, 190.0],
            "area_m2": [np.nan, np.nan, np.nan, 60.0],
        }
    )
    found = running_cost(load_catalogue(), pd.Series(["light"] * 4), sites)
    # 120 m2, 12 months, 10,000 CNY: 70 CNY/m2/month less is 10.08, 100 more is 14.4. Half the area at 190
    # instead of 120 m2 at 90: 190 x 60 - 90 x 120 = 600 CNY a month more, 0.72 a year.
    assert found.tolist() == pytest.approx([220.0, 209.92, 234.4, 220.72])


def test_what_a_branch_does_not_tell_comes_from_its_format():
    branches = pd.DataFrame(
        {"format": ["light", "core"], "counters": [np.nan, 3.0], "opex_wan": [99.0, np.nan]}
    )
    full = equip(branches, load_catalogue())
    assert full["counters"].tolist() == [2, 3]
    assert full["opex_wan"].tolist() == [99.0, 800.0]
    assert full["staff"].tolist() == [5, 20]
    assert "capex_wan" not in full


def test_all_faults_of_a_catalogue_are_told(tmp_path):
    path = tmp_path / "formats.toml"
    lines = [
        "[core]",
        "full_service = true",
        "manual_cash = 1",
        'counters = { value = -1, source = "x" }',
        "[flagship]",
        "[rent]",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_catalogue(path)
    places = {(fault.place, fault.column) for fault in caught.value.faults}
    assert {("[core]", "manual_cash"), ("[core]", "counters"), ("[light]", ""), ("[rent]", "urban")} <= places
    assert ("[flagship]", "") in places


def test_a_file_that_is_no_toml_is_one_fault(tmp_path):
    path = tmp_path / "formats.toml"
    path.write_text("not = = toml", encoding="utf-8")
    with pytest.raises(InputError):
        load_catalogue(path)
