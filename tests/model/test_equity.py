import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplanner.model.equity import kolm_pollak_ede, kolm_pollak_kappa, weighted_gini, weighted_quantile

# D§14: four places, km before and after a plan.
BEFORE, AFTER = np.array([0.3, 0.8, 1.5, 6.0]), np.array([0.3, 0.9, 1.6, 2.0])
PEOPLE = np.array([1_000.0, 3_000.0, 2_000.0, 500.0])


def test_kolm_pollak_oracle_with_kappa_of_the_baseline():
    kappa = kolm_pollak_kappa(BEFORE, PEOPLE, -1.0)
    assert kappa == pytest.approx(-0.35496, abs=5e-6)
    assert kolm_pollak_ede(BEFORE, PEOPLE, kappa) == pytest.approx(1.8892, abs=5e-5)
    assert kolm_pollak_ede(AFTER, PEOPLE, kappa) == pytest.approx(1.1532, abs=5e-5)
    own = kolm_pollak_kappa(AFTER, PEOPLE, -1.0)
    assert kolm_pollak_ede(AFTER, PEOPLE, own) == pytest.approx(1.2028, abs=5e-5)


def test_gini_oracle():
    assert weighted_gini(BEFORE, PEOPLE) == pytest.approx(0.4111, abs=5e-5)
    assert weighted_gini(AFTER, PEOPLE) == pytest.approx(0.2457, abs=5e-5)


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.1, 1e4)), min_size=1, max_size=12))
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(pairs):
    a, w = np.array(pairs).T
    mean = (w * a).sum() / w.sum()
    apart = (np.abs(a[:, None] - a) * np.outer(w, w)).sum() / w.sum() ** 2
    expected = apart / (2.0 * mean) if mean > 0 else 0.0
    assert weighted_gini(a, w) == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.1, 1e4)), min_size=1, max_size=12),
    st.floats(-3.0, -0.1),
    st.floats(0.0, 50.0),
)
def test_ede_lies_between_mean_and_worst_and_moves_with_the_values(pairs, epsilon, shift):
    a, w = np.array(pairs).T
    kappa = kolm_pollak_kappa(a, w, epsilon)
    ede = kolm_pollak_ede(a, w, kappa)
    assert (w * a).sum() / w.sum() <= ede + 1e-6
    assert ede <= a.max() + 1e-6
    assert kolm_pollak_ede(a + shift, w, kappa) == pytest.approx(ede + shift, abs=1e-6)


def test_places_without_people_do_not_count_and_the_rest_must_be_finite():
    values, people = np.append(BEFORE, np.inf), np.append(PEOPLE, 0.0)
    assert weighted_gini(values, people) == pytest.approx(weighted_gini(BEFORE, PEOPLE))
    with pytest.raises(ValueError, match="finite"):
        weighted_gini(values, people + 1.0)
    with pytest.raises(ValueError, match="no people"):
        weighted_gini(BEFORE, np.zeros(4))


def test_quantile_by_hand():
    # 6,500 people: 1,000 within .3, 4,000 within .8, 6,000 within 1.5 km; 95 % are 6,175.
    assert weighted_quantile(BEFORE, PEOPLE, 0.95) == 6.0
    assert weighted_quantile(BEFORE, PEOPLE, 6_000 / 6_500) == 1.5
    assert weighted_quantile(BEFORE[::-1], PEOPLE[::-1], 0.5) == 0.8
    assert weighted_quantile(BEFORE, PEOPLE, 0.0) == 0.3


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(1, 50)), min_size=1, max_size=12))
def test_quantile_is_that_of_people_one_by_one(pairs):
    a, w = np.array(pairs).T
    everybody = np.repeat(a, w.astype(int))
    found = weighted_quantile(a, w, 0.95)
    assert found == np.quantile(everybody, 0.95, method="inverted_cdf")
