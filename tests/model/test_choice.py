"""The choice model against published shares, known truth and another optimiser."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from siteplanner.model.choice import Options, fit_choices, log_centred, row_of_pairs, shares
from siteplanner.model.volume_fit import Prior, fit_volumes, left_out, residuals


def town(seed, rows=40, places=8):
    """Everybody reaches everything: log attractiveness and minutes."""
    rng = np.random.default_rng(seed)
    attraction, minutes = rng.uniform(0.5, 3.0, places), rng.uniform(2.0, 25.0, (rows, places))
    features = np.column_stack((np.tile(np.log(attraction), rows), -minutes.ravel()))
    indptr = np.arange(0, rows * places + 1, places)
    return Options(indptr, np.tile(np.arange(places), rows), features), rng


def totals(pairs, people, b, n):
    return np.bincount(pairs.place, people[row_of_pairs(pairs)] * shares(pairs, b), n)


def test_shares_of_the_oracle():
    # D§14: A 1, 0.8, 1; km 0.5, 1.5, 0.8; power decay 1.5.
    km, attraction = np.array([0.5, 1.5, 0.8]), np.array([1.0, 0.8, 1.0])
    pairs = Options(np.array([0, 3]), np.arange(3), np.column_stack((np.log(attraction), -np.log(km))))
    np.testing.assert_allclose(shares(pairs, np.array([1.0, 1.5])), [0.607, 0.093, 0.300], atol=5e-4)


def test_huge_distances_overflow_nothing():
    pairs = Options(np.array([0, 2]), np.arange(2), np.array([[1e5], [0.0]]))
    np.testing.assert_allclose(shares(pairs, np.array([1.0])), [1.0, 0.0])
    np.testing.assert_allclose(shares(pairs, np.array([-1.0])), [0.0, 1.0])
    fit = fit_choices(
        Options(np.array([0, 2]), np.arange(2), np.array([[-1e4], [-1.0]])), np.array([1.0, 9.0])
    )
    # Odds of 9 to 1 over 9,999 minutes.
    assert fit.coefficients[0] == pytest.approx(np.log(9.0) / 9_999.0, rel=1e-6)


def test_one_coefficient_by_hand():
    """Two places a minute apart: the log odds of the counts, and their textbook variance 1/a + 1/b."""
    pairs = Options(np.array([0, 2]), np.arange(2), np.array([[0.0], [-1.0]]))
    fit = fit_choices(pairs, np.array([30.0, 10.0]))
    assert fit.coefficients[0] == pytest.approx(np.log(3.0))
    assert fit.errors[0] == pytest.approx(np.sqrt(1 / 30 + 1 / 10))
    assert fit.null == pytest.approx(40 * np.log(0.5))


def test_the_truth_lies_in_its_interval():
    """In 95 of 100 draws each; of 60 draws at least 50 are asked for (p < 0.001 for fewer)."""
    truth = np.array([0.8, 0.11])
    inside = np.zeros(2)
    for seed in range(60):
        pairs, rng = town(seed)
        p = shares(pairs, truth).reshape(40, 8)
        count = np.array([rng.multinomial(200, row) for row in p]).ravel().astype(float)
        fit = fit_choices(pairs, count)
        inside += np.abs(fit.coefficients - truth) <= 1.96 * fit.errors
    assert (inside >= 50).all()


def test_the_top_is_that_of_another_optimiser():
    pairs, rng = town(7)
    count = rng.poisson(20 * shares(pairs, np.array([0.5, 0.2]))).astype(float)

    def minus(b):
        p = shares(pairs, b)
        return -float(count[count > 0] @ np.log(p[count > 0]))

    other = minimize(minus, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    fit = fit_choices(pairs, count)
    np.testing.assert_allclose(fit.coefficients, other.x, atol=1e-5)
    assert fit.log_likelihood == pytest.approx(-other.fun, rel=1e-9)
    assert 0.0 < fit.pseudo_r2 < 1.0
    held = fit_choices(pairs, count, np.array([np.nan, 0.2]))
    other = minimize(lambda b: minus(np.append(b, 0.2)), np.zeros(1), method="Nelder-Mead")
    assert held.coefficients[0] == pytest.approx(other.x[0], abs=1e-4)
    assert held.coefficients[1] == 0.2
    assert held.errors[1] == 0.0


def test_the_poisson_pseudo_likelihood_has_the_same_top():
    """Poisson with a constant for every row, by another optimiser, zeros among the shares."""
    pairs, rng = town(5, rows=12, places=5)
    share = rng.dirichlet(np.ones(5), 12)
    share[:, 0] = 0.0
    count = (share / share.sum(axis=1, keepdims=True)).ravel()
    row = row_of_pairs(pairs)

    def minus(b):
        eta = pairs.features @ b[:2] + b[2:][row]
        return float(np.exp(eta).sum() - count @ eta)

    other = minimize(minus, np.zeros(14), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(fit_choices(pairs, count).coefficients, other.x[:2], atol=1e-5)


def test_rows_that_nobody_counted_and_single_places_tell_nothing():
    pairs, _ = town(2)
    count = np.zeros(320)
    count[:8] = [5, 1, 0, 0, 2, 7, 0, 1]
    some = fit_choices(pairs, count)
    alone = fit_choices(Options(np.array([0, 8]), np.arange(8), pairs.features[:8]), count[:8])
    np.testing.assert_allclose(some.coefficients, alone.coefficients)
    np.testing.assert_allclose(some.errors, alone.errors)
    single, _ = town(3, places=1)
    assert np.isinf(fit_choices(single, np.full(40, 5.0)).errors).all()


def test_features_that_go_together_are_not_told_apart():
    pairs, rng = town(4)
    twice = Options(pairs.indptr, pairs.place, pairs.features[:, [1, 1]])
    fit = fit_choices(twice, rng.poisson(3.0, 320).astype(float))
    assert np.isinf(fit.errors).all()
    one = fit_choices(Options(pairs.indptr, pairs.place, pairs.features[:, [1]]), np.ones(320))
    both = fit_choices(twice, np.ones(320))
    assert both.coefficients.sum() == pytest.approx(one.coefficients[0], abs=1e-6)


def test_the_log_centred_regression_is_that_with_a_constant_for_each_row():
    pairs, rng = town(9, rows=20, places=6)
    p = shares(pairs, np.array([0.7, 0.1])) * rng.lognormal(0.0, 0.2, 120)
    dummies = np.equal.outer(row_of_pairs(pairs), np.arange(20)).astype(float)
    x = np.column_stack((pairs.features, dummies))
    expected, square, _, _ = np.linalg.lstsq(x, np.log(p), rcond=None)
    b, errors = log_centred(pairs, p)
    np.testing.assert_allclose(b, expected[:2])
    covariance = np.linalg.inv(x.T @ x) * square[0] / (120 - 22)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance))[:2])
    p[3] = 0.0
    assert log_centred(pairs, p) is None


def freiburg():
    folder = Path(os.environ["SITEPLANNER_SHARED_DATA"]) / "benchmarks/huff_freiburg"
    trips, power, sales = (pd.read_csv(folder / f"Freiburg{n}.csv") for n in (1, 2, 3))
    trips = trips.sort_values(["district", "store"])
    stores = np.sort(trips["store"].unique())
    size = trips.groupby("district").size().to_numpy()
    features = np.column_stack((np.log(trips["salesarea"]), -np.log(trips["distance"])))
    pairs = Options(np.append(0, np.cumsum(size)), np.searchsorted(stores, trips["store"]), features)
    people = power.sort_values("district")["ppower"].to_numpy()
    told = json.loads((folder / "freiburg_expected.json").read_text(encoding="utf-8"))
    return pairs, people, sales.set_index("store")["annualsales"].loc[stores].to_numpy(), told["results"]


@pytest.mark.shared
def test_freiburg_as_published():
    pairs, people, sales, told = freiburg()
    for name, power in (("gamma1_lambda-2", 2.0), ("gamma1_lambda-0.5", 0.5)):
        predicted = totals(pairs, people, np.array([1.0, power]), sales.size)
        residual = ((sales - predicted) ** 2).sum() / ((sales - sales.mean()) ** 2).sum()
        assert 1.0 - residual == pytest.approx(told[name]["pseudo_r2"], rel=1e-9)
        assert np.mean(np.abs(sales - predicted) / sales) == pytest.approx(told[name]["mape"], rel=1e-9)


@pytest.mark.shared
def test_freiburg_is_fitted_near_its_best_and_not_at_two():
    """Alpha is held at 1 by a narrow prior, as in the published runs; the decay is left wide."""
    pairs, people, sales, told = freiburg()
    prior = Prior(np.array([1.0, 2.0]), np.array([1e-6, 50.0]), np.zeros(2), np.array([5.0, 10.0]))
    fit = fit_volumes(
        lambda b: totals(pairs, people, b, sales.size),
        sales,
        prior,
        np.linspace(0.0, 2.0, 41),
        np.arange(sales.size) % 5,
    )
    assert fit.delta_aic > 4.0
    # Logarithms are fitted, not levels: near the published best of 0.264, nowhere near 2.
    assert 0.1 < fit.coefficients[1] < 0.6
    at, cost = fit.profile.T
    assert at[np.argmin(cost)] == pytest.approx(fit.coefficients[1], abs=0.05)
    predicted = totals(pairs, people, fit.coefficients, sales.size)
    r2 = 1.0 - ((sales - predicted) ** 2).sum() / ((sales - sales.mean()) ** 2).sum()
    assert r2 > told["gamma1_lambda-0.5"]["pseudo_r2"] - 0.01


WIDE = (np.zeros(2), np.full(2, 10.0))


def volumes(seed=11, truth=(1.0, 0.15), noise=0.05, places=30):
    pairs, rng = town(seed, rows=80, places=places)
    people = rng.uniform(50, 500, 80)
    seen = totals(pairs, people, np.array(truth), places) * np.exp(noise * rng.standard_normal(places))
    return (lambda b: totals(pairs, people, b, places)), seen


def test_volumes_find_the_decay_where_the_prior_is_wide():
    predict, seen = volumes(noise=0.0)
    prior = Prior(np.array([1.0, 0.05]), np.array([50.0, 50.0]), *WIDE)
    fit = fit_volumes(predict, seen, prior, np.array([0.1, 0.2]), np.arange(30) % 5)
    np.testing.assert_allclose(fit.coefficients, [1.0, 0.15], atol=2e-3)


def test_volumes_are_fitted_as_another_optimiser_fits_them():
    predict, seen = volumes(noise=0.02)
    prior = Prior(np.array([1.2, 0.1]), np.array([0.3, 0.05]), *WIDE)
    fit = fit_volumes(predict, seen, prior, np.array([0.1]), np.arange(30) % 5)
    noise = float((residuals(predict(prior.mean), seen) ** 2).mean())

    def cost(b):
        pull = ((b - prior.mean) / prior.width) ** 2
        return float((residuals(predict(b), seen) ** 2).sum() / noise + pull.sum())

    other = minimize(cost, prior.mean, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    assert fit.delta_aic > 4.0
    np.testing.assert_allclose(fit.coefficients, other.x, atol=1e-4)
    held = minimize(lambda b: cost(np.array([b[0], 0.1])), [1.0], method="Nelder-Mead")
    assert fit.profile[0, 1] == pytest.approx(held.fun - other.fun, rel=1e-2)


def test_a_decay_that_volumes_do_not_contradict_stays_at_its_prior():
    predict, seen = volumes(noise=0.3)
    prior = Prior(np.array([1.0, 0.15]), np.array([0.5, 0.1]), *WIDE)
    fit = fit_volumes(predict, seen, prior, np.array([0.15]), np.arange(30) % 5)
    assert fit.delta_aic <= 4.0
    assert fit.coefficients[1] == 0.15
    assert fit.errors[1] == 0.0


def test_a_narrow_prior_holds():
    predict, seen = volumes()
    prior = Prior(np.array([1.0, 0.05]), np.array([1e-6, 1e-6]), *WIDE)
    fit = fit_volumes(predict, seen, prior, np.array([0.05]), np.arange(30) % 5)
    np.testing.assert_allclose(fit.coefficients, [1.0, 0.05], atol=1e-4)


def test_what_a_left_out_fold_would_have_been_told():
    """To first order: against fits made anew without the fold."""
    predict, seen = volumes(noise=0.1, places=40)
    prior = Prior(np.array([1.0, 0.06]), np.array([0.5, 0.1]), *WIDE)
    fold = np.arange(40) % 4
    fit = fit_volumes(predict, seen, prior, np.array([0.1]), fold)
    assert fit.errors[1] > 0.0
    noise = float((residuals(predict(prior.mean), seen) ** 2).mean())
    for one in range(4):
        rest = np.flatnonzero(fold != one)

        def cost(b, rest=rest):
            pull = ((b - prior.mean) / prior.width) ** 2
            return float((residuals(predict(b)[rest], seen[rest]) ** 2).sum() / noise + pull.sum())

        b = minimize(cost, fit.coefficients, method="Nelder-Mead", options={"xatol": 1e-8}).x
        ratio = np.log(predict(b) / seen)
        anew = (ratio - ratio[rest].mean())[fold == one]
        np.testing.assert_allclose(fit.left_out[fold == one], anew, atol=0.02)
    alone = left_out(prior.mean, (np.zeros(40), np.zeros((40, 2))), (prior, noise), np.zeros(40, dtype=int))
    assert np.isnan(alone).all()
