"""The calibration ladder: the market's decay and alpha from the best evidence there is (D§4).

Origins of customers first, then surveyed shares, then branch volumes, else the scenario's own values.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from siteplanner import tables
from siteplanner.errors import Fault, InputError
from siteplanner.model.access import Access
from siteplanner.model.choice import Z_95
from siteplanner.model.choice_fit import PRIOR_DECAY, RANGES, ChoiceFit, fit_evidence
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid, nearest_cells
from siteplanner.model.market import (
    Market,
    balance_outside,
    calibrate,
    decay_factors,
    find_near_banks,
    share_market,
    tally,
)
from siteplanner.model.moran import morans_i
from siteplanner.model.origins import Scene, deal_blocks, gather_choices, log_decays, pull_pairs
from siteplanner.model.outlets import list_outlets, weigh
from siteplanner.model.sphere import unit_vectors
from siteplanner.model.volume_fit import (
    PLACES_MIN,
    Predict,
    Prior,
    VolumeFit,
    fit_volumes,
    left_out,
    residuals,
)
from siteplanner.scenario import AccessSettings, MarketSettings

# Powers of the scenario's decay at which the profile is told: from a quarter to four times, evenly in ratio.
TRIED = 2.0 ** np.arange(-2.0, 2.25, 0.5)
# Where the scenario's decay has its scale: the parameter that the power multiplies, by form.
RATES = {"exponential": "decay_per_min", "combined": "decay_per_min", "power": "decay_power"}

# Estimate, standard error (NaN where not fitted) and where it comes from.
Estimate = tuple[float, float, str]
Measures = dict[str, tuple[float, str]]

MEASURES = {"visits_per_day": "visits", "deposits_wan": "deposits"}
NEEDED = {
    "origins": "20 customers or more of 5 cells or more who chose among outlets at different distances",
    "shares": "5 places or more with shares of two outlets or more at different distances",
    "totals": f"{PLACES_MIN} own branches or more with visits_per_day or deposits_wan",
}


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What may be known of the choices of people.

    Parameters
    ----------
    branches
        Own branches with their observed volumes, equipped.
    customers, shares
        `tables.CUSTOMERS` and `tables.SHARES`; None when not given.
    """

    branches: pd.DataFrame
    competitors: pd.DataFrame
    customers: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How the market was fitted, and how well.

    Parameters
    ----------
    rung
        ``origins``, ``shares``, ``totals``, or ``none``: the scenario's own values, uncalibrated.
    alternatives
        Among which outlets the people of the evidence chose: ``own``, ``all``, ``listed``; empty without.
    settings
        The scenario's market with the fitted decay and alpha.
    coefficients, goodness, profile
        `tables.COEFFICIENTS`, `tables.GOODNESS`, `tables.PROFILE`.
    residuals
        What the fit leaves over by outlet, for the test of clusters; empty where volumes tell it.
    """

    rung: str
    alternatives: str
    settings: MarketSettings
    coefficients: pd.DataFrame
    goodness: pd.DataFrame
    profile: pd.DataFrame
    residuals: "pd.Series[float]"

    def __post_init__(self) -> None:
        tables.check(self.coefficients, tables.COEFFICIENTS)
        tables.check(self.goodness, tables.GOODNESS)
        tables.check(self.profile, tables.PROFILE)


def fit_market(
    demand: Demand, access: Access, grid: Grid, told: Told, settings: tuple[MarketSettings, AccessSettings]
) -> tuple[Demand, Access, Market, Calibration]:
    """Share the market under the decay and alpha that the best evidence tells.

    The outlets of the access take the attractiveness that follows; the demand is stated in observed volumes,
    as `market.calibrate` does.

    Raises
    ------
    InputError
        When the scenario insists on evidence that tells too little.
    """
    access, fit = climb(demand, access, grid, told, settings)
    shared = share_market(demand, access, told.branches, (fit.settings, settings[1]))
    judged = judge_fit(fit, shared, told.branches)
    stated, market = calibrate(demand, shared)
    return stated, access, market, judged


def climb(
    demand: Demand, access: Access, grid: Grid, told: Told, settings: tuple[MarketSettings, AccessSettings]
) -> tuple[Access, Calibration]:
    """Fit the decay and alpha to the first rung of the ladder that has evidence enough.

    Raises
    ------
    InputError
        When the scenario insists on evidence that tells too little.
    """
    market = settings[0]
    plain = market.model_copy(update={"attractiveness_exponent": 1.0})
    bare = list_outlets(told.branches, told.competitors, plain)["attractiveness"].to_numpy(dtype=float)
    own = access.outlets["own"].to_numpy(dtype=bool)
    scene = Scene(grid, access.reach, access.outlets, own, bare, market)
    rungs: dict[str, Callable[[], Calibration | None]] = {
        "origins": lambda: _from_choices(scene, told.customers, "customers"),
        "shares": lambda: _from_choices(scene, told.shares, "share"),
        "totals": lambda: _from_volumes(scene, demand, told.branches, settings[1]),
        "none": lambda: _assume(market),
    }
    wanted = market.calibration
    for rung in rungs if wanted == "auto" else [wanted]:
        found = rungs[rung]()
        if found is not None:
            outlets = access.outlets.assign(attractiveness=weigh(bare, found.settings))
            return replace(access, outlets=outlets), found
    words = f'"{wanted}" with evidence that tells too little'
    raise InputError([Fault("scenario", "key market.calibration", "", words, NEEDED[wanted])])


def judge_fit(calibration: Calibration, market: Market, branches: pd.DataFrame) -> Calibration:
    """Add how far the market is from the volumes of the branches, and whether it errs in clusters.

    Parameters
    ----------
    market
        Under the calibration's settings; its volumes are scaled to the observed total.
    """
    measures: Measures = {}
    left = calibration.residuals
    for column, name in MEASURES.items():
        both = _observed_and_predicted(market, branches, column)
        if len(both) < 2:  # noqa: PLR2004 - one branch is met exactly by the level
            continue
        off = np.abs(both["predicted"] / both["observed"] - 1.0)
        measures[f"branches_{name}"] = (float(len(both)), "1")
        measures[f"mape_{name}"] = (float(off.mean()), "share")
        if both.nunique().min() > 1:
            measures[f"spearman_{name}"] = (float(spearmanr(both).statistic), "1")
        if left.empty and (both["predicted"] > 0.0).all():
            left = np.log(both["observed"]) - np.log(both["predicted"])
    if len(left):
        where = branches.reindex(left.index)
        statistic, p = morans_i(
            unit_vectors(where["lon"].to_numpy(), where["lat"].to_numpy()), left.to_numpy()
        )
        measures |= {"moran_i": (statistic, "1"), "moran_p": (p, "1")}
    return replace(calibration, goodness=pd.concat([calibration.goodness, _goodness(measures)]))


def _observed_and_predicted(market: Market, branches: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return both volumes of the branches that tell one above 0."""
    observed = branches[column].astype(float).sort_index() if column in branches else pd.Series(dtype=float)
    observed = observed[observed > 0.0]
    predicted = market.outlets[column].reindex(observed.index)
    return pd.DataFrame({"observed": observed, "predicted": predicted}, dtype=float).dropna()


