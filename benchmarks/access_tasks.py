"""Access, the market and travel times: ours, the floor and the rivals, each as a task for `measuring`."""

import importlib
import importlib.util
import math
import sys
from functools import lru_cache
from importlib.metadata import distribution
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
from gridding_lattice import CELL_M, make_lattice
from measuring import Job

from siteplanner import tables
from siteplanner.model.access import Reach, Travel, floating_catchment, pairs_within
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import centre_lines
from siteplanner.model.market import share_pairs, utilities
from siteplanner.model.standing import Standing, move, take_stand
from siteplanner.scenario import AccessSettings, MarketSettings

SEED = 20260305
LIMIT_MIN = 30.0
OWN_SHARE = 0.15
# Towns take seven of ten outlets and people; outlets of a town lie within a few km of its middle.
TOWNS_PER_OUTLET = 0.01
IN_TOWNS = 0.7
TOWN_SPREAD_CELLS = 8.0
WARM_UP = (40, 20)
SETTINGS = MarketSettings()


class Region:
    """A square of cells of 500 m with people, outlets of all banks crowded in towns, and pairs within 30 min.

    Parameters
    ----------
    side
        Cells along a side.
    places
        Outlets; as many candidate sites as a tenth of them are shut.
    """

    def __init__(self, side: int, places: int) -> None:
        rng = np.random.default_rng(SEED)
        lattice = make_lattice(side)
        ids = np.arange(side * side)
        rows, cols = np.divmod(ids, side)
        self.lons, self.lats = centre_lines(lattice)
        county = pd.array(["140000"], dtype="str").take(np.zeros(ids.size, dtype=int))
        table = {
            "row": rows,
            "col": cols,
            "lon": self.lons[cols],
            "lat": self.lats[rows],
            "county_id": county,
        }
        self.grid = Grid(lattice, pd.DataFrame(table, index=pd.Index(ids, name="cell_id")))
        self.people = np.floor(rng.lognormal(3.0, 1.5, ids.size)) + 1.0
        rural = pd.array(["rural"], dtype="str").take(np.zeros(ids.size, dtype=int))
        cells = {"residents": self.people, "moved_in": 0.0, "visits_per_day": self.people / 200.0}
        self.demand = SimpleNamespace(cells=pd.DataFrame({**cells, "settlement": rural}, index=ids))
        self.n_open = places
        self.places = _strew(rng, (self.lons, self.lats), places + places // 10)
        n = len(self.places)
        self.own = (rng.random(n) < OWN_SHARE) | (np.arange(n) >= places)
        self.pull = rng.uniform(0.3, 2.0, n)
        self.supply = np.where(np.arange(n) < places, rng.uniform(80.0, 300.0, n), 0.0)
        speed = AccessSettings().rural
        reach_km = LIMIT_MIN / 60.0 * speed.speed_kmh / speed.detour
        travel = {name: {"reach_km": reach_km} for name in tables.SETTLEMENTS}
        self.settings = AccessSettings.model_validate(travel)

    def pairs(self) -> Reach:
        """Find the pairs of cells and outlets, candidate sites included."""
        return pairs_within(self.demand, self.grid, self.places, Travel(self.settings))

    def open_pairs(self) -> Reach:
        """Find the pairs of cells and open outlets."""
        return pairs_within(self.demand, self.grid, self.places.iloc[: self.n_open], Travel(self.settings))

    def frame(self) -> pd.DataFrame:
        """Return people and settlement by row."""
        return self.demand.cells[["settlement"]].assign(people=self.people)


def _strew(rng: np.random.Generator, lines: tuple[np.ndarray, np.ndarray], places: int) -> pd.DataFrame:
    lons, lats = lines
    side = lons.size
    towns = rng.uniform(0.0, side - 1.0, (max(1, int(places * TOWNS_PER_OUTLET)), 2))
    # The largest town has the most: sizes fall as one over the rank (Zipf).
    share = 1.0 / np.arange(1, len(towns) + 1)
    middle = towns[rng.choice(len(towns), places, p=share / share.sum())]
    town = middle + rng.normal(0.0, TOWN_SPREAD_CELLS, (places, 2))
    anywhere = rng.uniform(0.0, side - 1.0, (places, 2))
    at = np.where((rng.random(places) < IN_TOWNS)[:, None], town, anywhere).clip(0.0, side - 1.0)
    index = np.arange(side)
    return pd.DataFrame({"lon": np.interp(at[:, 0], index, lons), "lat": np.interp(at[:, 1], index, lats)})


def find_pairs(side: int, places: int) -> Job:
    """Find all pairs within 30 minutes; the value is their number."""
    region, small = Region(side, places), Region(*WARM_UP)
    small.open_pairs()
    return Job(region.open_pairs, check=lambda reach: float(reach.indices.size))


def read_pairs(side: int, places: int) -> Job:
    """Add up the minutes of all pairs with numpy: the floor."""
    minutes = Region(side, places).open_pairs().minutes
    return Job(lambda: minutes.sum(dtype=float), check=lambda _: 0.0)


def catchments(side: int, places: int, out: str = "") -> Job:
    """E2SFCA of ours and of rivals; the value is what is missing of the supply, as a share."""
    region = Region(side, places)
    reach = region.open_pairs()
    supply, own = region.supply[:places], region.own[:places]
    _warm_catchments()

    def work() -> tuple[np.ndarray, np.ndarray]:
        return floating_catchment(reach, region.frame(), supply, own, region.settings)

    def check(found: tuple[np.ndarray, np.ndarray]) -> float:
        _keep(out, found[0] + found[1])
        return abs(float((region.people * (found[0] + found[1])).sum()) / supply.sum() - 1.0)

    return Job(work, check)


@lru_cache(maxsize=1)
def _warm_catchments() -> None:
    small = Region(*WARM_UP)
    places = WARM_UP[1]
    reach = small.open_pairs()
    floating_catchment(reach, small.frame(), small.supply[:places], small.own[:places], small.settings)


def pysal_catchments(side: int, places: int, out: str) -> Job:
    """E2SFCA of all outlets by PySAL access, from a table of costs."""
    pysal = _pysal()
    region = Region(side, places)
    demand = pd.DataFrame({"cell": np.arange(region.people.size), "people": region.people})
    supply = pd.DataFrame({"place": np.arange(places), "hours": region.supply[:places]})
    model = pysal.Access(
        demand_df=demand, demand_index="cell", demand_value="people",
        supply_df=supply, supply_index="place", supply_value="hours",
        cost_df=_costs(region.open_pairs()), cost_origin="cell", cost_dest="place", cost_name="minutes",
        neighbor_cost_df=pd.DataFrame({"cell": [0], "place": [0], "minutes": [0.0]}),
        neighbor_cost_origin="cell", neighbor_cost_dest="place", neighbor_cost_name="minutes",
    )  # fmt: skip
    settings = region.settings
    steps = dict(zip(settings.bands_min, settings.band_weights, strict=True))
    weigh = pysal.weights.step_fn(steps)

    def work() -> pd.Series:
        return model.enhanced_two_stage_fca(name="e2sfca", weight_fn=weigh)

    def check(_: object) -> float:
        column = model.access_df["e2sfca_hours"].fillna(0.0)
        _keep(out, column.reindex(np.arange(region.people.size), fill_value=0.0).to_numpy())
        return 0.0

    return Job(work, check)


def huff(side: int, places: int, out: str = "") -> Job:
    """Huff shares of all cells and volumes of all outlets, utilities included; the value: visits astray."""
    region, small = Region(side, places), Region(*WARM_UP)
    own = region.own[:places]
    outside, weights = _ground(region)
    share_pairs(_csr(small.open_pairs(), small.pull), *_ground(small), small.own[: WARM_UP[1]])
    reach = region.open_pairs()

    def work() -> tuple[np.ndarray, np.ndarray]:
        return share_pairs(_csr(reach, region.pull), outside, weights, own)

    def check(found: tuple[np.ndarray, np.ndarray]) -> float:
        shares, volumes = found
        _keep(out, volumes[:, 0])
        shared = float((weights[:, 0] * (1.0 - shares[:, 2])).sum())
        return abs(volumes[:, 0].sum() / shared - 1.0)

    return Job(work, check)


def pysal_huff(side: int, places: int, out: str) -> Job:
    """Huff volumes by the weighted catchments of PySAL access: once for the sums, once for the volumes."""
    _pysal()
    catchment = importlib.import_module("access.fca").weighted_catchment
    region = Region(side, places)
    outside, weights = _ground(region)
    costs = _costs(region.open_pairs())
    pull = pd.DataFrame({"pull": region.pull[:places]}, index=pd.RangeIndex(places, name="place"))

    def weigh(minutes: float) -> float:
        return math.exp(-SETTINGS.decay_per_min * minutes)

    def work() -> np.ndarray:
        given = {"loc_index": True, "cost_cost": "minutes", "weight_fn": weigh}
        total = catchment(pull, costs, cost_source="place", cost_dest="cell", loc_value="pull", **given)
        rows = total.reindex(np.arange(outside.size), fill_value=0.0).to_numpy() + outside
        each = pd.DataFrame({"visits": weights[:, 0] / rows}, index=pd.RangeIndex(rows.size, name="cell"))
        won = catchment(each, costs, cost_source="cell", cost_dest="place", loc_value="visits", **given)
        return won.reindex(np.arange(places), fill_value=0.0).to_numpy() * region.pull[:places]

    def check(volumes: np.ndarray) -> float:
        _keep(out, volumes)
        return 0.0

    return Job(work, check)


def one_move(side: int, places: int, moves: int, *, crowded: bool = False) -> Job:
    """Close one of ours and open a candidate, over and over; the value: the furthest volume from one anew.

    Parameters
    ----------
    crowded
        From the outlet to the candidate whose cells have the most pairs, there and back; else at random.
    """
    standing, region = _stand(Region(side, places))
    small, _ = _stand(Region(*WARM_UP))
    move(small, int(np.flatnonzero(small.own & small.is_open)[0]), WARM_UP[1])
    plan = _crowded_moves(standing, moves) if crowded else _random_moves(standing, moves)

    def work() -> Standing:
        for closed, opened in plan:
            move(standing, closed, opened)
        return standing

    def check(after: Standing) -> float:
        outside, weights = _ground(region)
        anew = take_stand(after.pairs, outside, weights, (after.own, after.is_open))
        return float(np.max(np.abs(after.volumes - anew.volumes) / np.maximum(anew.volumes, 1e-6)))

    return Job(work, check)


def whole_network(side: int, places: int) -> Job:
    """Share every cell anew for one changed network, utilities given: what a move costs without updating."""
    standing, region = _stand(Region(side, places))
    small, _ = _stand(Region(*WARM_UP))
    outside, weights = _ground(region)
    take_stand(small.pairs, small.outside, small.weights, (small.own, small.is_open))

    def work() -> Standing:
        return take_stand(standing.pairs, outside, weights, (standing.own, standing.is_open))

    return Job(work, check=lambda _: 0.0)


def read_rows(side: int, places: int, moves: int) -> Job:
    """Read, with numpy, the utilities of the rows that moves touch: the floor."""
    standing, _ = _stand(Region(side, places))
    (indptr, _, utility), (first, rows) = standing.pairs, standing.rows_of
    touched = []
    for closed, opened in _random_moves(standing, moves):
        each = (rows[first[place] : first[place + 1]] for place in (closed, opened))
        touched.append(np.unique(np.concatenate(list(each))))
    spans = [(int(indptr[row[0]]), int(indptr[row[-1] + 1])) for row in touched]

    def work() -> float:
        return float(sum(utility[low:high].sum() for low, high in spans))

    return Job(work, check=lambda _: 0.0)


def _stand(region: Region) -> tuple[Standing, Region]:
    is_open = np.arange(region.own.size) < region.n_open
    outside, weights = _ground(region)
    pairs = _csr(region.pairs(), region.pull)
    return take_stand(pairs, outside, weights, (region.own, is_open)), region


def _random_moves(standing: Standing, moves: int) -> list[tuple[int, int]]:
    """Draw moves, each undone by the next: work can be repeated."""
    rng = np.random.default_rng(SEED + 1)
    ours = np.flatnonzero(standing.own & standing.is_open)
    sites = np.flatnonzero(standing.own & ~standing.is_open)
    drawn = zip(rng.choice(ours, moves // 2).tolist(), rng.choice(sites, moves // 2).tolist(), strict=True)
    return [pair for closed, opened in drawn for pair in ((closed, opened), (opened, closed))]


def _crowded_moves(standing: Standing, moves: int) -> list[tuple[int, int]]:
    size = np.diff(standing.pairs[0]).astype(float)
    first, rows = standing.rows_of
    work = np.add.reduceat(np.append(size[rows], 0.0), first[:-1])
    closed, opened = (
        int(np.flatnonzero(mask)[np.argmax(work[mask])])
        for mask in (standing.own & standing.is_open, standing.own & ~standing.is_open)
    )
    return [(closed, opened), (opened, closed)] * (moves // 2)


def _ground(region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Return the outside option and the weights by row: visits and deposits."""
    return np.full(region.people.size, 0.05), np.column_stack((region.people / 200.0, 6.0 * region.people))


def _csr(reach: Reach, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return reach.indptr, reach.indices, utilities(reach, pull[: reach.n_places], SETTINGS)


def _costs(reach: Reach) -> pd.DataFrame:
    row = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    return pd.DataFrame({"cell": row, "place": reach.indices, "minutes": reach.minutes.astype(float)})


def _keep(out: str, values: np.ndarray) -> None:
    if out:
        np.save(out, values)


def _pysal() -> ModuleType:
    """Import PySAL's package ``access``, whose name is that of a script beside this module."""
    folder = distribution("access").locate_file("access")
    path = str(folder.joinpath("__init__.py"))
    spec = importlib.util.spec_from_file_location("access", path, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("PySAL access", name="access")
    module = importlib.util.module_from_spec(spec)
    sys.modules["access"] = module
    spec.loader.exec_module(module)
    return module


def trips(side: int, places: int, out: str = "") -> Job:
    """One-to-many minutes on a net of streets, cut off at 30 minutes; the value: nodes reached."""
    from siteplanner.model.travel import Snapped, trips_within

    streets, nodes = _net(side, places)
    small, few = _net(*WARM_UP)
    ends = [Snapped(np.arange(n), np.zeros(n)) for n in (streets.roads.lon.size, small.roads.lon.size)]
    limits = [np.full(end.node.size, LIMIT_MIN) for end in ends]
    list(trips_within(small, ends[1], Snapped(few, np.zeros(few.size)), limits[1]))

    def work() -> list:
        return list(trips_within(streets, ends[0], Snapped(nodes, np.zeros(nodes.size)), limits[0]))

    def check(found: list) -> float:
        total = np.zeros(nodes.size)
        for part in found:
            np.add.at(total, part.place, part.minutes.astype(float))
        _keep(out, total)
        return float(sum(part.origin.size for part in found))

    return Job(work, check)


def networkx_trips(side: int, places: int, out: str) -> Job:
    """Do the same by networkx from each place in turn, against the direction of travel."""
    import networkx as nx

    streets, nodes = _net(side, places)
    graph = nx.from_scipy_sparse_array(streets.graph.T, create_using=nx.DiGraph)

    def work() -> list[dict[int, float]]:
        search = nx.single_source_dijkstra_path_length
        return [search(graph, int(node), cutoff=LIMIT_MIN) for node in nodes]

    def check(found: list[dict[int, float]]) -> float:
        _keep(out, np.array([math.fsum(minutes.values()) for minutes in found]))
        return float(sum(len(minutes) for minutes in found))

    return Job(work, check)


def read_net(side: int, places: int) -> Job:
    """Add up the minutes of all streets once for each place with numpy: the floor."""
    streets, nodes = _net(side, places)
    return Job(lambda: [streets.graph.data.sum() for _ in nodes], check=lambda _: 0.0)


def _net(side: int, places: int) -> tuple:
    """Return a net of streets 250 m apart, every fifth one quick, and the nodes of some places."""
    from scipy import sparse

    from siteplanner.model.travel import Streets

    rng = np.random.default_rng(SEED)
    n = side * side
    node = np.arange(n).reshape(side, side)
    start = np.concatenate((node[:, :-1].ravel(), node[:-1].ravel()))
    end = np.concatenate((node[:, 1:].ravel(), node[1:].ravel()))
    line = np.concatenate((np.repeat(np.arange(side), side - 1), np.tile(np.arange(side), side - 1)))
    kmh = np.where(line % 5 == 0, 40.0, 20.0)
    minutes = CELL_M / 2_000.0 * rng.uniform(1.0, 1.3, start.size) * 60.0 / kmh
    both = (np.concatenate((start, end)), np.concatenate((end, start)))
    graph = sparse.csr_array((np.concatenate((minutes, minutes)), both), shape=(n, n))
    roads = SimpleNamespace(lon=np.zeros(n), lat=np.zeros(n))
    return Streets(roads, graph, np.arange(n), by_car=True), np.sort(rng.choice(n, places, replace=False))
