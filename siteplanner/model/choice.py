"""A choice model fitted to what people did: which of the outlets within reach each of them went to.

People of row i choose place j with probability P_ij = exp(x_ij b) / sum_k exp(x_ik b), where x holds the
logarithms of attractiveness and of the decay. The likelihood is concave, and Newton's method finds its top
(McFadden 1974). Shares that were surveyed weigh like counts: the Poisson pseudo likelihood with a constant
for every row has the same top (Santos Silva & Tenreyro 2006), and takes zeros as the log-centred regression
of MCI (Nakanishi & Cooper 1974) does not.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

# Newton's method ends when no coefficient moves by more than this, and gives up after so many steps.
STEP_MIN = 1e-10
STEPS_MAX = 100
# A step that does not raise the likelihood is halved at most so often.
HALVINGS = 40
# A direction in which the likelihood bends by less than this part of the most bent one is not identified.
BEND_MIN = 1e-10

Z_95 = 1.959963984540054
"""Half width of a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Places among which the people of each row choose, as compressed rows.

    Parameters
    ----------
    indptr, place
        CSR structure.
    features
        One row a pair, one column a coefficient; finite.
    """

    indptr: np.ndarray
    place: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Coefficients with their uncertainty.

    Parameters
    ----------
    coefficients
        One each; those that were held stand as they were given.
    errors
        Standard errors from the Hessian: 0 where held, infinite where the data say nothing.
    robust
        Standard errors that do not trust the counts to be independent draws: the sandwich, rows as clusters.
    log_likelihood, null
        At the coefficients, and when all coefficients are 0.
    dispersion
        Pearson's chi-square over its degrees of freedom; 1 for independent draws.
    """

    coefficients: np.ndarray
    errors: np.ndarray
    robust: np.ndarray
    log_likelihood: float
    null: float
    dispersion: float

    @property
    def pseudo_r2(self) -> float:
        """McFadden's: 1 - log likelihood over that of no model."""
        return 1.0 - self.log_likelihood / self.null if self.null < 0.0 else 0.0


def fit_choices(options: Options, count: np.ndarray, held: np.ndarray | None = None) -> Fit:
    """Fit to how many people of each row chose each place (counts or surveyed shares), by likelihood.

    Rows are conditioned on: only how people of a row divide tells the coefficients.

    Parameters
    ----------
    count
        By pair, of at least 0.
    held
        Values at which coefficients are held; NaN leaves one free. All are free when absent.
    """
    k = options.features.shape[1]
    b = np.zeros(k) if held is None else np.nan_to_num(np.asarray(held, dtype=float))
    free = np.ones(k, dtype=bool) if held is None else np.isnan(held)
    null = _sweep(options.indptr, options.features, np.zeros(k), count)[0]
    value, slope, bend, meat = _sweep(options.indptr, options.features, b, count)
    for _ in range(STEPS_MAX if free.any() else 0):
        step = np.zeros(k)
        step[free] = np.linalg.lstsq(bend[np.ix_(free, free)], slope[free], rcond=BEND_MIN)[0]
        if np.abs(step).max(initial=0.0) <= STEP_MIN:
            break
        for _ in range(HALVINGS):
            tried = _sweep(options.indptr, options.features, b + step, count)
            if tried[0] >= value:
                break
            step /= 2.0
        else:
            break
        b = b + step
        value, slope, bend, meat = tried
    errors, robust = _errors(bend, meat, free)
    return Fit(b, errors, robust, value, null, _dispersion(options, b, count, int(free.sum())))


def shares(options: Options, coefficients: np.ndarray) -> np.ndarray:
    """Return P_ij by pair; the pairs of a row add up to 1."""
    return np.asarray(_shares(options.indptr, options.features, np.asarray(coefficients, dtype=float)))


def row_of_pairs(options: Options) -> np.ndarray:
    """Return the row of every pair."""
    return np.repeat(np.arange(options.indptr.size - 1), np.diff(options.indptr))


def row_sums(options: Options, values: np.ndarray) -> np.ndarray:
    """Return the sum of a value over the pairs of each row."""
    return np.bincount(row_of_pairs(options), values, options.indptr.size - 1)


