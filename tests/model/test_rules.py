import numpy as np
import pandas as pd
import pytest

from siteplanner.model.rules import (
    RULES,
    branch_vetoes,
    breaks,
    is_legal,
    lay_ground,
    trace_rules,
)
from siteplanner.model.sphere import distances_km, unit_vectors
from siteplanner.scenario import RelocationSettings, RuleSettings

COLUMNS = ["lon", "lat", "county_id", "prefecture", "township_id", "tier", "settlement"]
BRANCHES = pd.DataFrame(
    [
        (112.00, 37.0, "A", "P", "a1", "U", "core", "core", False),
        (112.01, 37.0, "A", "P", "a1", "U", "core", "standard", False),
        (112.02, 37.0, "A", "P", "a1", "U", "core", "community", False),
        (112.50, 37.0, "B", "P", "b1", "C", "town", "standard", False),
        (112.60, 37.0, "B", "P", "b2", "T", "rural", "light", False),
        (113.00, 37.0, "C", "Q", "c1", "C", "town", "standard", False),
    ],
    columns=[*COLUMNS, "format", "locked"],
    index=pd.Index([f"B{number}" for number in range(6)], name="branch_id"),
)
SITES = pd.DataFrame(
    [
        (112.10, 37.0, "A", "P", "a2", "U", "urban"),
        (112.52, 37.1, "B", "P", "b1", "C", "town"),
        (112.70, 37.2, "B", "P", "b3", "T", "rural"),
        (112.021, 37.0, "A", "P", "a1", "U", "core"),
        (113.30, 37.0, "C", "Q", "c2", "T", "rural"),
    ],
    columns=COLUMNS,
    index=pd.Index([f"S{number}" for number in range(5)], name="site_id"),
)
LIMITS = pd.DataFrame(
    {"floor": [2, 1, 1], "cap": [4, 3, 1]}, index=pd.Index(["A", "B", "C"], name="county_id")
)
RIVALS = pd.Series(["a1", "b1", ""])


def ground(*, branches=BRANCHES, rules=None, moves=None):
    settings = (RuleSettings(**(rules or {})), RelocationSettings(**(moves or {})))
    return lay_ground(branches, SITES, RIVALS, LIMITS, settings)


def network(**moves):
    """Return today's network with some branches at sites, e.g. B0=2."""
    places = np.arange(6)
    for branch, site in moves.items():
        places[int(branch[1:])] = 6 + site
    return places


def test_todays_network_breaks_nothing():
    assert breaks(ground(), network()) == []


def test_great_circle_distance_of_one_degree_of_the_equator():
    # 2 pi 6371.0088 / 360
    found = distances_km(unit_vectors([0.0], [0.0]), unit_vectors([1.0], [0.0]))
    assert found[0, 0] == pytest.approx(111.19508, abs=1e-5)


@pytest.mark.parametrize(
    ("moves", "broken"),
    [
        ({"B0": 0}, []),
        ({"B0": 2}, []),
        ({"B3": 2}, []),
        ({"B5": 0}, ["CN-1", "CN-2", "CN-5", "CN-6", "FLOOR"]),
        ({"B4": 0}, ["CN-2", "CN-5"]),
        ({"B3": 0}, ["CN-2"]),
        ({"B4": 2}, ["CN-5"]),
        ({"B2": 1}, ["CN-3"]),
        ({"B1": 3}, ["SPACING"]),
        ({"B0": 1, "B1": 2}, ["FLOOR", "CAP"]),
        ({"B5": 4}, ["CN-5"]),
        ({"B0": 0, "B1": 0}, ["SPACING", "COUNT"]),
    ],
)
def test_each_rule_is_broken_by_the_move_that_it_forbids(moves, broken):
    # The only outlets of townships b2 and c1 are own ones; county A keeps at least two, B at most three.
    assert breaks(ground(), network(**moves)) == broken


def test_spacing_of_a_mixed_pair_is_that_of_the_denser_side():
    # 0.9 km apart: more than 0.5 km (core), less than 1 km (urban).
    near = SITES.assign(lon=[112.0302, *SITES["lon"][1:]])
    laid = lay_ground(BRANCHES, near, RIVALS, LIMITS, (RuleSettings(), RelocationSettings()))
    assert breaks(laid, network(B0=0)) == []


def test_protected_and_locked_branches_stay():
    locked = BRANCHES.assign(locked=[True, *[False] * 5])
    laid = ground(branches=locked, rules={"protected": ("B1",)})
    assert breaks(laid, network(B0=0)) == ["PROTECTED"]
    assert breaks(laid, network(B1=0)) == ["PROTECTED"]


def test_no_more_moves_than_allowed():
    assert breaks(ground(moves={"max_moves": 1}), network(B0=0, B3=1)) == ["MOVES"]


def test_rules_that_are_switched_off_are_not_applied():
    off = {"keep_last_in_township": False, "keep_last_own_in_county": False}
    assert breaks(ground(rules=off), network(B4=2)) == []


def test_vetoes_name_the_first_rule():
    assert list(branch_vetoes(ground(rules={"protected": ("B0",)}))) == [
        "PROTECTED",
        "",
        "CN-3",
        "",
        "CN-5",
        "CN-5",
    ]


def test_last_own_outlet_of_a_county_with_a_rival_is_vetoed_by_cn6():
    laid = lay_ground(
        BRANCHES, SITES, pd.Series(["a1", "c1"]), LIMITS, (RuleSettings(), RelocationSettings())
    )
    assert branch_vetoes(laid)[5] == "CN-6"


def test_legal_pairs_stay_in_the_prefecture_and_never_go_up():
    legal = is_legal(ground(), np.arange(6), 6 + np.arange(5))
    expected = [
        [True, True, True, True, False],
        [True, True, True, True, False],
        [True, False, False, True, False],  # a community branch stays in county A
        [False, True, True, False, False],
        [False, False, True, False, False],
        [False, False, False, False, True],
    ]
    assert legal.tolist() == expected


def test_trace_has_every_rule_at_every_step_and_names_who_breaks_it():
    trace = trace_rules(ground(), [network(), network(B4=0)])
    assert len(trace) == 2 * len(RULES)
    broken = trace[~trace["ok"]]
    assert list(zip(broken["step"], broken["rule"], broken["detail"], strict=True)) == [
        (1, "CN-2", "B4"),
        (1, "CN-5", "b2"),
    ]