def _assume(market: MarketSettings) -> Calibration:
    by_class = dict.fromkeys(tables.SETTLEMENTS, (PRIOR_DECAY, np.nan, "prior"))
    alpha = (market.attractiveness_exponent, np.nan, "prior")
    return _record("none", market, (alpha, by_class), {}, np.empty((0, 2)))


def _from_choices(scene: Scene, told: pd.DataFrame | None, weight: str) -> Calibration | None:
    if told is None or told.empty:
        return None
    choices = gather_choices(scene, told, weight)
    fit = fit_evidence(choices, scene, TRIED)
    if fit is None:
        return None
    found = list(zip(fit.coefficients.tolist(), fit.errors.tolist(), fit.status, strict=True))
    several = len(found) > 2  # noqa: PLR2004 - alpha and one decay
    by_class = {
        name: found[1 + at] if several or found[1][2] != "fitted" else (*found[1][:2], "common")
        for name, at in zip(tables.SETTLEMENTS, fit.class_column.tolist(), strict=True)
    }
    rung, unit = ("origins", "1") if weight == "customers" else ("shares", "share")
    measures: Measures = {
        "evidence": (float(told[weight].sum()), unit),
        "evidence_places": (float(choices.row.size), "1"),
        "evidence_telling": (fit.telling, unit),
        "evidence_unplaced": (choices.unplaced, unit),
        "evidence_beyond": (choices.beyond, unit),
        "log_likelihood": (fit.fit.log_likelihood, "1"),
        "log_likelihood_null": (fit.fit.null, "1"),
        "pseudo_r2": (fit.fit.pseudo_r2, "1"),
        "dispersion": (fit.fit.dispersion, "1"),
        "held_out": (fit.held_out, "share"),
        "held_out_prior": (fit.held_out_prior, "share"),
        "mci_attractiveness": (float(fit.mci[0]), "1"),
        "mci_decay": (float(fit.mci[1]), "1"),
    }
    record = _record(rung, scene.settings, (found[0], by_class), measures, fit.profile)
    return replace(record, alternatives=choices.alternatives, residuals=_by_outlet(fit, scene))


