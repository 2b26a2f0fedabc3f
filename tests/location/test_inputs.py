"""Input faults are named before anything is solved; infeasible problems name what clashes."""

import numpy as np
import pytest
import scipy.sparse as sp

from siteplanner.location import Infeasible, NoPlanInTime, max_capture, max_coverage, p_center, p_median

COVER = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]])
WEIGHT = np.array([3.0, 2.0, 1.0])
TODAY = np.array([True, True, False, False])

FAULTS = [
    ({"cover": np.ones(3)}, "cover"),
    ({"cover": COVER * 2}, "cover"),
    ({"cover": -COVER}, "cover"),
    ({"cover": np.where(COVER > 0, np.nan, 0)}, "cover"),
    ({"cover": COVER.astype(str)}, "cover"),
    ({"weight": WEIGHT[:2]}, "weight"),
    ({"weight": np.array([1, np.nan, 1])}, "weight"),
    ({"weight": np.array([1, -1, 1])}, "weight"),
    ({"weight": np.array(["a", "b", "c"])}, "weight"),
    ({"n_open": 5}, "n_open"),
    ({"n_open": -1}, "n_open"),
    ({"n_open": 1.5}, "n_open"),
    ({"n_open": True}, "n_open"),
    ({"existing": np.ones(3, dtype=bool)}, "existing"),
    ({"existing": np.ones(4)}, "existing"),
    ({"max_moves": 1}, "max_moves"),
    ({"existing": TODAY, "max_moves": -1}, "max_moves"),
    ({"locked_open": [0], "locked_closed": [0]}, "locked_open and locked_closed"),
    ({"locked_open": [7]}, "locked_open"),
    ({"locked_closed": [0.5]}, "locked_closed"),
    ({"site_group": [0, 0, 1, 1]}, "site_group"),
    ({"group_min": [1]}, "group_min"),
    ({"site_group": [0, 0, 1, 9], "group_min": [1, 1]}, "site_group"),
    ({"site_group": [0, 0, 1, 1], "group_min": [2, 0], "group_max": [1, 9]}, "group_min"),
    ({"site_group": [0, 0, 1, 1], "group_min": [2, 0], "group_max": [1]}, "group_max"),
    ({"site_group": sp.csr_array(np.full((1, 4), 2.0)), "group_max": [1]}, "site_group"),
    ({"conflicts": [[0, 1, 2]]}, "conflicts"),
    ({"conflicts": [[0, 4]]}, "conflicts"),
    ({"conflicts": [[1, 1]]}, "conflicts"),
    ({"spacing": 1.0}, "positions and spacing"),
    ({"positions": np.zeros((4, 2))}, "positions and spacing"),
    ({"positions": np.zeros((3, 2)), "spacing": 1.0}, "positions"),
    ({"positions": np.full((4, 2), np.nan), "spacing": 1.0}, "positions"),
    ({"positions": np.zeros((4, 2)), "spacing": -1.0}, "spacing"),
    ({"budget": 1.0}, "budget"),
    ({"open_cost": np.ones(4)}, "open_cost"),
    ({"open_cost": np.ones(3), "budget": 1.0}, "open_cost"),
    ({"open_cost": np.ones(4), "budget": float("nan")}, "budget"),
    ({"move_classes": ([0] * 4, [0] * 4)}, "move_classes"),
    ({"existing": TODAY, "move_classes": ([0] * 3, [0] * 4)}, "move_classes"),
    ({"existing": TODAY, "move_classes": ([0.5] * 4, [0] * 4)}, "move_classes"),
    ({"gap": -1.0}, "gap"),
    ({"gap": float("nan")}, "gap"),
    ({"time_limit": 0}, "time_limit"),
    ({"seed": -1}, "seed"),
]


@pytest.mark.parametrize(("changed", "named"), FAULTS, ids=lambda value: str(value)[:40])
def test_fault_is_named(changed, named):
    call = {"cover": COVER, "weight": WEIGHT, "n_open": 2} | changed
    with pytest.raises(ValueError, match=named) as caught:
        max_coverage(**call)
    assert not isinstance(caught.value, Infeasible)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"outside": np.zeros(3)}, "outside"),
        ({"outside": np.ones(2)}, "outside"),
        ({"bonus_cover": COVER}, "bonus_cover and bonus_weight"),
        ({"bonus_cover": COVER[:, :3], "bonus_weight": WEIGHT}, "bonus_cover"),
        ({"bonus_cover": COVER, "bonus_weight": WEIGHT[:1]}, "bonus_weight"),
        ({"utility": np.full((3, 4), np.inf)}, "utility"),
    ],
)
def test_capture_fault_is_named(changed, named):
    call = {"utility": COVER, "weight": WEIGHT, "outside": np.ones(3), "n_open": 2} | changed
    with pytest.raises(ValueError, match=named):
        max_capture(**call)


def test_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="max_move"):
        max_coverage(COVER, WEIGHT, 2, max_move=1)


def test_repeated_pair_is_refused():
    twice = sp.coo_array((np.ones(2), ([0, 0], [1, 1])), shape=(3, 4))
    doubled = sp.csr_array((np.full(2, 0.5), np.array([1, 1]), np.array([0, 2, 2, 2])), shape=(3, 4))
    assert twice.shape == doubled.shape
    with pytest.raises(ValueError, match="cover holds the same"):
        max_coverage(doubled, WEIGHT, 2)


def test_row_beyond_reach_is_reported():
    cost = np.array([[1.0, 2.0], [np.inf, np.inf]])
    median = p_median(cost, np.ones(2), 1)
    assert (median.objective, median.unreached.tolist()) == (1.0, [1])
    center = p_center(cost, 1)
    assert (center.objective, center.unreached.tolist()) == (1.0, [1])
    assert p_median(cost, np.array([1.0, 0.0]), 1).objective == 1.0


