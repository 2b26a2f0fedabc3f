import numpy as np
import pytest

from siteplanner.model import capture
from siteplanner.model.access import Reach
from siteplanner.scenario import MarketSettings
from siteplanner.tables import ContractError

SETTINGS = MarketSettings()


def reach_of(minutes):
    """Return the reach of a table of minutes; NaN is beyond reach."""
    rows, columns = np.nonzero(np.isfinite(minutes))
    indptr = np.concatenate(([0], np.cumsum(np.isfinite(minutes).sum(axis=1))))
    values = minutes[rows, columns].astype(np.float32)
    cells = np.arange(10, 10 + len(minutes))
    return Reach(cells, minutes.shape[1], indptr, columns.astype(np.int32), values)


@pytest.fixture
def minutes():
    rng = np.random.default_rng(5)
    table = rng.uniform(1.0, 40.0, (40, 6)).astype(np.float32).astype(float)
    table[rng.uniform(size=table.shape) < 0.4] = np.nan
    table[[0, 17, 39]] = np.nan
    return table


@pytest.mark.parametrize("chunk", [1, 7, 1_000])
def test_network_splits_own_columns_from_the_rest(minutes, monkeypatch, chunk):
    monkeypatch.setattr(capture, "CHUNK_PAIRS", chunk)
    attractiveness = np.array([1.0, 2.0, 0.5, 1.5, 0.7, 1.1])
    outside = np.linspace(0.1, 0.2, 40)
    network = capture.gather_network(reach_of(minutes), attractiveness, 2, outside, SETTINGS)
    u = np.nan_to_num(attractiveness * np.exp(-SETTINGS.decay_per_min * minutes))
    assert network.own.toarray() == pytest.approx(u[:, :2])
    assert network.rest == pytest.approx(outside + u[:, 2:].sum(axis=1))
    assert network.own_minutes.toarray() == pytest.approx(np.nan_to_num(minutes[:, :2]))


def test_rest_is_never_zero(minutes):
    network = capture.gather_network(reach_of(minutes), np.ones(6), 6, np.zeros(40), SETTINGS)
    assert (network.rest > 0.0).all()


def test_second_nearest_is_the_nearest_other(minutes):
    reach = reach_of(minutes)
    beyond = np.full(40, 25.0)
    found = capture.second_nearest(reach.indptr, reach.minutes, beyond)
    rows = np.repeat(np.arange(40), np.diff(reach.indptr))
    for at, (row, place) in enumerate(zip(rows, reach.indices, strict=True)):
        others = np.delete(minutes[row], place)
        others = others[np.isfinite(others)]
        expected = others.min() if others.size else max(25.0, minutes[row, place])
        assert found[at] == pytest.approx(expected)


def test_near_matrix_leaves_the_minutes_alone(minutes):
    table = capture.minutes_matrix(reach_of(minutes))
    before = table.copy()
    near = capture.near_matrix(table, 15.0)
    assert near.toarray().tolist() == (np.nan_to_num(minutes, nan=99.0) <= 15.0).astype(float).tolist()
    assert (table != before).nnz == 0
    assert table.nnz == before.nnz


def test_reaches_with_different_rows_are_refused(minutes):
    with pytest.raises(ContractError):
        capture.join_rows(reach_of(minutes), reach_of(minutes[:-1]))
