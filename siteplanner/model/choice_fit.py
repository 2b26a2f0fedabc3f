"""Alpha and the decay from choices: one decay factor for all settlement classes, or one each where told."""

from dataclasses import dataclass

import numpy as np

from siteplanner import tables
from siteplanner.model.choice import (
    Fit,
    Options,
    expected,
    fit_choices,
    log_centred,
    log_likelihood,
    row_of_pairs,
    row_sums,
)
from siteplanner.model.origins import Choices, Scene, deal_blocks, part_of

# The scenario's own decay, taken to the power 1.
PRIOR_DECAY = 1.0
# Ranges of alpha and of the power to which the decay is taken: what the scenario allows, and for the decay
# no less than a twentieth.
RANGES = ((0.0, 5.0), (0.05, 10.0))
# Ten choices a coefficient are the fewest to rest on (Peduzzi et al. 1996), and so many places: no source.
CHOICES_PER_COEFFICIENT = 10.0
PLACES_MIN = 5
# Decays by class are taken where Akaike's criterion, divided by the dispersion, falls by more (D§4).
DELTA_AIC = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceFit:
    """A fit to choices.

    Parameters
    ----------
    coefficients, errors, status
        Alpha first, then the decay factor, or one for each of `columns` classes: fitted, prior (the evidence
        does not tell it) or bound (the evidence points beyond what is allowed). Errors are NaN but where
        fitted.
    class_column
        By class of `tables.SETTLEMENTS`: its place among the decay factors.
    telling
        People, or shares, in rows with two places or more.
    awaited, went
        By place: expected and seen.
    held_out, held_out_prior
        Share of people in blocks left out of the fit who were ascribed to other places than theirs, net, by
        the fit to the other blocks and by the scenario's own values.
    mci
        Coefficients of the log-centred regression; NaN where it cannot be made.
    profile
        Decay factors common to all classes, and twice the log likelihood below its top.
    """

    coefficients: np.ndarray
    errors: np.ndarray
    status: tuple[str, ...]
    class_column: np.ndarray
    fit: Fit
    telling: float
    awaited: np.ndarray
    went: np.ndarray
    held_out: float
    held_out_prior: float
    mci: np.ndarray
    profile: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Bounded:
    fit: Fit
    held: np.ndarray
    status: tuple[str, ...]


def fit_evidence(choices: Choices, scene: Scene, tried: np.ndarray) -> ChoiceFit | None:
    """Fit choices; None where they tell too little of the decay.

    Parameters
    ----------
    tried
        Decay factors at which the profile is told.
    """
    alpha, surveyed = scene.settings.attractiveness_exponent, choices.alternatives == "listed"
    several = np.diff(choices.options.indptr) > 1
    people = row_sums(choices.options, choices.count)
    telling = float(people[several].sum())
    enough = int((several & (people > 0.0)).sum()) >= PLACES_MIN
    if not enough or (not surveyed and telling < 2.0 * CHOICES_PER_COEFFICIENT):
        return None
    common = _bounded(choices.options, choices.count, alpha)
    if common is None:
        return None
    column, best, options = np.zeros(len(tables.SETTLEMENTS), dtype=np.int64), common, choices.options
    split = _by_class(choices, people * several, surveyed=surveyed)
    if split is not None:
        by_class = _bounded(split[1], choices.count, alpha)
        if by_class is not None and _is_better(by_class, common, surveyed=surveyed):
            (column, options), best = split, by_class
    b = best.fit.coefficients
    n = scene.own.size
    errors = np.where(np.isnan(best.held), _safe_errors(best.fit, surveyed=surveyed), np.nan)
    held_out = _held_out(choices, options, (best, alpha), scene)
    mci = log_centred(choices.options, choices.count)
    return ChoiceFit(
        b, errors, best.status, column, best.fit, telling,
        np.bincount(options.place, expected(options, b, people), n),
        np.bincount(options.place, choices.count, n),
        *held_out,
        np.full(2, np.nan) if mci is None else mci[0],
        _profile(choices, common, tried),
    )  # fmt: skip


def _safe_errors(fit: Fit, *, surveyed: bool) -> np.ndarray:
    """Return the errors that an interval rests on.

    Shares are no counts, so that the Hessian does not know how sure they are; people who decide together
    make counts less sure than it says, never more.
    """
    return fit.robust if surveyed else np.maximum(fit.errors, fit.robust)


