import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.image import grid_to_graph

from siteplanner.model.zone_regions import grow_regions


def within(traits, label):
    return sum(((traits[label == k] - traits[label == k].mean(axis=0)) ** 2).sum() for k in np.unique(label))


def touching(shape):
    rows, cols = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    near = (abs(rows[:, None] - rows) <= 1) & (abs(cols[:, None] - cols) <= 1)
    return near & ~np.eye(rows.size, dtype=bool)


def test_six_cells_in_a_row_by_hand():
    # Merges at equal size cost half the squared difference: 1|1, 5|5 and 9|9 are free, then all hold 2.
    traits = np.array([[1.0], [1.0], [5.0], [5.0], [9.0], [9.0]])
    keys = np.zeros((1, 6), dtype=np.int64)
    assert grow_regions(keys, traits, np.ones(6), 2.0).tolist() == [0, 0, 1, 1, 2, 2]
    # With 3 each, the 5s may join the 1s or the 9s, half of 4 x 4 x 4: the first pair does, and the 9s, which
    # are too few alone, must follow. (Halves of three would do as well: merges are not taken back.)
    assert grow_regions(keys, traits, np.ones(6), 3.0).tolist() == [0] * 6
    assert grow_regions(keys, traits, np.ones(6), 0.5).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(6))
def test_clear_regions_are_the_best_of_all_partitions(seed):
    # All partitions of nine cells in a row into runs of at least 3: the most runs, and the best of those.
    rng = np.random.default_rng(seed)
    traits = np.repeat(rng.normal(size=(3, 1)) * 10.0, 3, axis=0) + rng.normal(size=(9, 1)) * 0.1
    found = grow_regions(np.zeros((1, 9), dtype=np.int64), traits, np.ones(9), 3.0)
    best = None
    for cuts in itertools.chain.from_iterable(itertools.combinations(range(1, 9), k) for k in range(4)):
        label = np.searchsorted(cuts, np.arange(9), side="right")
        if np.bincount(label).min() >= 3:
            key = (-label.max() - 1, within(traits, label))
            best = min(best, key) if best else key
    assert (-found.max() - 1, pytest.approx(within(traits, found))) == best


def test_planted_halves_are_told_apart_as_scikit_learn_does():
    rng = np.random.default_rng(4)
    shape = (20, 30)
    truth = (np.arange(600) % 30 >= 15).astype(int)
    traits = truth[:, None] * 3.0 + rng.normal(0.0, 0.6, (600, 2))
    found = grow_regions(np.zeros(shape, dtype=np.int64), traits, np.ones(600), 20.0)
    # No region lies on both sides but for its rim.
    side = np.array([truth[found == k].mean() for k in np.unique(found)])
    assert ((side < 0.1) | (side > 0.9)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rival = AgglomerativeClustering(
            n_clusters=len(side), connectivity=grid_to_graph(*shape), linkage="ward"
        ).fit_predict(traits)
    # Ward's own clusters need not reach the size; ours must, and are little less alike for it.
    assert np.bincount(found).min() >= 20
    assert within(traits, found) <= 1.35 * within(traits, rival)


@given(st.integers(0, 10_000), st.floats(0.1, 8.0))
@settings(max_examples=40, deadline=None)
def test_regions_are_contiguous_of_one_county_and_large_enough(seed, least):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    keys = rng.integers(-1, 2, shape)
    inside = keys.ravel() >= 0
    n = int(inside.sum())
    if n == 0:
        return
    weight, traits = rng.uniform(0.0, 2.0, n), rng.integers(0, 3, (n, 2)).astype(float)
    label = grow_regions(keys, traits, weight, least)
    assert np.unique(label).tolist() == list(range(label.max() + 1))
    county = keys.ravel()[inside]
    near = touching(shape)[np.ix_(inside, inside)] & (county[:, None] == county)
    mass = np.bincount(label, weight)
    for k in range(label.max() + 1):
        mine = label == k
        assert len(set(county[mine])) == 1
        assert connected_components(coo_array(near[np.ix_(mine, mine)]))[0] == 1
        # Only what has no neighbour left stays too small.
        assert mass[k] >= least or not near[mine][:, ~mine].any()
