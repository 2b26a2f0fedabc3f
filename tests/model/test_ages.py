import numpy as np
import pandas as pd
import pytest

from siteplanner.errors import InputError
from siteplanner.model.ages import age_shares, check_controls, control_residents, split_by_age
from siteplanner.scenario import DemandSettings

SETTINGS = DemandSettings()
USUAL = np.array([0.211, 0.227, 0.375, 0.187])


def parts_of(**columns):
    frame = pd.DataFrame({"cell_id": [1, 2, 3], "county_id": ["a", "a", "b"], **columns})
    return frame.assign(**{name: 0.0 for name in ("residents_earlier", "aged_60") if name not in frame})


def counties_of(**columns):
    return pd.DataFrame(columns, index=pd.Index(["a", "b"], name="county_id"))


def test_the_census_of_a_county_is_met_and_shares_stay():
    parts = parts_of(residents=[10.0, 30.0, 5.0], residents_earlier=[5.0, 30.0, 5.0], aged_60=[1.0, 6.0, 1.0])
    scaled = control_residents(parts, counties_of(residents=[80.0, np.nan]))
    assert scaled["residents"].tolist() == [20.0, 60.0, 5.0]
    assert scaled["residents_earlier"].tolist() == [10.0, 60.0, 5.0]
    assert scaled["aged_60"].tolist() == [2.0, 12.0, 1.0]
    assert parts["residents"].tolist() == [10.0, 30.0, 5.0]


def test_a_census_without_anybody_in_the_raster_is_a_fault_with_its_county():
    with pytest.raises(InputError) as caught:
        control_residents(parts_of(residents=[1.0, 1.0, 0.0]), counties_of(residents=[2.0, 7_000.0]))
    assert "county_id b, column residents: found 7,000 residents" in str(caught.value)


def test_deposits_of_nobody_are_a_fault():
    check_controls(counties_of(deposits_wan=[5.0, 0.0]), np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="county_id b, column deposits_wan: found 6 where"):
        check_controls(counties_of(deposits_wan=[5.0, 6.0]), np.array([1.0, 0.0]))


def test_shares_come_from_the_county_then_the_raster_then_the_scenario():
    parts = parts_of(residents=[100.0, 100.0, 50.0], aged_60=[30.0, 10.0, 0.0])
    shares = age_shares(counties_of(share_18_34=[np.nan, 0.4]), parts, SETTINGS)
    # County a: a fifth is 60+ by the raster; the other four fifths as the scenario's other ages.
    np.testing.assert_allclose(shares[0], [*(USUAL[:3] / USUAL[:3].sum() * 0.8), 0.2], rtol=1e-12)
    # County b tells 18-34 alone, its raster has nobody of 60+.
    rest = USUAL[[0, 2, 3]] / USUAL[[0, 2, 3]].sum() * 0.6
    np.testing.assert_allclose(shares[1], [rest[0], 0.4, rest[1], rest[2]], rtol=1e-12)


def test_all_shares_told_leave_the_rest_to_those_under_18():
    counties = counties_of(share_18_34=[0.3, 0.5], share_35_59=[0.3, 0.3], share_60=[0.2, 0.2])
    shares = age_shares(counties, parts_of(residents=[1.0, 1.0, 1.0]), SETTINGS)
    np.testing.assert_allclose(shares, [[0.2, 0.3, 0.3, 0.2], [0.0, 0.5, 0.3, 0.2]], atol=1e-12)


def test_cells_without_an_age_raster_are_as_their_county():
    parts = parts_of(residents=[10.0, 30.0, 0.0])
    ages = split_by_age(parts, counties_of(name=["a", "b"]), np.array([USUAL, USUAL]))
    np.testing.assert_allclose(ages, np.outer([10.0, 30.0, 0.0], USUAL), rtol=1e-9)


def test_cells_and_the_countys_ages_are_both_met():
    rng = np.random.default_rng(4)
    people = rng.uniform(0.0, 3_000.0, 3)
    parts = parts_of(residents=people, aged_60=people * [0.6, 0.0, 0.3])
    counties = counties_of(share_60=[0.1, 0.4])
    shares = age_shares(counties, parts, SETTINGS)
    ages = split_by_age(parts, counties, shares)
    assert (ages >= 0.0).all()
    np.testing.assert_allclose(ages.sum(axis=1), people, rtol=1e-9)
    np.testing.assert_allclose(ages[:2].sum(axis=0), shares[0] * people[:2].sum(), rtol=1e-9)
    np.testing.assert_allclose(ages[2], shares[1] * people[2], rtol=1e-9)
    # The cell where the raster shows the old keeps more of them.
    assert ages[0, 3] / people[0] > 5.0 * ages[1, 3] / people[1]
