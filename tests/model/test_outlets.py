import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from siteplanner import tables
from siteplanner.model.outlets import list_outlets, rival_prior, take_yardstick
from siteplanner.scenario import MarketSettings

SETTINGS = MarketSettings()


def branches_of(rows):
    names = ["branch_id", "format", "counters", "smart_devices", "atms", "hours_per_week", "rating"]
    frame = pd.DataFrame(rows, columns=names).set_index("branch_id")
    return frame.assign(lon=112.5, lat=37.8, county_id="a", prefecture="p", township_id="", tier="U")


def rivals_of(*classes, tier="U"):
    ids = pd.Index([f"R{i}" for i in range(len(classes))], name="competitor_id")
    frame = pd.DataFrame({"class": list(classes)}, index=ids, dtype="str")
    return frame.assign(lon=112.5, lat=37.8, county_id="a", prefecture="p", township_id="", tier=tier)


TWO = branches_of([("B2", "light", 2, 4, 0, 40.0, "B"), ("B1", "core", 6, 4, 5, 48.0, "A")])


def test_attractiveness_by_hand():
    outlets = list_outlets(TWO, rivals_of("big", "postal"), SETTINGS)
    # B1: (6 + 2 + 1)^0.5 x 48/40 x 1.10 = 3.96; B2: (2 + 2)^0.5 = 2; a big bank is as good as their mean.
    raw = np.array([3.96, 2.0, 2.98, 2.98 * 0.9])
    assert list(outlets.index) == ["B1", "B2", "R0", "R1"]
    assert outlets["own"].tolist() == [True, True, False, False]
    np.testing.assert_allclose(outlets["attractiveness"], raw / raw.mean(), rtol=1e-12)
    # Counter-hours: (6 + 2) x 48 = 384 and (2 + 2) x 40 = 160; rivals at the mean, 272, times their class.
    np.testing.assert_allclose(outlets["counter_hours"], [384.0, 160.0, 272.0, 272.0 * 0.9], rtol=1e-12)
    tables.check(outlets, tables.OUTLETS)


def test_the_yardstick_keeps_the_scale_when_branches_change():
    rivals = rivals_of("big")
    yardstick = take_yardstick(TWO, rivals, SETTINGS)
    before = list_outlets(TWO, rivals, SETTINGS)
    pd.testing.assert_frame_equal(before, list_outlets(TWO, rivals, SETTINGS, yardstick=yardstick))
    after = list_outlets(TWO.assign(counters=[8, 6]), rivals, SETTINGS, yardstick=yardstick)
    kept = ["B1", "R0"]
    np.testing.assert_allclose(after["attractiveness"][kept], before["attractiveness"][kept], rtol=1e-12)
    assert after["attractiveness"]["B2"] > before["attractiveness"]["B2"]


def test_rural_credit_is_strong_in_townships_only():
    classes = ("big", "postal", "joint", "city", "rural")
    np.testing.assert_allclose(rival_prior(rivals_of(*classes), SETTINGS), [1.0, 0.9, 0.8, 0.8, 0.8])
    township = rival_prior(rivals_of(*classes, tier="T"), SETTINGS)
    np.testing.assert_allclose(township, [1.0, 0.9, 0.8, 0.8, 1.2])


def test_without_rivals_the_mean_own_branch_is_the_unit():
    outlets = list_outlets(TWO, rivals_of(), SETTINGS)
    np.testing.assert_allclose(outlets["attractiveness"].mean(), 1.0, rtol=1e-12)
    assert outlets["own"].all()


@given(st.permutations(range(6)))
def test_order_of_rows_does_not_matter(order):
    rows = [(f"B{i}", "standard", 3 + i, i, 1, 40.0 + i % 2, "ABCD"[i % 4]) for i in range(6)]
    branches, rivals = branches_of(rows), rivals_of(*["big", "rural", "city"] * 2)
    expected = list_outlets(branches, rivals, SETTINGS)
    shuffled = list_outlets(branches.iloc[order], rivals.iloc[order], SETTINGS)
    pd.testing.assert_frame_equal(shuffled, expected, check_exact=True)
