"""The whole method on one page."""

from contextlib import closing
from dataclasses import dataclass, field

import pandas as pd

from siteplanner.engines.engine import UnhashedFile, get_engine
from siteplanner.engines.hexagons import sum_hexagons
from siteplanner.engines.people import conservation, sum_footfall, sum_people
from siteplanner.layers.records import Layers
from siteplanner.model.access import Access, Travel, measure_access
from siteplanner.model.calibration import Calibration, Told, fit_market
from siteplanner.model.catalogue import equip
from siteplanner.model.clusters import Clusters, group_branches
from siteplanner.model.contest import Evidence, prepare_contest, survey_ground
from siteplanner.model.demand import Demand, estimate_demand
from siteplanner.model.developments import Epochs
from siteplanner.model.forecast import Forecast, forecast_demand
from siteplanner.model.formats import Formats, assign_formats
from siteplanner.model.grid import Grid, make_grid
from siteplanner.model.ledger import Ledger, Plans, balance_moves
from siteplanner.model.market import Market
from siteplanner.model.outlets import list_outlets
from siteplanner.model.phasing import phase_moves
from siteplanner.model.queues import measure_queues
from siteplanner.model.quotas import Quotas, set_quotas
from siteplanner.model.relocation import Relocation, relocate
from siteplanner.model.residents import settle_residents
from siteplanner.model.scores import Scores, score_places
from siteplanner.model.sites import Candidates, propose_sites
from siteplanner.model.viability import look_ahead
from siteplanner.model.zones import Places, Zones, find_zones
from siteplanner.scenario import Scenario
from siteplanner.stopwatch import Stopwatch, Watcher, nobody


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything a run found out; the only thing `outputs` may read.

    Parameters
    ----------
    scenario
        As it was given: decay and alpha as the market uses them are in ``calibration.settings``.
    footfall
        `tables.FOOTFALL_BANDS` by cell with traffic.
    hexagons
        `tables.HEXAGONS`: people and footfall by H3 cell; empty where the scenario asks for none.
    conservation
        `tables.CONSERVATION`: people in and out, by layer and county.
    seconds, peak_mb
        Wall time of each step and the process's peak memory after it, in order of the method.
    schedule
        `tables.SCHEDULE`, in the order of the moves.
    unhashed
        Files that the engine alone could read, hence without a checksum, by name.
    """

    scenario: Scenario
    layers: Layers
    grid: Grid
    footfall: pd.DataFrame
    demand: Demand
    access: Access
    market: Market
    calibration: Calibration
    forecast: Forecast
    zones: Zones
    quotas: Quotas
    candidates: Candidates
    scores: Scores
    relocation: Relocation
    schedule: pd.DataFrame
    formats: Formats
    ledger: Ledger
    clusters: Clusters
    hexagons: pd.DataFrame
    conservation: pd.DataFrame
    seconds: dict[str, float]
    peak_mb: dict[str, float]
    unhashed: dict[str, UnhashedFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What is known before anything is decided; several decisions may rest on one survey.

    Parameters
    ----------
    evidence
        Grid, demand, access, market, zones and candidates among others.
    footfall, hexagons, conservation, unhashed
        As in `Plan`.
    """

    layers: Layers
    evidence: Evidence
    calibration: Calibration
    forecast: Forecast
    quotas: Quotas
    footfall: pd.DataFrame
    hexagons: pd.DataFrame
    conservation: pd.DataFrame
    unhashed: dict[str, UnhashedFile]


def make_plan(scenario: Scenario, layers: Layers, watcher: Watcher = nobody) -> Plan:
    """Run the method from checked layers to a plan.

    Macro sets direction (quotas), meso sets layout (zones), micro sets the spot (scores); one exact decision
    over all of them; then formats, dates, the ledger and the clusters of what was decided.

    Raises
    ------
    NoLegalPlanError
        When no plan satisfies the rules.
    EngineError
        When the engine that the scenario names is missing.
    """
    clock = Stopwatch(watcher)
    return decide(survey_region(scenario, layers, clock), scenario, clock)


