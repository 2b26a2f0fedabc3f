import bank_town
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from siteplanner.model.scores import _scale, score_places
from siteplanner.scenario import ScoreSettings
from siteplanner.tables import ATTRACT_PARTS, RELEASE_PARTS


@pytest.fixture(scope="module")
def town():
    return bank_town.usual_town()


def test_scale_is_clipped_between_the_percentiles_of_the_tier():
    # 0..100 in tier U: P5 = 5, P95 = 95; a constant tier says nothing; the sign turns the scale.
    values = pd.Series([*range(101), 7.0, 7.0], dtype=float)
    tier = pd.Series(["U"] * 101 + ["T"] * 2)
    found = _scale(values, tier, 1.0)
    assert found[[0, 5, 50, 95, 100]].tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])
    assert found[[101, 102]].tolist() == [0.5, 0.5]
    assert _scale(values, tier, -1.0)[[0, 50, 100]].tolist() == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize(("table", "parts"), [("release", RELEASE_PARTS), ("attract", ATTRACT_PARTS)])
def test_parts_add_up_to_the_score(town, table, parts):
    frame = getattr(town.scores, table)
    total = sum((frame[f"part_{part}"] for part in parts), pd.Series(0.0, index=frame.index))
    assert (frame["score"] == total).all()
    assert frame["score"].between(0.0, 100.0).all()


def test_no_part_exceeds_its_share_of_the_weights(town):
    settings = ScoreSettings()
    weights = {part: getattr(settings, f"release_{part}") for part in RELEASE_PARTS}
    for part, weight in weights.items():
        limit = 100.0 * weight / sum(weights.values())
        assert (town.scores.release[f"part_{part}"] <= limit + 1e-9).all()


def test_weights_on_one_criterion_leave_only_it(town):
    weights = {f"release_{part}": 0.0 for part in RELEASE_PARTS} | {"release_overlap": 3.0}
    scenario = town.scenario.model_copy(update={"scores": ScoreSettings(**weights)})
    release = score_places(town.evidence, town.contest, town.ground, scenario).release
    assert (release["score"] == release["part_overlap"]).all()
    assert release["part_overlap"].max() == pytest.approx(100.0)


def test_all_weights_zero_are_refused():
    with pytest.raises(ValidationError, match="at least one weight of attract"):
        ScoreSettings(**{f"attract_{part}": 0.0 for part in ATTRACT_PARTS})


def test_extra_distance_is_weighted_by_customers(town):
    # By hand for B7: the nearest other own outlet of each cell, weighted by the visits that B7 draws there.
    contest, at = town.contest, 6
    minutes = contest.network.own_minutes.toarray()
    minutes[minutes == 0.0] = np.inf
    own = contest.network.own.toarray()
    visits = contest.visits * own[:, at] / (contest.network.rest + own.sum(axis=1))
    other = np.delete(minutes, at, axis=1).min(axis=1)
    beyond = np.maximum(contest.reach_km / contest.km_per_minute, minutes[:, at])
    other = np.where(np.isfinite(other), other, beyond)
    drawn = visits > 0.0
    extra = np.maximum(other[drawn] - minutes[drawn, at], 0.0) * contest.km_per_minute[drawn]
    km = np.average(extra, weights=visits[drawn])
    # C4 stands 0.43 km from B7, so loss is larger by a quarter (D§7.2).
    loss = 1.25 * (0.05 + 0.5 * 0.5 * (1.0 - np.exp(-km / 3.0)))
    assert town.scores.release["value_retention"]["B7"] == pytest.approx(1.0 - loss, rel=1e-6)


def test_values_of_a_site_are_sums_over_its_catchment(town):
    sites, demand = town.evidence.candidates, town.evidence.demand.cells
    value = town.scores.attract.iloc[0]
    near = (sites.reach.indices == 0) & (sites.reach.minutes <= 15.0)
    rows = np.repeat(np.arange(sites.reach.cell_id.size), np.diff(sites.reach.indptr))[near]
    cells = demand.loc[sites.reach.cell_id[rows]]
    assert value["value_potential"] == pytest.approx(cells["potential_wan"].sum())
    assert value["value_access"] == pytest.approx(cells["visits_per_day"].sum())
    rival = town.evidence.market.cells["share_rival"].loc[cells.index]
    assert value["value_rivals"] == pytest.approx(np.average(rival, weights=cells["visits_per_day"]))


def test_lease_that_still_runs_lowers_the_cost_a_move_avoids(town):
    # B1's lease ends on 2031-12-31, after the horizon from 2026-01-01: all of its 30 % of the cost is bound.
    release, market = town.scores.release, town.evidence.market.outlets
    yearly = market["visits_per_day"] * 250.0
    cost = town.evidence.branches["opex_wan"] * 1e4
    assert release["value_cost"]["B1"] == pytest.approx(0.7 * cost["B1"] / yearly["B1"])
    assert release["value_cost"]["B2"] == pytest.approx(cost["B2"] / yearly["B2"])
