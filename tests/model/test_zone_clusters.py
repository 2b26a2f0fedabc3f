import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from siteplanner.model.sphere import EARTH_RADIUS_KM, great_circle_km, unit_vectors
from siteplanner.model.zone_clusters import ClusterRules, cluster_points

DEGREE_KM = np.pi / 180.0 * EARTH_RADIUS_KM


def clumps(seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.0, 0.2, (6, 2))
    near = [centres[k] + rng.normal(0.0, 0.002 * (k + 1), (80, 2)) for k in range(6)]
    points = np.concatenate([*near, rng.uniform(-0.05, 0.25, (150, 2))])
    return 112.0 + points[:, 0], 37.0 + points[:, 1], rng.integers(1, 4, len(points)).astype(float)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("finest", [False, True])
def test_weights_are_what_scikit_learn_makes_of_repeated_points(seed, finest):
    lon, lat, weight = clumps(seed)
    ours = cluster_points(lon, lat, weight, 1e-3, ClusterRules(12.0, 30.0, 1_000.0, finest))
    row = np.repeat(np.arange(lon.size), weight.astype(int))
    rival = HDBSCAN(
        min_cluster_size=30,
        min_samples=12,
        cluster_selection_method="leaf" if finest else "eom",
        allow_single_cluster=True,
        copy=True,
    ).fit(unit_vectors(lon, lat)[row] * EARTH_RADIUS_KM)
    theirs = rival.labels_[np.searchsorted(row, np.arange(lon.size))]
    assert ours.max() == theirs.max()
    # Points that join two clusters at one and the same distance go to either by chance there, to none here.
    assert adjusted_rand_score(ours, theirs) > 0.98
    assert (ours != -1).sum() == pytest.approx((theirs != -1).sum(), abs=4)


def on_a_line(km, weight, rules):
    """Cluster cells on the equator at so many km."""
    lon = np.asarray(km, dtype=float) / DEGREE_KM
    return cluster_points(lon, np.zeros(lon.size), np.asarray(weight, dtype=float), 0.5, rules).tolist()


def test_two_towns_and_a_hamlet_between_them():
    # Weight 3 within half a km of every town cell; the hamlet has no 3 within 2 km, so it is in no cluster.
    towns = [0.0, 0.5, 1.0, 1.5, 9.0, 9.5, 10.0, 10.5, 5.0]
    rules = ClusterRules(core=3.0, least=6.0, reach_km=2.0, finest=False)
    assert on_a_line(towns, [2.0] * 8 + [1.0], rules) == [0, 0, 0, 0, 1, 1, 1, 1, -1]
    # Together the town cells weigh 8: a cluster of 9 is more than either.
    assert set(on_a_line(towns, [2.0] * 8 + [1.0], ClusterRules(3.0, 9.0, 2.0, False))) == {-1}


def test_the_stabler_of_parent_and_children_by_hand():
    # Pairs of weight 4 a km apart within themselves (core 3 = the other cell, 1 km), a gap between: they part
    # at 1 / gap. Cut at 4 km, the parent lives from 1/4 to 1/gap with weight 8, each child from 1/gap to 1.
    pairs = ClusterRules(core=3.0, least=4.0, reach_km=4.0, finest=False)
    # Gap 2: parent 8 (0.5 - 0.25) = 2 against 2 x 4 (1 - 0.5) = 4: the children.
    assert on_a_line([0.0, 1.0, 3.0, 4.0], [2.0] * 4, pairs) == [0, 0, 1, 1]
    # Gap 1.5: 8 (0.6667 - 0.25) = 3.33 against 2 x 4 (1 - 0.6667) = 2.67: the parent; or the finest.
    near = [0.0, 1.0, 2.5, 3.5]
    assert on_a_line(near, [2.0] * 4, pairs) == [0, 0, 0, 0]
    assert on_a_line(near, [2.0] * 4, ClusterRules(3.0, 4.0, 4.0, True)) == [0, 0, 1, 1]


def test_what_joins_at_one_distance_joins_at_once():
    # Nine cells in a row at equal steps: no pair of them is closer than another, so nothing parts.
    even = ClusterRules(core=2.0, least=2.0, reach_km=1.0, finest=True)
    assert set(on_a_line(np.arange(9) * 0.5, [1.0] * 9, even)) == {0}


def test_a_cell_that_holds_enough_alone_is_a_cluster():
    alone = ClusterRules(core=3.0, least=5.0, reach_km=2.0, finest=False)
    assert on_a_line([0.0, 50.0], [9.0, 1.0], alone) == [0, -1]


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_clusters_are_heavy_linked_and_free_of_order(seed, finest):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    lon, lat = 112.0 + rng.integers(0, 12, n) * 0.005, 37.0 + rng.integers(0, 12, n) * 0.005
    weight = rng.uniform(0.5, 4.0, n)
    rules = ClusterRules(4.0, 8.0, 1.2, finest)
    labels = cluster_points(lon, lat, weight, 0.5, rules)
    for label in range(labels.max() + 1):
        inside = np.flatnonzero(labels == label)
        assert weight[inside].sum() >= 8.0
        km = great_circle_km(lon[inside, None], lat[inside, None], lon[inside], lat[inside])
        seen, todo = {0}, [0]
        while todo:
            new = set(np.flatnonzero(km[todo.pop()] <= 1.2 + 1e-6)) - seen
            seen |= new
            todo += list(new)
        assert len(seen) == inside.size
    order = rng.permutation(n)
    again = cluster_points(lon[order], lat[order], weight[order], 0.5, rules)
    pairs = {(a, b) for a, b in zip(labels[order].tolist(), again.tolist(), strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