def _by_outlet(fit: ChoiceFit, scene: Scene) -> "pd.Series[float]":
    """Return Pearson's residual of each own outlet that somebody of the evidence was expected at."""
    seen = (fit.awaited > 0.0) & scene.own
    rest = (fit.went[seen] - fit.awaited[seen]) / np.sqrt(fit.awaited[seen])
    return pd.Series(rest, index=scene.outlets.index[seen])


def _from_volumes(
    scene: Scene, demand: Demand, branches: pd.DataFrame, access: AccessSettings
) -> Calibration | None:
    column, observed = _best_volumes(branches)
    if len(observed) < PLACES_MIN:
        return None
    prior = _beliefs(scene.settings)
    at = scene.outlets.index.get_indexer(observed.index)
    volumes = _predictor(scene, demand, access, column)
    # A branch that nobody reaches, or that pulls nobody, has no logarithm.
    seen = volumes(prior.mean)[at] > 0.0
    at, values = at[seen], observed.to_numpy()[seen]
    if at.size < PLACES_MIN:
        return None
    where = scene.outlets.iloc[at]
    cells = nearest_cells(scene.grid, where["lon"].to_numpy(), where["lat"].to_numpy())
    fold = deal_blocks(scene.grid, cells, np.ones(at.size))
    fit = fit_volumes(lambda b: volumes(b)[at], values, prior, TRIED, fold)
    moved = bool(fit.errors[1] > 0.0)
    decay: Estimate = (
        float(fit.coefficients[1]), float(fit.errors[1]) if moved else np.nan, "common" if moved else "prior",
    )  # fmt: skip
    alpha: Estimate = (float(fit.coefficients[0]), float(fit.errors[0]), "fitted")
    first = residuals(volumes(prior.mean)[at], values)
    measures = _measure_volumes(
        fit, first, left_out(prior.mean, (first, np.zeros((at.size, 2))), (prior, 1.0), fold)
    )
    by_class = dict.fromkeys(tables.SETTLEMENTS, decay)
    return _record("totals", scene.settings, (alpha, by_class), measures, fit.profile)


def _predictor(scene: Scene, demand: Demand, access: AccessSettings, column: str) -> Predict:
    """Return what tells, from alpha and a common decay factor, the volume that every outlet wins."""
    reach = scene.reach
    weight = "visits_per_day" if column == "visits_per_day" else "potential_wan"
    weights = demand.cells.loc[reach.cell_id, [weight]].to_numpy(dtype=float)
    is_open = np.ones(scene.own.size, dtype=bool)
    banks = find_near_banks(demand, reach, access)
    log_decay = log_decays(reach, scene.settings)
    utility = np.empty(reach.indices.size)

    def volumes(b: np.ndarray) -> np.ndarray:
        market = with_values(scene.settings, float(b[0]), dict.fromkeys(tables.SETTLEMENTS, float(b[1])))
        pull = weigh(scene.attractiveness, market)
        total = pull_pairs((reach.indptr, reach.indices, log_decay), pull, float(b[1]), utility)
        outside = balance_outside(banks, total, market)
        pairs = (reach.indptr, reach.indices, utility)
        return np.asarray(tally(pairs, outside, weights, scene.own, is_open)[1][:, 0])

    return volumes


