from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplanner.layers.catalogue_file import load_catalogue
from siteplanner.model.clusters import group_branches
from siteplanner.scenario import ClusterSettings

CATALOGUE = load_catalogue()
# One degree of latitude in km on the sphere of radius 6371.0088 km.
DEGREE_KM = 111.19508


def line(km, formats, *, tier="U", prefecture="P"):
    """Place branches on a meridian at these km."""
    n = len(km)
    return pd.DataFrame(
        {
            "lon": 112.0,
            "lat": 37.0 + np.array(km) / DEGREE_KM,
            "tier": tier,
            "format": formats,
            "prefecture": prefecture,
        },
        index=pd.Index([f"B{number:02d}" for number in range(n)], name="branch_id"),
    )


def test_satellites_join_the_full_service_branch_within_reach():
    found = group_branches(
        line([0, 1, 2.9, 6.5], ["light", "standard", "light", "standard"]), CATALOGUE, ClusterSettings()
    )
    assert found.branches["role"].tolist() == ["satellite", "core", "satellite", "single"]
    assert found.branches["core_id"].tolist() == ["B01", "B01", "B01", "B03"]
    assert found.branches["km_to_core"].tolist() == pytest.approx([1.0, 0.0, 1.9, 0.0], abs=1e-4)
    assert found.gap < 1e-4


def test_county_branches_may_be_further_away():
    found = group_branches(line([0, 15], ["standard", "light"], tier="C"), CATALOGUE, ClusterSettings())
    assert found.branches["role"].tolist() == ["core", "satellite"]


def test_light_branches_alone_are_single():
    found = group_branches(line([0, 0.5], ["light", "light"]), CATALOGUE, ClusterSettings())
    assert found.branches["role"].tolist() == ["single", "single"]


def test_no_cluster_crosses_a_prefecture():
    branches = line([0, 0.5], ["standard", "light"]).assign(prefecture=["P", "Q"])
    assert set(group_branches(branches, CATALOGUE, ClusterSettings()).branches["role"]) == {"single"}


def test_a_branch_with_the_format_of_a_core_is_the_core():
    found = group_branches(
        line([0, 0.5, 1.0], ["standard", "standard", "core"]), CATALOGUE, ClusterSettings()
    )
    assert found.branches["role"].tolist() == ["satellite", "satellite", "core"]


def test_clusters_are_not_larger_than_allowed():
    branches = line(np.arange(9) * 0.1, ["standard"] * 9)
    found = group_branches(branches, CATALOGUE, ClusterSettings(max_size=4)).branches
    assert found.groupby("cluster_id").size().max() <= 4
    assert found["cluster_id"].nunique() == 3


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True),
    st.lists(st.sampled_from(["standard", "light"]), min_size=6, max_size=6),
    st.integers(2, 4),
)
def test_no_grouping_is_better(tenths, formats, max_size):
    km = np.sort(np.array(tenths)) / 10.0
    n = km.size
    formats = formats[:n]
    # No two places are exactly at the radius: rounding must not decide.
    limits = ClusterSettings(max_size=max_size, radius_u_km=3.05)
    found = group_branches(line(km, formats), CATALOGUE, limits).branches
    best = np.inf
    for heads in product(range(n), repeat=n):
        cost = 0.0
        for branch, head in enumerate(heads):
            if head == branch:
                cost += 100.0
            elif heads[head] == head and formats[head] == "standard" and abs(km[branch] - km[head]) <= 3.05:
                cost += abs(km[branch] - km[head])
            else:
                cost = np.inf
        if max(heads.count(head) for head in heads) <= max_size:
            best = min(best, cost)
    got = 100.0 * (found["role"] != "satellite").sum() + found["km_to_core"].sum()
    assert got == pytest.approx(best, abs=1e-3 + 1e-4 * best)


def test_order_of_rows_does_not_matter():
    branches = line([0, 1, 2, 3, 4], ["standard", "light", "standard", "light", "core"])
    one = group_branches(branches, CATALOGUE, ClusterSettings()).branches
    other = group_branches(branches[::-1], CATALOGUE, ClusterSettings()).branches
    pd.testing.assert_frame_equal(one, other)
