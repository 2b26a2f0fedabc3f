"""One scenario from a base, a file and overrides; every fault with its file and key."""

import pytest

from siteplanner.errors import InputError
from siteplanner.layers.scenario_file import load_scenario

MINIMAL = """
name = "small"
[inputs]
branches = { path = "b.csv", datum = "gcj02" }
counties = { path = "c.gpkg", datum = "wgs84" }
population = { path = "p.tif", year = 2020, earlier = "q.tif", earlier_year = 2010 }
"""


def faults_of(path, overrides=()):
    with pytest.raises(InputError) as caught:
        load_scenario(path, overrides)
    return [str(fault) for fault in caught.value.faults]


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.toml").write_text(MINIMAL)
    return tmp_path / "small.toml"


def test_defaults_stand_where_the_file_is_silent(small):
    scenario = load_scenario(small)
    assert scenario.grid.cell_m == 500.0
    assert scenario.inputs.branches.datum == "gcj02"


def test_file_wins_over_base_and_override_over_both(small):
    top = small.with_name("top.toml")
    top.write_text('base = "small.toml"\nname = "top"\n[grid]\ncell_m = 1000\n[zones]\nfdr_q = 0.1\n')
    scenario = load_scenario(top, ["grid.cell_m=250", "title_en=Two words", 'rules.protected=["B1", "B2"]'])
    assert (scenario.name, scenario.grid.cell_m, scenario.zones.fdr_q) == ("top", 250.0, 0.1)
    assert scenario.title_en == "Two words"
    assert scenario.rules.protected == ("B1", "B2")


def test_files_of_a_base_elsewhere_lie_beside_the_base(small):
    folder = small.parent / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / "top.toml").write_text(
        'base = "../../small.toml"\nname = "top"\n[inputs]\nsites = { path = "s.csv", datum = "bd09" }'
    )
    inputs = load_scenario(folder / "top.toml").inputs
    assert inputs.branches.path == "../../b.csv"
    assert inputs.population.earlier == "../../q.tif"
    assert inputs.sites.path == "s.csv"


def test_a_base_that_names_itself_is_refused(small):
    small.write_text('base = "small.toml"\n' + MINIMAL)
    assert "key base" in faults_of(small)[0]


GRID_KEYS = ("cell_m", "h3_resolution", "pixel_method")


def test_every_wrong_key_is_named_with_its_file(small):
    top = small.with_name("top.toml")
    top.write_text('base = "small.toml"\n[grid]\ncell_m = "big"\ncel = 2\n[inputs.tickets]\ncolumns = 3\n')
    faults = faults_of(top, ["market.decay_per_min=-1", "inputs.counties.datum=wgs-84"])
    assert faults == [
        """--set key inputs.counties.datum: found "wgs-84", expected 'wgs84', 'gcj02' or 'bd09'""",
        "top.toml key inputs.tickets.path: found nothing, expected a value; the key is required",
        "top.toml key inputs.tickets.columns: found 3, expected a section, [inputs.tickets.columns]",
        'top.toml key grid.cell_m: found "big", expected a valid number, unable to parse string as a number',
        f"top.toml key grid.cel: found a key that has no meaning, expected one of {', '.join(GRID_KEYS)}",
        "--set key market.decay_per_min: found -1, expected greater than 0",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = \n[inputs]\n", "small.toml line 1: found Invalid value, expected valid TOML"),
        (b'name = "\xd6\xd0"\n', "small.toml: found byte 0xD6 at position 8, expected TOML in UTF-8"),
    ],
)
def test_broken_toml_is_named(small, content, expected):
    small.write_bytes(content)
    assert faults_of(small) == [expected]


def test_a_byte_order_mark_is_no_fault(small):
    small.write_text("\ufeff" + MINIMAL, encoding="utf-8")
    assert load_scenario(small).name == "small"


def test_missing_scenario_is_named(tmp_path):
    assert faults_of(tmp_path / "none.toml")[0].endswith("found no such file, expected a scenario in TOML")


@pytest.mark.parametrize("override", ["grid.cell_m", "=5", "grid..cell_m=5"])
def test_overrides_need_a_key_and_a_value(small, override):
    assert f'found "{override}"' in faults_of(small, [override])[0]


def test_an_override_cannot_smuggle_in_a_second_key(small):
    scenario = load_scenario(small, ['title_en="a"\nname = "b"'])
    assert scenario.name == "small"