def _bounded(options: Options, count: np.ndarray, alpha: float) -> _Bounded | None:
    """Fit with every coefficient inside its range; None where no decay factor is told.

    A coefficient that nothing tells is held at its prior, one that leaves its range at the bound.
    """
    k = options.features.shape[1]
    held = np.full(k, np.nan)
    status = ["fitted"] * k
    prior = np.append(alpha, np.full(k - 1, PRIOR_DECAY))
    low, high = (np.append(RANGES[0][side], np.full(k - 1, RANGES[1][side])) for side in (0, 1))
    for _ in range(2 * k):
        fit = fit_choices(options, count, held)
        free = np.isnan(held)
        if not np.isfinite(fit.errors).all():
            if not free[0]:
                return None
            # What attractiveness weighs is the first not to be told: where all outlets are alike.
            held[0], status[0] = prior[0], "prior"
            continue
        beyond = free & ((fit.coefficients < low) | (fit.coefficients > high))
        if not beyond.any():
            return _Bounded(fit, held, tuple(status))
        for at in np.flatnonzero(beyond):
            held[at], status[at] = np.clip(fit.coefficients[at], low[at], high[at]), "bound"
    return None


def _by_class(choices: Choices, telling: np.ndarray, *, surveyed: bool) -> tuple[np.ndarray, Options] | None:
    """Give every class with evidence enough a decay of its own; the others share one.

    None where fewer than two classes would differ.
    """
    n = len(tables.SETTLEMENTS)
    people = np.bincount(choices.settlement, telling, n)
    places = np.bincount(choices.settlement, telling > 0.0, n)
    told = (places >= PLACES_MIN) & (surveyed | (people >= 2.0 * CHOICES_PER_COEFFICIENT))
    some = people > 0.0
    if int(told.sum()) < 1 or int(some.sum()) < 2 or (told.sum() == 1 and not (some & ~told).any()):  # noqa: PLR2004
        return None
    column = np.where(told, np.cumsum(told) - 1, int(told.sum()))
    if not (some & ~told).any():
        # Nobody tells of these classes: they take the decay of the class with the most evidence.
        column = np.where(told, column, column[int(np.argmax(people))])
    of_pair = column[choices.settlement][row_of_pairs(choices.options)]
    decays = np.zeros((choices.count.size, int(column.max()) + 1))
    decays[np.arange(of_pair.size), of_pair] = choices.options.features[:, 1]
    features = np.column_stack((choices.options.features[:, 0], decays))
    return column, Options(choices.options.indptr, choices.options.place, features)


def _is_better(many: _Bounded, one: _Bounded, *, surveyed: bool) -> bool:
    """Compare by Akaike's criterion on the likelihood over its dispersion (Burnham & Anderson 2002)."""
    spread = many.fit.dispersion if surveyed else max(many.fit.dispersion, 1.0)
    gain = 2.0 * (many.fit.log_likelihood - one.fit.log_likelihood) / max(spread, np.finfo(float).tiny)
    more = int(np.isnan(many.held).sum()) - int(np.isnan(one.held).sum())
    return bool(gain - 2.0 * more > DELTA_AIC)


def _held_out(
    choices: Choices, options: Options, about: tuple[_Bounded, float], scene: Scene
) -> tuple[float, float]:
    """Return the share of people ascribed to wrong places, of blocks left out; NaN with one block."""
    best, alpha = about
    people = row_sums(options, choices.count)
    fold = deal_blocks(scene.grid, scene.reach.cell_id[choices.row], people)
    prior = np.append(alpha, np.full(options.features.shape[1] - 1, PRIOR_DECAY))
    wrong = np.zeros(2)
    n = scene.own.size
    for one in np.unique(fold):
        rest = part_of(options, choices.count, fold != one)
        if not rest[1].sum() > 0.0:
            return np.nan, np.nan
        mine, count = part_of(options, choices.count, fold == one)
        b = fit_choices(*rest, best.held).coefficients
        for at, used in enumerate((b, prior)):
            awaited = np.bincount(mine.place, expected(mine, used, row_sums(mine, count)), n)
            wrong[at] += np.abs(np.bincount(mine.place, count, n) - awaited).sum() / 2.0
    total = float(people.sum())
    return float(wrong[0]) / total, float(wrong[1]) / total


def _profile(choices: Choices, common: _Bounded, tried: np.ndarray) -> np.ndarray:
    """Return twice the log likelihood below its top along the decay, alpha fitted anew at each."""
    values = []
    for value in tried:
        held = np.array([common.held[0], value])
        values.append(fit_choices(choices.options, choices.count, held).log_likelihood)
    top = max([log_likelihood(choices.options, common.fit.coefficients, choices.count), *values])
    return np.column_stack((tried, 2.0 * (top - np.array(values)))).reshape(-1, 2)
