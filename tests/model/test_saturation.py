import numpy as np
import pytest

from siteplanner.model.market import share_pairs
from siteplanner.model.saturation import capture, fair_share, retail_saturation, shrunk_lq


def test_the_quotient_of_a_whole_city_is_one_and_little_potential_makes_no_density():
    own, potential = np.array([20.0, 0.0, 3.0, 1.0]), np.array([500.0, 0.0, 25.0, 0.0])
    city = shrunk_lq(own, potential, np.full(4, 20.0), np.full(4, 500.0))
    # 21 against 21, 1 against 1, 4 against 2, 2 against 1.
    np.testing.assert_allclose(city, [1.0, 1.0, 2.0, 2.0])


def test_retail_saturation_is_potential_per_hour_against_the_city_s():
    # The city: 600 over 60 hours, 10 an hour. Zones: 300/20 = 15, 100/40 = 2.5, 200 without any hour.
    found = retail_saturation([300.0, 100.0, 200.0], [20.0, 40.0, 0.0], 600.0, 60.0)
    np.testing.assert_allclose(found, [1.5, 0.25, np.inf])
    # A city without hours, or without potential, compares nothing.
    assert np.isinf(retail_saturation([1.0, 0.0], [0.0, 5.0], [5.0, 0.0], [0.0, 5.0])).all()


def test_fair_share_is_volume_share_over_branch_share():
    # 30 of 120 in deposits with 1 of 3 outlets: 0.25 / 0.3333; all of both; none.
    found = fair_share([30.0, 50.0, 0.0], [120.0, 50.0, 70.0], [1, 2, 0], [3, 2, 4])
    np.testing.assert_allclose(found, [0.75, 1.0, 0.0])


def test_capture_is_what_is_won_of_what_there_is():
    np.testing.assert_allclose(capture([12.0, 0.0], [48.0, 0.0]), [0.25, 0.0])


def test_overlap_is_what_siblings_would_serve():
    # One row of 100 visits, own utilities 3 and 1, a rival of 4: shares 3/8 and 1/8. Of the first's 37.5
    # visits its sibling holds 1/4 of the own utility, of the second's 12.5 the first holds 3/4 (D§6.2).
    pairs = (np.array([0, 3]), np.array([0, 1, 2]), np.array([3.0, 1.0, 4.0]))
    own = np.array([True, True, False])
    _, volumes = share_pairs(pairs, np.zeros(1), np.array([[100.0, 1.0]]), own)
    assert volumes[:2, 0] == pytest.approx([37.5, 12.5])
    assert volumes[:2, -1] == pytest.approx([0.25, 0.75])