def survey_region(scenario: Scenario, layers: Layers, clock: Stopwatch) -> Survey:
    """Find out all that no decision changes: who lives where, is served by whom, what is dense or blank."""
    with closing(get_engine(scenario.engine)) as engine:
        clock.step("grid")
        grid = make_grid(layers.counties, scenario.grid)
        clock.step("people")
        people = sum_people(engine, layers, grid)
        clock.step("footfall")
        footfall = sum_footfall(engine, layers, grid, clock.report)
    clock.step("hexagons")
    hexagons = sum_hexagons(layers, grid, people, footfall.cells, scenario.grid.h3_resolution)
    clock.step("demand")
    mix, epochs = (scenario.demand, scenario.access), _epochs(layers)
    residents = settle_residents(grid, people.parts, layers.counties, layers.developments, epochs, mix)
    demand = estimate_demand(grid, residents, footfall.cells, scenario.demand)
    clock.step("access")
    branches = equip(layers.branches, layers.catalogue)
    outlets = list_outlets(branches, layers.competitors, scenario.market)
    travel = Travel(scenario.access, layers.roads, layers.barriers)
    access = measure_access(demand, grid, outlets, travel, layers.service_points)
    clock.step("market")
    told = Told(branches, layers.competitors, layers.customers, layers.shares)
    demand, access, market, calibration = fit_market(
        demand, access, grid, told, (scenario.market, scenario.access)
    )
    scenario = scenario.model_copy(update={"market": calibration.settings})
    clock.step("forecast")
    forecast = forecast_demand(grid, residents, demand, market, scenario.demand)
    clock.step("zones")
    places = Places(layers.counties, layers.townships, layers.developments)
    money = (scenario.market, scenario.economics, scenario.zones)
    prospects = look_ahead(access, market, forecast, branches, layers.competitors, layers.catalogue, money)
    zones = find_zones(grid, demand, access, market, places, scenario.zones, prospects)
    clock.step("quotas")
    quotas = set_quotas(
        grid, demand, outlets, layers.counties, (scenario.quotas, scenario.rules, scenario.demand)
    )
    clock.step("sites")
    candidates = propose_sites(grid, demand, access, zones, places, layers.sites, scenario)
    queues = measure_queues(layers.tickets, branches.index, scenario.queues)
    evidence = Evidence(
        branches, queues, layers.competitors, layers.counties, layers.catalogue,
        grid, demand, access, market, zones, candidates,
    )  # fmt: skip
    accounts = {**people.accounts, "footfall": footfall.account, **hexagons.accounts}
    return Survey(
        layers, evidence, calibration, forecast, quotas, footfall.cells, hexagons.cells,
        conservation(accounts), footfall.unhashed,
    )  # fmt: skip


def decide(survey: Survey, given: Scenario, clock: Stopwatch) -> Plan:
    """Choose, equip, date and account for the moves.

    Parameters
    ----------
    given
        The scenario of the survey; what only the decision reads (scores, relocation, formats, phasing,
        clusters) may differ from it.
    """
    found, layers = survey.evidence, survey.layers
    scenario = given.model_copy(update={"market": survey.calibration.settings})
    clock.step("scores")
    contest = prepare_contest(found, scenario)
    ground = survey_ground(found, survey.quotas.counties, scenario)
    scores = score_places(found, contest, ground, scenario)
    clock.step("relocation")
    relocation = relocate(found, contest, ground, scores, scenario)
    clock.step("formats")
    formats = assign_formats(found, contest, relocation, scenario)
    clock.step("phasing")
    relocation, schedule = phase_moves(relocation, formats, found, ground, scenario)
    clock.step("ledger")
    ledger = balance_moves(found, contest, Plans(scores, relocation, formats), scenario)
    clock.step("clusters")
    clusters = group_branches(formats.branches_after, layers.catalogue, scenario.clusters)
    clock.stop()
    return Plan(
        given, layers, found.grid, survey.footfall, found.demand, found.access, found.market,
        survey.calibration, survey.forecast, found.zones, survey.quotas, found.candidates, scores,
        relocation, schedule, formats, ledger, clusters, survey.hexagons, survey.conservation,
        clock.seconds, clock.peak_mb, survey.unhashed,
    )  # fmt: skip


def _epochs(layers: Layers) -> Epochs:
    earlier = layers.population_earlier or layers.population
    return Epochs(layers.population.year, earlier.year)