def _beliefs(market: MarketSettings) -> Prior:
    low, high = (np.array([bounds[side] for bounds in RANGES]) for side in (0, 1))
    return Prior(
        np.array([market.attractiveness_exponent, PRIOR_DECAY]),
        np.array([market.prior_width_attractiveness, market.prior_width_decay]),
        low,
        high,
    )


def _best_volumes(branches: pd.DataFrame) -> tuple[str, "pd.Series[float]"]:
    """Return the volume that more branches tell, visits where both are told alike; zeros tell nothing."""
    told = {name: branches[name].astype(float).sort_index() for name in MEASURES if name in branches}
    known = {name: values[values > 0.0] for name, values in told.items()}
    if not known:
        return "visits_per_day", pd.Series(dtype=float)
    best = max(known, key=lambda name: len(known[name]))
    return best, known[best]


def _measure_volumes(fit: VolumeFit, first: np.ndarray, first_out: np.ndarray) -> Measures:
    """Tell the fit beside the scenario's own values, of which only the level is taken from the volumes."""
    held, held_prior = (float(np.abs(np.exp(rest) - 1.0).mean()) for rest in (fit.left_out, first_out))
    return {
        "evidence": (float(first.size), "1"),
        "residual_sd": (float(np.std(fit.residuals)), "1"),
        "residual_sd_prior": (float(np.std(first)), "1"),
        "delta_aic": (fit.delta_aic, "1"),
        "held_out": (held, "share"),
        "held_out_prior": (held_prior, "share"),
    }


def with_values(market: MarketSettings, alpha: float, decays: dict[str, float]) -> MarketSettings:
    """Return the scenario's market with alpha, and the decay of each class to a further power."""
    own = dict(zip(tables.SETTLEMENTS, decay_factors(market).tolist(), strict=True))
    factors = {f"decay_factor_{name}": own[name] * power for name, power in decays.items()}
    return market.model_copy(update={"attractiveness_exponent": alpha, **factors})


def _record(
    rung: str,
    market: MarketSettings,
    found: tuple[Estimate, dict[str, Estimate]],
    measures: Measures,
    profile: np.ndarray,
) -> Calibration:
    alpha, decays = found
    fitted = with_values(market, alpha[0], {name: one[0] for name, one in decays.items()})
    own = dict(zip(tables.SETTLEMENTS, decay_factors(market).tolist(), strict=True))
    rows = [_row("attractiveness", alpha, market.attractiveness_exponent, 1.0, np.nan)]
    for name, one in decays.items():
        rows.append(_row(f"decay_{name}", one, own[name], own[name], _rate(market, own[name] * one[0])))
    return Calibration(
        rung,
        "",
        fitted,
        pd.DataFrame(rows).set_index("coefficient"),
        _goodness(measures),
        pd.DataFrame(profile, columns=["decay_factor", "deviance"]),
        pd.Series(dtype=float),
    )


def _row(name: str, found: Estimate, prior: float, scale: float, rate: float) -> dict[str, float | str]:
    value, error, status = found
    half = Z_95 * error * scale
    return {
        "coefficient": name, "estimate": value * scale, "low": value * scale - half,
        "high": value * scale + half, "prior": prior, "rate": rate, "status": status,
    }  # fmt: skip


def _rate(market: MarketSettings, power: float) -> float:
    """Return the decay to a power in the parameter of its form; NaN where it goes by steps."""
    if market.decay_form == "gaussian":
        return market.decay_sigma_min / float(np.sqrt(power))
    name = RATES.get(market.decay_form)
    return np.nan if name is None else float(getattr(market, name)) * power


def _goodness(measures: Measures) -> pd.DataFrame:
    told = pd.DataFrame.from_dict(measures, orient="index", columns=["value", "unit"])
    return told.astype({"value": float, "unit": "str"}).set_axis(told.index.rename("measure").astype("str"))
