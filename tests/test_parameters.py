"""Every parameter acts: changed alone, it changes what a plan says."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from region import branch_frame, county_frame, scenario_text, write_region, write_rivers, write_roads

import siteplanner.plan
from siteplanner.layers.reading import read_layers
from siteplanner.layers.scenario_file import load_scenario
from siteplanner.model.access import Travel
from siteplanner.outputs.parameters import parameters
from siteplanner.plan import make_plan
from siteplanner.scenario import Section

FILES = "says which file is read, and how; see tests/layers"
FITS = "the region's branches are too few for a fit; see tests/model/test_calibration.py"
WORDS = "what readers see, not what is decided"

EXEMPT = {
    **{
        parameter.key: FILES
        for parameter in parameters()
        if parameter.key.startswith("inputs.") and not parameter.key.endswith(("_year", ".year"))
    },
    "name": WORDS,
    "title_zh": WORDS,
    "title_en": WORDS,
    "output.language": WORDS,
    "output.synthetic": WORDS,
    "engine.kind": "the engines give the same sums",
    "engine.master": "the engines give the same sums; see tests/engines/test_spark_sessions.py",
    "engine.spark_conf": "the engines give the same sums; see tests/engines/test_spark_sessions.py",
    "phasing.quarterly_batch": "the small region moves too little; see tests/model/test_phasing.py",
    "phasing.yearly_share": "the small region moves too little; see tests/model/test_phasing.py",
    "phasing.lease_window_months": "the small region states no leases; see tests/model/test_phasing.py",
    "phasing.lease_wait_months": "the small region states no leases; see tests/model/test_phasing.py",
    "phasing.lease_break_months": "the small region states no leases; see tests/model/test_phasing.py",
    "relocation.time_limit_s": "only the clock of a run that is too slow",
    "relocation.seed": "another seed may find the same plan",
    "formats.catalogue": FILES,
    "market.calibration": FITS,
    "market.prior_width_decay": FITS,
    "market.prior_width_attractiveness": FITS,
}

CHANGED = {
    "inputs.population.year": 2021,
    "inputs.population.earlier_year": 2012,
    "grid.cell_m": 1_100.0,
    "grid.h3_resolution": 7,
    "grid.pixel_method": "centre",
    "demand.weight_home": 0.6,
    "demand.weight_work": 0.6,
    "demand.weight_visit": 0.6,
    "demand.footfall_spread_m": 3_000.0,
    "demand.visits_per_person_year": 4.0,
    "demand.business_days_per_year": 300,
    **{f"demand.migration_{name}_share": 0.5 for name in ("18_34", "35_59", "60", "business")},
    **{f"demand.migration_{name}_per_year": 0.2 for name in ("18_34", "35_59", "60", "business")},
    "demand.cash_share": 0.5,
    "demand.cash_migration_share": 0.5,
    "demand.aged_60_factor": 3.0,
    "demand.county_control": "residents",
    "demand.share_18_34": 0.3,
    "demand.share_35_59": 0.3,
    "demand.share_60": 0.3,
    "demand.businesses_per_1000": 50.0,
    "demand.visits_per_business_year": 12.0,
    "demand.deposits_18_34_factor": 0.2,
    "demand.deposits_60_factor": 2.0,
    "demand.deposits_per_business_wan": 20.0,
    "demand.growth_cap_per_year": 0.01,
    "demand.deposits_growth_per_year": 0.03,
    "demand.deposits_per_person_cny": 30_000.0,
    "demand.rural_deposit_factor": 0.8,
    "demand.town_deposit_factor": 0.9,
    "demand.household_size": 3.5,
    "demand.occupancy_final": 0.5,
    "demand.occupancy_half_years": 4.0,
    "demand.occupancy_rate": 0.5,
    "demand.plan_year": 2023,
    "demand.horizon_years": 8,
    "access.core.density_per_km2": 20_000.0,
    "access.urban.density_per_km2": 3_000.0,
    "access.town.density_per_km2": 800.0,
    **{f"access.{kind}.speed_kmh": 12.0 for kind in ("core", "urban", "town", "rural")},
    **{f"access.{kind}.detour": 1.8 for kind in ("core", "urban", "town", "rural")},
    **{f"access.{kind}.reach_km": 8.0 for kind in ("core", "urban", "town", "rural")},
    "access.core.on_roads": "drive",
    **{f"access.{kind}.on_roads": "walk" for kind in ("urban", "town", "rural")},
    **{
        f"access.roads.{kind}_kmh": 9.0
        for kind in (
            "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
            "living_street", "service", "track",
        )
    },
    **{f"access.roads.factor_{kind}": 0.3 for kind in ("core", "urban", "town", "rural")},
    "access.roads.walk_kmh": 3.0,
    "access.roads.parking_min": 9.0,
    "access.roads.snap_km": 0.2,
    "access.measure": "bfca",
    "access.trip_weights": "gaussian",
    **{f"access.raam_{kind}_min": 60.0 for kind in ("core", "urban", "town", "rural")},
    "access.bands_min": [5.0, 10.0, 15.0],
    "access.band_weights": [1.0, 0.5, 0.1],
    "access.barrier_factor": 5.0,
    "access.hours_from": 17.0,
    "access.hours_to": 19.0,
    "access.usual_opens_at": 10.5,
    "access.usual_closes_at": 18.5,
    "access.cover_min": 8.0,
    "market.decay_per_min": 0.2,
    "market.decay_form": "gaussian",
    "market.decay_power": 0.7,
    "market.decay_least_min": 6.0,
    "market.decay_sigma_min": 15.0,
    "market.decay_steps_min": [5.0, 12.0, 20.0],
    "market.decay_step_weights": [1.0, 0.3, 0.1],
    **{f"market.decay_factor_{kind}": 1.6 for kind in ("core", "urban", "town", "rural")},
    "market.attractiveness_exponent": 1.4,
    "market.outside_share": 0.3,
    "market.capacity_exponent": 1.0,
    "market.device_equivalent": 1.0,
    "market.atm_equivalent": 1.0,
    "market.rival_big": 2.0,
    "market.rival_postal": 2.0,
    "market.rival_joint": 2.0,
    "market.rival_city": 2.0,
    "market.rival_rural_urban": 2.0,
    "market.rival_rural_township": 2.0,
    "zones.method": "regions",
    "zones.least_visits": 400.0,
    "zones.core_visits": 300.0,
    "zones.link_m": 600.0,
    "zones.clusters": "leaf",
    "zones.shifts": 1,
    "zones.viable_years": 0.1,
    "zones.dense_supply_pct": 20.0,
    "zones.dense_overlap": 0.95,
    "zones.dense_lq": 50.0,
    "zones.saturated_performance": 2.0,
    "zones.productive_performance": 3.0,
    "zones.blank_demand_pct": 95.0,
    "zones.blank_supply_pct": 80.0,
    "zones.contested_pct": 0.0,
    "zones.true_blank_pct": 99.0,
    "zones.thin_demand_pct": 60.0,
    "zones.inflow_growth_pct": 10.0,
    "zones.inflow_people": 20.0,
    "zones.inflow_households": 20_000.0,
    "zones.band_urban_m": 4_000.0,
    "zones.band_rural_m": 2_000.0,
    "zones.fdr_q": 0.9,
    "zones.min_residents": 15_000.0,
    "quotas.theta": 0.2,
    "quotas.max_change": 2,
    "sites.per_zone": 1,
    "sites.max_sites": 8,
    "queues.longest_wait_min": 3.0,
    "queues.opens_at_hour": 8.0,
    **{
        f"scores.{name}": 0.9
        for name in (
            "release_overlap", "release_surplus", "release_performance", "release_retention",
            "release_trend", "release_cost", "release_queue", "attract_gap", "attract_growth",
            "attract_potential", "attract_rivals", "attract_access", "attract_cost", "attract_inclusive",
            "attract_synergy",
        )
    },
    "relocation.max_moves": 1,
    "relocation.sources": ["dense_productive"],
    "relocation.source_overlap": 0.05,
    "relocation.destinations": ["inclusive"],
    "relocation.money_weight": 0.0,
    "relocation.inclusion_weight": 50.0,
    "relocation.cover_weight": 1.0,
    "relocation.score_weight": 20.0,
    "relocation.spacing_core_km": 3.0,
    "relocation.spacing_urban_km": 3.0,
    "relocation.spacing_town_km": 4.0,
    "relocation.spacing_rural_km": 2.0,
    "relocation.gap": 0.5,
    "rules.protected": ["B05"],
    "rules.keep_last_in_township": False,
    "rules.keep_last_own_in_county": False,
    "rules.county_floor": {"140101": 8},
    "rules.county_cap": {"140102": 2},
    "rules.tier_when_unknown": "T",
    "phasing.approval_months": 12,
    "phasing.works_months": 9,
    "phasing.acceptance_months": 8,
    "phasing.frozen_months": [10, 11],
    "phasing.yearly_capex_wan": 300.0,
    "phasing.homes_occupied": 0.8,
    "economics.spread": 0.02,
    "economics.fee_share": 0.01,
    "economics.discount_rate": 0.04,
    "economics.closing_cost_wan": 90.0,
    "economics.ramp": [0.5, 0.6, 0.7, 0.8, 0.9],
    "economics.loss_min": 0.15,
    "economics.loss_max": 0.8,
    "economics.dependence_u": 0.9,
    "economics.dependence_c": 0.9,
    "economics.dependence_t": 0.2,
    "economics.delta_u_km": 0.5,
    "economics.delta_c_km": 1.0,
    "economics.delta_t_km": 1.0,
    "economics.short_move_u_km": 40.0,
    "economics.short_move_ct_km": 40.0,
    "economics.short_move_retention": 0.99,
    "economics.dependence_range": 0.3,
    "economics.delta_range": 3.0,
    "economics.short_move_range": 0.005,
    "economics.models_differ": 1.0,
    "economics.inertia": 10.0,
    "formats.visits_per_counter_day": 20.0,
    "clusters.max_size": 3,
    "clusters.radius_u_km": 0.7,
    "clusters.radius_ct_km": 5.0,
}  # fmt: skip

# Some parameters act only where others leave them room: here where the old town counts as dense.
DENSE = {"zones.fdr_q": 0.4}
WITH = {
    "demand.county_control": {"inputs.counties.path": "counted.geojson"},
    "zones.dense_supply_pct": DENSE,
    "zones.dense_overlap": {**DENSE, "zones.dense_lq": 99.0},
    "zones.dense_lq": {**DENSE, "zones.dense_overlap": 1.0},
    "zones.saturated_performance": DENSE,
    "zones.productive_performance": DENSE,
    "zones.contested_pct": {"zones.true_blank_pct": 0.0},
    "relocation.sources": {**DENSE, "relocation.source_overlap": 1.0},
    "relocation.gap": {"relocation.max_moves": 9},
    "relocation.spacing_core_km": {"access.core.density_per_km2": 3_000.0},
    "economics.short_move_retention": {"economics.short_move_u_km": 40.0},
    "economics.short_move_range": {"economics.short_move_u_km": 40.0},
    "economics.short_move_ct_km": {"relocation.sources": [], "relocation.max_moves": 9},
}
WITH |= {f"zones.{name}": {"zones.method": "hdbscan"} for name in ("core_visits", "link_m", "clusters")}
WITH |= {"zones.least_visits": {"zones.method": "regions"}}
# Few places of the small region feed a branch: where deposits earn nine tenths, all do.
FED = {"economics.spread": 0.9}
WITH |= {"zones.true_blank_pct": FED, "zones.min_residents": FED}
WITH["zones.clusters"] = {
    "zones.method": "hdbscan",
    "zones.least_visits": 5.0,
    "zones.core_visits": 3.0,
    **FED,
}
WITH |= {f"access.raam_{kind}_min": {"access.measure": "raam"} for kind in ("core", "urban", "town", "rural")}
WITH |= {
    f"market.decay_{key}": {"market.decay_form": form}
    for key, form in (
        ("power", "power"),
        ("least_min", "combined"),
        ("sigma_min", "gaussian"),
        ("steps_min", "step"),
        ("step_weights", "step"),
    )
}
ROADS = {"inputs.roads.path": "roads.geojson", "inputs.roads.datum": "wgs84"}
WITH |= {key: ROADS for key in CHANGED if ".roads." in key or key.endswith(".on_roads")}

WITH |= {
    "access.barrier_factor": {"inputs.barriers.path": "rivers.geojson", "inputs.barriers.datum": "wgs84"},
    "access.usual_opens_at": {"access.hours_from": 10.0, "access.hours_to": 11.0},
    "access.usual_closes_at": {"access.hours_from": 17.0, "access.hours_to": 18.0},
}
# Only together do these two mean anything.
TOGETHER = {"access.hours_from": {"access.hours_to": 18.0}, "access.hours_to": {"access.hours_from": 10.0}}

# Visits and deposits that branches tell set their level, townships tell tiers; where they do not, these do.
WHERE_LITTLE_IS_TOLD = {
    "demand.visits_per_person_year", "demand.cash_share", "demand.cash_migration_share",
    "demand.deposits_per_person_cny", "rules.tier_when_unknown",
}  # fmt: skip

STEPS = (
    "get_engine", "make_grid", "sum_people", "sum_footfall", "settle_residents", "estimate_demand", "equip",
    "list_outlets", "measure_access", "fit_market", "forecast_demand", "look_ahead", "find_zones",
    "set_quotas",
)  # fmt: skip


def _kept(step):
    """Run a step once for the same inputs; records are the same when they are the same object."""
    known = {}

    def run(*inputs):
        key = tuple(_key(one) for one in inputs)
        if key not in known:
            known[key] = (step(*inputs), inputs)
        return known[key][0]

    return run


def _key(one):
    if isinstance(one, Travel):
        return repr(one.settings), id(one.roads), id(one.barriers)
    return repr(one) if _is_settings(one) else id(one)


def _is_settings(value):
    return isinstance(value, Section) or (
        isinstance(value, tuple) and all(isinstance(part, Section) for part in value)
    )


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """Write the region; early steps whose settings did not change are run once for all tests."""
    folder = tmp_path_factory.mktemp("region")
    write_region(folder)
    write_roads(folder)
    write_rivers(folder)
    branch_frame()[["branch_id", "name", "lon", "lat"]].to_csv(folder / "silent.csv", index=False)
    county_frame().assign(residents=100_000.0).to_file(folder / "counted.geojson", driver="GeoJSON")
    silent = scenario_text(without=("townships",)).replace("branches.csv", "silent.csv")
    (folder / "silent.toml").write_text(silent, encoding="utf-8")

    @cache
    def layers(name, *overrides):
        return read_layers(load_scenario(folder / name, overrides), folder)

    @cache
    def tables(name, *overrides):
        of_files = [part for part in overrides if part.startswith(("inputs.", "rules."))]
        return _tables(make_plan(load_scenario(folder / name, overrides), layers(name, *of_files)))

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(siteplanner.plan, name, _kept(getattr(siteplanner.plan, name)))
        patch.setattr(siteplanner.plan, "_epochs", _kept(siteplanner.plan._epochs))
        yield SimpleNamespace(tables=tables)


def _tables(plan):
    proof = plan.relocation.proof
    return {
        "hexagons": plan.hexagons,
        "demand": plan.demand.cells,
        "segments": plan.demand.segments,
        "forecast": plan.forecast.counties,
        "access": plan.access.cells,
        "outlets": plan.access.outlets,
        "market cells": plan.market.cells,
        "market outlets": plan.market.outlets,
        "zones": plan.zones.zones,
        "zone cells": plan.zones.cells,
        "quotas": plan.quotas.counties,
        "candidates": plan.candidates.sites,
        "release": plan.scores.release,
        "attract": plan.scores.attract,
        "moves": plan.relocation.moves,
        "schedule": plan.schedule,
        "rejected": plan.relocation.rejected,
        "trace": plan.relocation.trace,
        "proof": pd.DataFrame({"is": [proof.before, proof.after, proof.bound, proof.gap]}),
        "destinations": plan.formats.destinations,
        "after": plan.formats.branches_after,
        "ledger": plan.ledger.moves,
        "kpis": plan.ledger.kpis,
        "counties": plan.ledger.counties,
        "clusters": plan.clusters.branches,
    }


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(part)}' for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _override(changes):
    return tuple(f"{key}={_toml(value)}" for key, value in changes.items())


def _alike(one, other):
    """Tell whether two tables are equal but for rounding errors."""
    if not (one.index.equals(other.index) and one.columns.equals(other.columns)):
        return False
    return all(
        np.allclose(one[name], other[name], rtol=1e-6, atol=1e-9, equal_nan=True)
        if pd.api.types.is_float_dtype(one[name])
        else one[name].equals(other[name])
        for name in one
    )


def test_the_table_knows_every_parameter():
    keys = {parameter.key for parameter in parameters()}
    assert set(CHANGED) | set(EXEMPT) == keys
    assert not set(CHANGED) & set(EXEMPT)


@pytest.mark.parametrize("key", CHANGED)
def test_parameter_acts(region, key):
    room = WITH.get(key, {})
    scenario = "silent.toml" if key in WHERE_LITTLE_IS_TOLD else "scenario.toml"
    before = region.tables(scenario, *_override(room))
    after = region.tables(scenario, *_override({**room, **TOGETHER.get(key, {}), key: CHANGED[key]}))
    assert not all(_alike(before[name], after[name]) for name in before), f"{key} does nothing"


def test_a_value_stated_as_it_is_by_default_changes_nothing(region):
    again = region.tables("scenario.toml", "relocation.max_moves=3")
    before = region.tables("scenario.toml")
    assert [name for name in before if not _alike(before[name], again[name])] == []
