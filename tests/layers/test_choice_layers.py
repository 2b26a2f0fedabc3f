"""Evidence of choices: what is read, what is refused, line by line."""

import pytest

from siteplanner.layers.reading import check_files

C = "outlet_id,lon,lat,customers\n"
S = "outlet_id,lon,lat,share\n"


def write(world, **files):
    for name, text in files.items():
        world.write(f"{name}.csv", text)
    world.scenario(**{name: world.table(f"{name}.csv") for name in files})


def faults(world, **files):
    write(world, **files)
    return [str(fault) for fault in check_files(world.folder / "scenario.toml")]


def test_customers_and_shares_are_read_and_sorted(world):
    layers = world.read(
        customers=_file(world, "customers", C + "B2,112.3,37.1,4\nB1,112.1,37.1,\nB1,112.1,37.1,3\n"),
        shares=_file(world, "shares", S + "B2,112.1,37.1,0\nB1,112.1,37.1,0.7\n"),
    )
    assert layers.customers["outlet_id"].tolist() == ["B1", "B1", "B2"]
    assert layers.customers["customers"].tolist() == [1.0, 3.0, 4.0]
    assert layers.shares["share"].tolist() == [0.7, 0.0]


def _file(world, name, text):
    world.write(f"{name}.csv", text)
    return world.table(f"{name}.csv")


def test_nothing_given_nothing_read(world):
    layers = world.read()
    assert layers.customers is None
    assert layers.shares is None


def test_faults_of_customers_name_line_and_column(world):
    text = C + "B1,112.1,37.1,-3\nB9,112.1,37.1,2\nB1,,37.1,2\nB1,112.1,37.1,few\n"
    assert set(faults(world, customers=text)) == {
        'customers.csv line 2, column customers: found "-3", expected a number >= 0',
        'customers.csv line 5, column customers: found "few", expected a number >= 0',
        "customers.csv line 4, column lon: found nothing, expected a number from -180 to 180",
        (
            'customers.csv line 3, column outlet_id: found "B9", expected a'
            " branch_id of the branches layer or a"
            " competitor_id of the competitors layer"
        ),
    }


def test_customers_beyond_the_region_are_left_out_and_counted(world):
    rows = "B1,112.1,37.1,5\nB1,112.1,37.12,5\nB2,118.0,37.1,9\n"
    layers = world.read(customers=_file(world, "customers", C + rows))
    assert layers.customers["customers"].sum() == 10.0
    assert ("outside_region", "customers", "1") in layers.notes


def test_a_list_that_lies_elsewhere_is_refused(world):
    told = faults(world, customers=C + "B1,118.0,37.1,5\nB2,118.1,37.1,5\nB2,112.1,37.1,9\n")
    assert told == [
        (
            "customers.csv, column lon, lat: found 2 of 3 points outside every county, expected points in the"
            " counties (112.000, 37.000 to 112.400, 37.200)"
        )
    ]


def test_surveys_that_do_not_add_up(world):
    rows = "B1,112.1,37.1,0.7\nB2,112.1,37.1,0.5\nB1,112.3,37.1,0.2\nB1,112.3,37.1,0.2\nB1,118.0,37.1,0.2\n"
    assert faults(world, shares=S + rows) == [
        (
            "shares.csv line 2, column share: found shares of this place that add"
            " up to 1.2, expected 1 or less"
            " in all"
        ),
        (
            'shares.csv line 5, column outlet_id: found "B1" again at this place,'
            " expected one share of an outlet"
            " at a place"
        ),
        (
            "shares.csv line 6, column lon, lat: found 118.000000, 37.100000 (WGS 84), which is outside every"
            " county, expected a point in a county"
        ),
    ]


@pytest.mark.parametrize(("rung", "layer"), [("origins", "customers"), ("shares", "shares")])
def test_a_rung_without_its_layer_is_refused(world, rung, layer):
    world.scenario()
    told = check_files(world.folder / "scenario.toml", [f"market.calibration={rung}"])
    assert [str(fault) for fault in told] == [
        (
            f'scenario key market.calibration: found "{rung}" without'
            f" inputs.{layer}, expected inputs.{layer}, or"
            " another calibration"
        )
    ]


def test_rivals_with_ids_of_their_own_may_be_named(world):
    world.write("rivals.csv", "competitor_id,lon,lat\nICBC-7,112.11,37.1\nABC-1,112.3,37.11\n")
    text = C + "ICBC-7,112.1,37.1,5\nB1,112.1,37.1,9\n"
    layers = world.read(competitors=world.table("rivals.csv"), customers=_file(world, "customers", text))
    assert layers.competitors.index.tolist() == ["ABC-1", "ICBC-7"]
    assert len(layers.customers) == 2


def test_ids_of_rivals_in_part_or_of_branches_are_refused(world):
    world.write("rivals.csv", "competitor_id,lon,lat\nB1,112.11,37.1\n,112.3,37.11\n")
    world.scenario(competitors=world.table("rivals.csv"))
    told = set(map(str, check_files(world.folder / "scenario.toml")))
    assert told == {
        'rivals.csv, column competitor_id: found "B1", expected an id that no branch bears',
        (
            "rivals.csv line 3, column competitor_id: found nothing, expected an"
            " id in every row, or no column"
            " competitor_id"
        ),
    }
