"""All files of a scenario to one record: every fault of every file is found before anything is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd

from siteplanner import tables
from siteplanner.errors import Fault, InputError
from siteplanner.layers.barriers import read_barriers
from siteplanner.layers.catalogue_file import load_catalogue
from siteplanner.layers.choices import read_choices
from siteplanner.layers.counties import read_counties
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings, shorten
from siteplanner.layers.footfall import check_footfall
from siteplanner.layers.paths import RASTER_SUFFIXES, find_file
from siteplanner.layers.placing import place
from siteplanner.layers.point_tables import MADE_KEYS, read_points, read_tickets
from siteplanner.layers.rasters import Bounds, check_headers, check_pixels
from siteplanner.layers.records import FootfallSource, Layers
from siteplanner.layers.roads import read_roads
from siteplanner.layers.scenario_file import try_scenario
from siteplanner.layers.sources import RasterSource
from siteplanner.model.catalogue import Catalogue
from siteplanner.model.roads import build_network
from siteplanner.scenario import FormatSettings, Inputs, RuleSettings, Scenario


def read_layers(scenario: Scenario, folder: Path) -> Layers:
    """Read and check everything the scenario names; the pixels of rasters are judged when they are summed.

    Parameters
    ----------
    folder
        Folder of the scenario file; its paths are relative to it.

    Raises
    ------
    InputError
        With every fault of every file: of each kind the first few, then their number.
    """
    layers, faults = _read(scenario, Findings(folder))
    if layers is None:
        raise InputError(faults)
    return layers


def check_layers(scenario: Scenario, folder: Path) -> tuple[Fault, ...]:
    """Return what a run would refuse, down to every pixel; empty when it would refuse nothing."""
    return _read(scenario, Findings(folder, look="pixels"))[1]


def check_files(path: str | Path, overrides: Sequence[str] = ()) -> tuple[Fault, ...]:
    """Return every fault of a scenario file and of all files that it names.

    Parameters
    ----------
    path, overrides
        As for `load_scenario`.
    """
    try:
        scenario, faults = try_scenario(path, overrides)
    except InputError as error:
        return error.faults
    if scenario is None:
        return faults
    return (*faults, *check_layers(scenario, Path(path).parent))


def _read(scenario: Scenario, findings: Findings) -> tuple[Layers | None, tuple[Fault, ...]]:
    inputs = scenario.inputs
    counties = read_counties(inputs.counties, findings)
    points = {
        table.name: read_points(getattr(inputs, table.name), table, findings, counties)
        for table in (
            tables.BRANCHES,
            tables.COMPETITORS,
            tables.DEVELOPMENTS,
            tables.TOWNSHIPS,
            tables.SITES,
        )
    }
    service_points = read_points(inputs.service_points, tables.SERVICE_POINTS, findings, counties)
    findings.faults += _shared_ids(inputs, points["competitors"].index, points["branches"].index)
    points["competitors"] = _named_apart(points["competitors"], points["branches"].index)
    outlets = points["branches"].index.append(points["competitors"].index)
    customers, shares = (
        read_choices(getattr(inputs, table.name), table, findings, (outlets, counties))
        for table in (tables.CUSTOMERS, tables.SHARES)
    )
    findings.faults += _evidence_faults(scenario)
    findings.faults += _rule_faults(scenario.rules, points["branches"], counties)
    tickets = _read_tickets(inputs, points["branches"], findings)
    bounds = None if counties is None else _bounds_of(counties)
    population, earlier, aged_60 = (
        _read_raster(name, year, bounds, findings)
        for name, year in (
            (inputs.population.path, inputs.population.year),
            (inputs.population.earlier, inputs.population.earlier_year),
            (inputs.population.aged_60, inputs.population.year),
        )
    )
    footfall = _read_footfall(scenario, bounds, findings)
    roads = read_roads(inputs.roads, findings)
    barriers = read_barriers(inputs.barriers, findings)
    catalogue = _read_catalogue(scenario.formats, findings)
    findings.notes += _absent_layers(inputs)
    faults = (*shorten(findings.faults), *findings.counted)
    if faults or counties is None or population is None or catalogue is None:
        return None, faults
    placed = _place_all(points, counties, scenario.rules, findings)
    return Layers(
        counties=counties,
        **placed,
        tickets=tickets,
        catalogue=catalogue,
        population=population,
        population_earlier=earlier,
        aged_60=aged_60,
        footfall=footfall,
        roads=None if roads is None or inputs.roads is None else build_network(roads, inputs.roads.crossings),
        notes=tuple(findings.notes),
        files=dict(sorted(findings.files.items())),
        service_points=service_points,
        barriers=barriers,
        customers=customers,
        shares=shares,
    ), ()


def _named_apart(rivals: pd.DataFrame, branches: pd.Index) -> pd.DataFrame:
    """Lengthen the ids that rivals were given until no branch bears one: all outlets share a table."""
    while rivals.index.isin(branches).any():
        rivals = rivals.set_axis("R" + rivals.index)
    return rivals


def _shared_ids(inputs: Inputs, rivals: pd.Index, branches: pd.Index) -> list[Fault]:
    """Refuse ids that a branch and a rival both bear, where the rivals' file tells them."""
    if inputs.competitors is None or not branches.size:
        return []
    made = f"{MADE_KEYS['competitors'][0]}{1:0{MADE_KEYS['competitors'][1]}d}"
    shared = rivals[rivals.isin(branches)]
    if made in rivals:
        return []
    expected = "an id that no branch bears"
    return [Fault(inputs.competitors.path, "", "competitor_id", f'"{one}"', expected) for one in shared]