CLASHES = [
    ({"n_open": 1, "locked_open": [0, 1]}, {"n_open", "locked_open"}),
    ({"n_open": 3, "locked_closed": [0, 1]}, {"n_open", "locked_closed"}),
    ({"conflicts": [[0, 1]], "locked_open": [0, 1]}, {"conflicts", "locked_open"}),
    ({"existing": TODAY, "max_moves": 0, "locked_closed": [0]}, {"max_moves", "locked_closed"}),
    (
        {"site_group": [0, 0, 1, 1], "group_min": [0, 2], "locked_closed": [3]},
        {"group_min", "locked_closed"},
    ),
    (
        {"site_group": [0, 0, 1, 1], "group_min": [2, 0], "group_max": [2, 2], "n_open": 1},
        {"group_min", "n_open"},
    ),
    ({"existing": TODAY, "move_classes": ([0] * 4, [0] * 4), "n_open": 3}, {"n_open", "move_classes"}),
    (
        {"existing": TODAY, "move_classes": ([0] * 4, [0, 0, 1, 1]), "locked_closed": [0]},
        {"move_classes", "locked_closed"},
    ),
    (
        {"existing": TODAY, "close_cost": np.ones(4), "budget": 0.5, "locked_closed": [1]},
        {"budget", "locked_closed"},
    ),
]


@pytest.mark.parametrize(("options", "clash"), CLASHES, ids=lambda value: str(value)[:40])
def test_infeasible_names_the_clash(options, clash):
    call = {"n_open": 2, "seed": 1, "group_max": None} | options
    with pytest.raises(Infeasible) as caught:
        max_coverage(COVER, WEIGHT, **call)
    assert set(caught.value.constraints) == clash
    with pytest.raises(Infeasible) as caught:
        max_capture(COVER, WEIGHT, np.ones(3), **call)
    assert set(caught.value.constraints) == clash


DETAILS = [
    (
        {"site_group": [0, 0, 1, 1], "group_min": [0, 2], "locked_closed": [3]},
        ("group_min: at least 2 open in group 1", "locked_closed: site 3"),
    ),
    (
        {"n_open": 3, "locked_closed": [0, 1]},
        ("n_open: exactly 3 open", "locked_closed: sites 0, 1"),
    ),
    (
        {"conflicts": [[0, 1], [2, 3]], "locked_open": [0, 1]},
        ("conflicts: at most 1 of sites 0, 1", "locked_open: sites 0, 1"),
    ),
    (
        {"positions": [[0, 0], [0, 1], [9, 9], [0, 3]], "spacing": 2.0, "locked_open": [0, 1]},
        ("spacing: at most 1 of sites 0, 1", "locked_open: sites 0, 1"),
    ),
    (
        {"existing": TODAY, "max_moves": 0, "locked_closed": [0]},
        ("max_moves: at most 0 existing sites closed", "locked_closed: site 0"),
    ),
    (
        {"existing": TODAY, "move_classes": ([7] * 4, [0, 0, 1, 1]), "locked_closed": [0, 2]},
        (
            "move_classes: exactly 2 open in city 7",
            "move_classes: at most 0 open in city 7, level 1 and above",
            "locked_closed: site 0",
        ),
    ),
]


@pytest.mark.parametrize(("options", "details"), DETAILS, ids=lambda value: str(value)[:40])
def test_infeasible_says_which_constraints(options, details):
    with pytest.raises(Infeasible) as caught:
        max_coverage(COVER, WEIGHT, **({"n_open": 2} | options))
    assert caught.value.details == details
    assert all(detail in str(caught.value) for detail in details)


def test_clash_is_small_among_many_constraints():
    """Two of two hundred constraints clash; the other 198 are not named, and neither can be spared."""
    n = 200
    cover = np.eye(n)
    options = {"site_group": np.arange(n), "group_max": np.ones(n), "group_min": np.zeros(n)}
    options["group_min"][17] = 1
    with pytest.raises(Infeasible) as caught:
        max_coverage(cover, np.ones(n), 50, locked_closed=[17, 40, 41], **options)
    assert caught.value.details == ("group_min: at least 1 open in group 17", "locked_closed: site 17")


def test_sites_exactly_the_spacing_apart_may_both_open():
    line = [[0.0, 0], [1, 0], [2, 0], [3, 0]]
    together = max_coverage(np.eye(4), np.ones(4), 4, positions=line, spacing=1.0)
    assert together.open.all()
    with pytest.raises(Infeasible):
        max_coverage(np.eye(4), np.ones(4), 3, positions=line, spacing=1.5)
    crowded = max_coverage(
        np.eye(4), [1, 1, 1, 9], 3, existing=[True, True, True, False], positions=line, spacing=1.5
    )
    assert crowded.open.tolist() == [True, True, False, True]


def test_unreachable_service_is_named():
    cost = np.array([[1.0, np.inf], [np.inf, 1.0]])
    with pytest.raises(Infeasible) as caught:
        p_median(cost, np.ones(2), 1)
    assert set(caught.value.constraints) == {"n_open", "cost"}
    with pytest.raises(Infeasible) as caught:
        p_center(cost, 1)
    assert set(caught.value.constraints) == {"n_open", "cost"}


def test_no_plan_in_time_is_an_error():
    rng = np.random.default_rng(0)
    size = 600
    pairs = np.argwhere(np.triu(rng.random((size, size)) < 0.1, 1))
    with pytest.raises(NoPlanInTime, match="time_limit"):
        max_coverage(np.eye(size), np.ones(size), 42, conflicts=pairs, time_limit=1e-6)
