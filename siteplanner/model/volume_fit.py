"""Coefficients from what each place counted in all, where nobody knows whence people came (D§4).

Attractiveness and decay are weakly told by totals: they are drawn to their priors, the likelihood is told
along the decay, and the decay leaves its prior only where that explains clearly more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

# The decay leaves its prior when Akaike's criterion falls by more than this (D§4).
DELTA_AIC = 4.0
# Fewer counted places tell nothing: ten a coefficient (Peduzzi et al. 1996 for events; here by analogy).
PLACES_MIN = 20
# Relative steps of the slopes: the square root of what a double resolves would see the noise of the solver.
SLOPE_STEP = 1e-4
# Ends of the search; the profile, which is a picture, asks for less.
TOLERANCE = 1e-7
TOLERANCE_OF_PROFILE = 1e-3

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What is believed of coefficients before anything is seen.

    Parameters
    ----------
    mean, width
        Mean and standard deviation by coefficient.
    low, high
        Bounds.
    """

    mean: np.ndarray
    width: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class VolumeFit:
    """A fit to totals.

    Parameters
    ----------
    coefficients, errors
        The last coefficient is the decay; its error is 0 where it was left at its prior.
    delta_aic
        How much Akaike's criterion falls when the decay leaves its prior.
    profile
        Values of the decay and, at each, how much twice the penalised log likelihood lies below its top.
    residuals
        ln of predicted over observed, their mean taken off.
    left_out
        The same where the place's fold told nothing; see `left_out`.
    """

    coefficients: np.ndarray
    errors: np.ndarray
    delta_aic: float
    profile: np.ndarray
    residuals: np.ndarray
    left_out: np.ndarray


def fit_volumes(
    predict: Predict, observed: np.ndarray, prior: Prior, tried: np.ndarray, fold: np.ndarray
) -> VolumeFit:
    """Minimise sum (ln V^ - ln V - level)^2 / s^2 + sum ((b - mean) / width)^2, with the level free (D§4).

    s^2 is the variance of the logarithms left under the priors, so that the widths are standard deviations.
    The decay leaves its prior only where Akaike's criterion falls by more than `DELTA_AIC` and places left
    out of the fit are met better too, by more than a standard error (Breiman et al. 1984): what totals leave
    out lies in clusters, and the criterion alone takes clusters for evidence.

    Parameters
    ----------
    predict
        Coefficients to volumes, in the order of ``observed``, above 0.
    observed
        By place, above 0.
    tried
        Values of the decay at which the profile is told.
    fold
        By place: places of one fold are left out together.
    """
    noise = max(float((residuals(predict(prior.mean), observed) ** 2).mean()), np.finfo(float).tiny)
    k = prior.mean.size
    at_prior = _minimise(predict, observed, (prior, noise), (prior.mean, np.arange(k) < k - 1))
    moved = _minimise(predict, observed, (prior, noise), (at_prior.coefficients, np.ones(k, dtype=bool)))
    # The logarithm of the likelihood counts places only: what a prior adds is no evidence.
    aic = [observed.size * np.log(max(one.square, np.finfo(float).tiny)) for one in (at_prior, moved)]
    delta = float(aic[0] - aic[1]) - 2.0
    profile = _profile(predict, observed, (prior, noise), (moved, tried))
    fits = []
    for one in (at_prior, moved):
        left = residuals(predict(one.coefficients), observed)
        out = left_out(one.coefficients, (left, one.slopes), (prior, noise), fold)
        fits.append(VolumeFit(one.coefficients, one.errors, delta, profile, left, out))
    better = np.abs(fits[0].left_out) - np.abs(fits[1].left_out)
    clearly = float(better.mean()) > float(better.std(ddof=1)) / np.sqrt(better.size)
    return fits[1] if delta > DELTA_AIC and clearly else fits[0]


def residuals(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return ln of predicted over observed, their mean taken off: the level is free."""
    ratio = np.log(predicted) - np.log(observed)
    return np.asarray(ratio - ratio.mean())


def left_out(
    coefficients: np.ndarray,
    about: tuple[np.ndarray, np.ndarray],
    belief: tuple[Prior, float],
    fold: np.ndarray,
) -> np.ndarray:
    """Return the residual of each place when its fold tells neither the level nor the coefficients.

    To first order about the fit: the coefficients of the other folds are one step of Gauss and Newton away.
    NaN where there is one fold only.

    Parameters
    ----------
    about
        Residuals at the fit, and how they change with each coefficient; 0 for one that is held.
    """
    (left, slopes), (prior, noise) = about, belief
    out = np.full(left.size, np.nan)
    free = (slopes != 0.0).any(axis=0)
    width = np.sqrt(noise) / prior.width[free]
    for one in np.unique(fold):
        rest = fold != one
        if not rest.any():
            return out
        level = left[rest].mean()
        x = slopes[:, free] - slopes[rest][:, free].mean(axis=0)
        pull = width * (coefficients - prior.mean)[free]
        system = np.vstack((x[rest], np.diag(width)))
        step = -np.linalg.lstsq(system, np.concatenate((left[rest] - level, pull)), rcond=None)[0]
        out[~rest] = left[~rest] - level + x[~rest] @ step
    return out


def _profile(
    predict: Predict,
    observed: np.ndarray,
    belief: tuple[Prior, float],
    about: tuple["_Least", np.ndarray],
) -> np.ndarray:
    """Return the penalised misfit above the least along the decay, each value begun from its neighbour's."""
    best, tried = about
    last = best.coefficients.size - 1
    cost = np.empty(tried.size)
    above = int(np.searchsorted(tried, best.coefficients[last]))
    for side in (range(above, tried.size), range(above - 1, -1, -1)):
        start = best.coefficients
        for at in side:
            begin = np.append(start[:last], tried[at])
            free = np.arange(last + 1) < last
            found = _minimise(predict, observed, belief, (begin, free), tolerance=TOLERANCE_OF_PROFILE)
            start, cost[at] = found.coefficients, found.cost
    return np.column_stack((tried, cost - min([best.cost, *cost]))).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Least:
    """A least penalised misfit: where, how sure, what it costs, and the mean square of the residuals."""

    coefficients: np.ndarray
    errors: np.ndarray
    cost: float
    square: float
    slopes: np.ndarray


def _minimise(
    predict: Predict,
    observed: np.ndarray,
    belief: tuple[Prior, float],
    begin: tuple[np.ndarray, np.ndarray],
    *,
    tolerance: float = TOLERANCE,
) -> _Least:
    """Search the least penalised misfit over the free coefficients; the others are held."""
    (prior, noise), (start, free) = belief, begin
    n, deviation = observed.size, np.sqrt(noise)

    def misfit(part: np.ndarray) -> np.ndarray:
        b = start.copy()
        b[free] = part
        return np.concatenate((residuals(predict(b), observed) / deviation, (b - prior.mean) / prior.width))

    inside = np.clip(start, prior.low, prior.high)[free]
    found = least_squares(
        misfit, inside, bounds=(prior.low[free], prior.high[free]),
        diff_step=np.full(inside.size, SLOPE_STEP),
        xtol=tolerance, ftol=tolerance, gtol=tolerance,
    )  # fmt: skip
    b, errors, slopes = start.copy(), np.zeros(start.size), np.zeros((n, start.size))
    b[free] = found.x
    jacobian = np.asarray(found.jac)
    errors[free] = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    slopes[:, free] = jacobian[:n] * deviation
    return _Least(b, errors, float(2.0 * found.cost), float((found.fun[:n] ** 2).mean() * noise), slopes)