def _evidence_faults(scenario: Scenario) -> list[Fault]:
    """Refuse a calibration by evidence that the scenario does not name."""
    wanted = scenario.market.calibration
    layer = {"origins": "customers", "shares": "shares"}.get(wanted)
    if layer is None or getattr(scenario.inputs, layer) is not None:
        return []
    expected = f"inputs.{layer}, or another calibration"
    return [Fault("scenario", "key market.calibration", "", f'"{wanted}" without inputs.{layer}', expected)]


def _rule_faults(
    rules: RuleSettings, branches: pd.DataFrame, counties: gpd.GeoDataFrame | None
) -> list[Fault]:
    """Refuse rules for branches and counties that do not exist: a slip of the pen would lift the rule."""
    known: list[tuple[str, Iterable[str], pd.Index | None]] = [
        ("protected", rules.protected, branches.index),
        ("county_floor", rules.county_floor, None if counties is None else counties.index),
        ("county_cap", rules.county_cap, None if counties is None else counties.index),
    ]
    return [
        Fault("scenario", f"key rules.{key}", "", f'"{one}"', f"a {ids.name} of the inputs")
        for key, named, ids in known
        if ids is not None and len(ids)
        for one in named
        if one not in ids
    ]


def _bounds_of(counties: gpd.GeoDataFrame) -> Bounds:
    west, south, east, north = (float(edge) for edge in counties.total_bounds)
    return west, south, east, north


def _place_all(
    points: dict[str, pd.DataFrame], counties: gpd.GeoDataFrame, rules: RuleSettings, findings: Findings
) -> dict[str, pd.DataFrame]:
    placed = {}
    for name, frame in points.items():
        placed[name], untold = place(frame, counties, points["townships"], rules)
        if untold:
            findings.notes.append(("tier_unknown", name, rules.tier_when_unknown, str(untold)))
    # A seat's nearest seat is itself; its key says it already.
    placed["townships"] = placed["townships"].drop(columns="township_id")
    return placed


def _read_tickets(inputs: Inputs, branches: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    read = None if inputs.tickets is None else read_table(inputs.tickets, tables.TICKETS, findings)
    name = "" if inputs.tickets is None else inputs.tickets.path
    tickets, faults = read_tickets(read, branches.index, name)
    findings.faults += faults
    return tickets


def _read_raster(
    named: str | tuple[str, ...] | None, year: int | None, bounds: Bounds | None, findings: Findings
) -> RasterSource | None:
    if named is None or year is None:
        return None
    names = (named,) if isinstance(named, str) else named
    paths = [find_file(name, findings.folder, RASTER_SUFFIXES) for name in names]
    wrong = [path for path in paths if isinstance(path, Fault)]
    found = [path for path in paths if isinstance(path, Path)]
    findings.faults += wrong
    if wrong:
        return None
    for name, path in zip(names, found, strict=True):
        findings.add_file(name, path)
    faults = check_headers(found, names, bounds)
    findings.faults += faults
    if faults:
        return None
    source = RasterSource(tuple(map(str, found)), names, year)
    return source if _pixels_are_good(source, findings) else None


def _pixels_are_good(source: RasterSource, findings: Findings) -> bool:
    faults = check_pixels(source.paths, source.names) if findings.look == "pixels" else []
    findings.faults += faults
    return not faults


def _read_catalogue(settings: FormatSettings, findings: Findings) -> Catalogue | None:
    if settings.catalogue is None:
        return load_catalogue()
    path = find_file(settings.catalogue, findings.folder, (".toml",))
    if isinstance(path, Fault):
        findings.faults.append(path)
        return None
    findings.add_file(settings.catalogue, path)
    try:
        return load_catalogue(path)
    except InputError as error:
        findings.faults += [replace(fault, file=settings.catalogue) for fault in error.faults]
        return None


def _read_footfall(scenario: Scenario, bounds: Bounds | None, findings: Findings) -> FootfallSource | None:
    if scenario.inputs.footfall is None:
        return None
    remote = scenario.engine.kind == "spark"
    checked = check_footfall(scenario.inputs.footfall, findings.folder, bounds, remote=remote)
    findings.counted += checked.faults
    findings.notes += checked.notes
    for name, path in checked.files.items():
        findings.add_file(name, path)
    if checked.source is not None and checked.source.raster is not None:
        return checked.source if _pixels_are_good(checked.source.raster, findings) else None
    return checked.source


def _absent_layers(inputs: Inputs) -> list[tuple[str, ...]]:
    given = {
        "population_earlier": inputs.population.earlier,
        "aged_60": inputs.population.aged_60,
        **{
            name: getattr(inputs, name)
            for name in (
                "footfall",
                "competitors",
                "developments",
                "townships",
                "sites",
                "service_points",
                "tickets",
                "roads",
                "barriers",
            )
        },
    }
    return [("absent_layer", name) for name, value in given.items() if value is None]
