"""Who is far, and how unequally: quantile, Gini and Kolm-Pollak equally-distributed equivalent.

Values are finite and weights are people; both are one-dimensional. Places without people do not count.
"""

import numpy as np


def weighted_gini(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the Gini coefficient: mean absolute difference over twice the mean; 0 when all values are 0.

    With values sorted it is 1 - sum w (2 L - w a) / (W sum w a), L the running sum of w a (Lorenz curve by
    trapezes).
    """
    a, w = _with_people(values, weights)
    order = np.argsort(a, kind="stable")
    a, w = a[order], w[order]
    mass = w * a
    if mass.sum() == 0.0:
        return 0.0
    below = 2.0 * np.cumsum(mass) - mass
    return float(1.0 - (w * below).sum() / (w.sum() * mass.sum()))


def kolm_pollak_kappa(values: np.ndarray, weights: np.ndarray, epsilon: float) -> float:
    """Return the aversion to inequality in units of 1 / value: epsilon sum w a / sum w a^2 (D§11).

    Take it once, from the baseline, and use it for every plan that is compared with it.

    Parameters
    ----------
    epsilon
        Negative where more is worse (distance, minutes); -1 by habit, -0.5 and -2 beside it.
    """
    a, w = _with_people(values, weights)
    square = (w * a**2).sum()
    return float(epsilon * (w * a).sum() / square) if square > 0.0 else 0.0


def kolm_pollak_ede(values: np.ndarray, weights: np.ndarray, kappa: float) -> float:
    """Return the value which, shared by all, would be as good: -ln(mean of exp(-kappa a)) / kappa (D§11)."""
    a, w = _with_people(values, weights)
    mean = float((w * a).sum() / w.sum())
    if kappa == 0.0:
        return mean
    # About the largest exponent, so that no exponential overflows.
    power = -kappa * a
    top = power.max()
    return float(-(top + np.log((w * np.exp(power - top)).sum() / w.sum())) / kappa)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the least value which at least this share of the people do not exceed."""
    a, w = _with_people(values, weights)
    order = np.argsort(a, kind="stable")
    reached = np.cumsum(w[order])
    # A share that the people reach exactly must not be missed by rounding.
    at = np.searchsorted(reached, share * reached[-1] * (1.0 - 1e-12), side="left")
    return float(a[order][min(int(at), a.size - 1)])


def _with_people(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, w = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    counted = w > 0.0
    if not counted.any():
        raise ValueError("no people to average over")
    if not np.isfinite(a[counted]).all():
        raise ValueError("values must be finite; cap those beyond reach first")
    return a[counted], w[counted]