def expected(options: Options, coefficients: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return how many people of each pair are expected, when so many of each row choose."""
    return np.asarray(shares(options, coefficients) * people[row_of_pairs(options)])


def log_likelihood(options: Options, coefficients: np.ndarray, count: np.ndarray) -> float:
    """Return sum n_ij ln P_ij."""
    b = np.asarray(coefficients, dtype=float)
    return float(_sweep(options.indptr, options.features, b, count)[0])


def log_centred(options: Options, share: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Fit the log-centred regression of MCI by least squares (Nakanishi & Cooper 1974).

    ln(p_ij / p~_i) = sum_h b_h (x_ijh - x~_ih), a tilde being the mean over the places of the row (of p, the
    geometric mean).

    Returns
    -------
    Coefficients and standard errors; None where a share is 0, which has no logarithm, or where the data do
    not tell all coefficients apart.
    """
    rows = options.indptr.size - 1
    k = options.features.shape[1]
    freedom = share.size - rows - k
    if freedom <= 0 or not (share > 0.0).all():
        return None
    x = np.column_stack([_centred(options, options.features[:, c]) for c in range(k)])
    y = _centred(options, np.log(share))
    gram = x.T @ x
    if not _is_full(gram):
        return None
    b = np.linalg.solve(gram, x.T @ y)
    variance = float(((y - x @ b) ** 2).sum()) / freedom
    return b, np.sqrt(variance * np.diag(np.linalg.inv(gram)))


def _centred(options: Options, values: np.ndarray) -> np.ndarray:
    size = np.maximum(np.diff(options.indptr), 1)
    return np.asarray(values - (row_sums(options, values) / size)[row_of_pairs(options)])


def _is_full(matrix: np.ndarray) -> bool:
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    if not (size > 0.0).all():
        return False
    return bool(np.linalg.eigvalsh(matrix / np.outer(size, size)).min() > BEND_MIN)


def _errors(bend: np.ndarray, meat: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    errors, robust = np.where(free, np.inf, 0.0), np.where(free, np.inf, 0.0)
    part = bend[np.ix_(free, free)]
    if free.any() and _is_full(part):
        bread = np.linalg.inv(part)
        errors[free] = np.sqrt(np.diag(bread))
        robust[free] = np.sqrt(np.diag(bread @ meat[np.ix_(free, free)] @ bread))
    return errors, robust


def _dispersion(options: Options, b: np.ndarray, count: np.ndarray, k: int) -> float:
    people = row_sums(options, count)
    awaited = expected(options, b, people)
    seen = awaited > 0.0
    freedom = int(seen.sum()) - int((people > 0.0).sum()) - k
    chi2 = float((((count - awaited)[seen]) ** 2 / awaited[seen]).sum())
    return chi2 / freedom if freedom > 0 else 1.0


@njit(cache=True)
def _shares(indptr: np.ndarray, features: np.ndarray, b: np.ndarray) -> np.ndarray:  # pragma: no cover
    out = np.empty(features.shape[0])
    for i in range(indptr.size - 1):
        top = -np.inf
        for pair in range(indptr[i], indptr[i + 1]):
            power = 0.0
            for c in range(b.size):
                power += features[pair, c] * b[c]
            out[pair] = power
            top = max(top, power)
        # About the largest power of each row, so that nothing overflows.
        total = 0.0
        for pair in range(indptr[i], indptr[i + 1]):
            out[pair] = np.exp(out[pair] - top)
            total += out[pair]
        for pair in range(indptr[i], indptr[i + 1]):
            out[pair] /= total
    return out


@njit(cache=True)
def _sweep(
    indptr: np.ndarray, features: np.ndarray, b: np.ndarray, count: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Return the log likelihood, its slope, minus its second derivative, and the rows' slopes squared."""
    k = b.size
    value, slope = 0.0, np.zeros(k)
    bend, meat = np.zeros((k, k)), np.zeros((k, k))
    mean, second, own = np.empty(k), np.empty((k, k)), np.empty(k)
    pull = np.empty(features.shape[0])
    for i in range(indptr.size - 1):
        first, last = indptr[i], indptr[i + 1]
        people = 0.0
        for pair in range(first, last):
            people += count[pair]
        if people <= 0.0:
            continue
        mean[:], second[:], own[:] = 0.0, 0.0, 0.0
        value += _add_row((first, last), features, b, count, pull)
        _add_moments((first, last), features, count, pull, (mean, second, own))
        for c in range(k):
            own[c] -= people * mean[c]
            slope[c] += own[c]
        for c in range(k):
            for d in range(k):
                bend[c, d] += people * (second[c, d] - mean[c] * mean[d])
                meat[c, d] += own[c] * own[d]
    return value, slope, bend, meat


@njit(cache=True)
def _add_row(
    row: tuple[int, int], features: np.ndarray, b: np.ndarray, count: np.ndarray, share: np.ndarray
) -> float:  # pragma: no cover - compiled
    """Write the shares of a row's pairs; return its log likelihood."""
    first, last = row
    top, total, value = -np.inf, 0.0, 0.0
    for pair in range(first, last):
        share[pair] = 0.0
        for c in range(b.size):
            share[pair] += features[pair, c] * b[c]
        top = max(top, share[pair])
    # About the largest power of each row, so that nothing overflows.
    for pair in range(first, last):
        total += np.exp(share[pair] - top)
    for pair in range(first, last):
        if count[pair] > 0.0:
            value += count[pair] * (share[pair] - top - np.log(total))
        share[pair] = np.exp(share[pair] - top) / total
    return value


@njit(cache=True)
def _add_moments(
    row: tuple[int, int],
    features: np.ndarray,
    count: np.ndarray,
    share: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:  # pragma: no cover - compiled
    """Add the means, mean products and chosen sums of a row's features.

    Told from the first place of the row: what is alike for all places is 0 exactly, and tells nothing.
    """
    first, last = row
    mean, second, own = sums
    for pair in range(first, last):
        for c in range(mean.size):
            x = features[pair, c] - features[first, c]
            mean[c] += share[pair] * x
            own[c] += count[pair] * x
            for d in range(mean.size):
                second[c, d] += share[pair] * x * (features[pair, d] - features[first, d])
