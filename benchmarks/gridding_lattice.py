"""Neighbourhoods on the lattice: ours, the floor and the rivals, each as a task for `measuring`."""

import numpy as np
import pandas as pd
from measuring import Job

from siteplanner.model.focal import focal_mean, make_disc, sum_within
from siteplanner.model.gi_star import gi_star
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import Lattice, centre_lines
from siteplanner.model.sphere import great_circle_km

SEED = 20260301
CELL_M = 500.0
MIDDLE_LAT = 37.0
MIDDLE_Y_M = 4.1e6
POPULATED_SHARE = 0.6
# Cells, drawn at random, whose answers are worked out one by one.
CHECKED = 50
WARM_UP = 64

Cell = tuple[int, int]
Cells = tuple[np.ndarray, np.ndarray]


def make_lattice(side: int) -> Lattice:
    """Return a square lattice at 37 degrees north."""
    return Lattice(CELL_M, MIDDLE_LAT, 1.1e7, MIDDLE_Y_M - side // 2 * CELL_M, side, side)


def make_field(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a field of people, whole so that sums have one right answer, and which cells are populated."""
    rng = np.random.default_rng(SEED)
    populated = rng.random((side, side)) < POPULATED_SHARE
    return np.where(populated, np.floor(rng.lognormal(3.0, 1.5, (side, side))), 0.0), populated


def one_pass(side: int) -> Job:
    """Read the array and write another with numpy: the floor."""
    field, _ = make_field(side)
    return Job(lambda: field + 1.0, check=lambda _: 0.0)


def focal_sum(side: int, radius_m: float) -> Job:
    """Sum within the radius; the value is the greatest relative error of some cells."""
    field, _ = make_field(side)
    disc = make_disc(make_lattice(side), radius_m)
    small, _ = make_field(WARM_UP)
    sum_within(small, make_disc(make_lattice(WARM_UP), radius_m))

    def check(summed: np.ndarray) -> float:
        return max(
            abs(summed[cell] - field[near].sum()) / max(field[near].sum(), 1.0)
            for cell, near in _neighbourhoods(side, radius_m)
        )

    return Job(lambda: sum_within(field, disc), check)


def hot_spots(side: int, radius_m: float) -> Job:
    """Gi* within the radius; the value is the greatest error of some cells' scores."""
    field, populated = make_field(side)
    disc = make_disc(make_lattice(side), radius_m)
    gi_star(*make_field(WARM_UP), make_disc(make_lattice(WARM_UP), radius_m))

    def check(scores: np.ndarray) -> float:
        x = field[populated]
        n, mean, spread = x.size, x.mean(), x.std()
        worst = 0.0
        for cell, near in _neighbourhoods(side, radius_m):
            count = populated[near].sum()
            scale = spread * np.sqrt((n * count - count**2) / (n - 1))
            score = (field[near].sum() - mean * count) / scale if populated[cell] else 0.0
            worst = max(worst, abs(scores[cell] - score))
        return worst

    return Job(lambda: gi_star(field, populated, disc), check)


def box_mean(side: int, side_m: float) -> Job:
    """Mean over squares, by area; the value is the greatest relative error of some cells."""
    grid, small = _full_grid(side), _full_grid(WARM_UP)
    values = make_field(side)[0].ravel()
    focal_mean(small, np.ones(len(small.cells)), side_m)

    def check(means: np.ndarray) -> float:
        field, found = values.reshape(side, side), means.reshape(side, side)
        half = side_m / CELL_M / 2.0
        worst = 0.0
        for row, col in _cells(side):
            weights = [np.clip(half + 0.5 - np.abs(np.arange(side) - at), 0.0, 1.0) for at in (row, col)]
            mean = weights[0] @ field @ weights[1] / (weights[0].sum() * weights[1].sum())
            worst = max(worst, abs(found[row, col] - mean) / max(mean, 1.0))
        return worst

    return Job(lambda: focal_mean(grid, values, side_m), check)


def esda_hot_spots(side: int, radius_m: float) -> Job:
    """Gi* by esda with libpysal's distance band over the populated cells' centres in the plane."""
    from esda.getisord import G_Local
    from libpysal.weights import DistanceBand

    field, populated = make_field(side)
    rows, cols = np.nonzero(populated)
    centres = np.column_stack([cols, rows]) * CELL_M

    def work() -> np.ndarray:
        band = DistanceBand(centres, threshold=radius_m, binary=True, silence_warnings=True)
        return np.asarray(G_Local(field[populated], band, star=True, transform="B", permutations=0).Zs)

    return Job(work, check=lambda _: 0.0)


def pairs_in_reach(side: int, places: int, reach_km: float) -> Job:
    """All pairs of cell and place within reach; the value is the number of pairs."""
    from siteplanner.model.access import pairs_within

    ours = _Pairs(side, places, reach_km)
    small = _Pairs(WARM_UP, 10, reach_km)
    pairs_within(small.demand, small.grid, small.places, small.travel)
    return Job(
        lambda: pairs_within(ours.demand, ours.grid, ours.places, ours.travel),
        check=lambda reach: float(reach.indices.size),
    )


def write_pairs(pairs: int) -> Job:
    """Write the number and the minutes of every pair with numpy: the floor."""
    return Job(
        lambda: (np.ones(pairs, dtype=np.int32), np.ones(pairs, dtype=np.float32)), check=lambda _: pairs
    )


def balltree_pairs(side: int, places: int, reach_km: float) -> Job:
    """All pairs within reach by scikit-learn's BallTree with the haversine distance."""
    from sklearn.neighbors import BallTree

    from siteplanner.model.sphere import EARTH_RADIUS_KM

    ours = _Pairs(side, places, reach_km)
    cells = np.radians(ours.grid.cells[["lat", "lon"]].to_numpy())
    points = np.radians(ours.places[["lat", "lon"]].to_numpy())

    def work() -> tuple[np.ndarray, np.ndarray]:
        tree = BallTree(points, metric="haversine")
        return tree.query_radius(cells, reach_km / EARTH_RADIUS_KM, return_distance=True)

    return Job(work, check=lambda found: float(sum(map(len, found[0]))))


class _Pairs:
    """A full grid of people, places strewn over it and a reach that is the same everywhere."""

    def __init__(self, side: int, places: int, reach_km: float) -> None:
        from types import SimpleNamespace

        from siteplanner import tables
        from siteplanner.model.access import Travel
        from siteplanner.scenario import AccessSettings

        self.grid = _full_grid(side)
        lons, lats = centre_lines(self.grid.lattice)
        rng = np.random.default_rng(SEED)
        where = {"lon": rng.uniform(lons[0], lons[-1], places), "lat": rng.uniform(lats[0], lats[-1], places)}
        self.places = pd.DataFrame(where)
        travel = {name: {"reach_km": reach_km} for name in tables.SETTLEMENTS}
        self.travel = Travel(AccessSettings.model_validate(travel))
        n = len(self.grid.cells)
        counts = dict.fromkeys(("residents", "moved_in", "visits_per_day"), np.ones(n))
        settlement = pd.array(["rural"], dtype="str").take(np.zeros(n, dtype=int))
        cells = pd.DataFrame({**counts, "settlement": settlement}, index=self.grid.cells.index)
        self.demand = SimpleNamespace(cells=cells)


def _full_grid(side: int) -> Grid:
    lattice = make_lattice(side)
    ids = np.arange(side * side)
    rows, cols = np.divmod(ids, side)
    lons, lats = centre_lines(lattice)
    table = {"row": rows.astype(np.int32), "col": cols.astype(np.int32), "lon": lons[cols], "lat": lats[rows]}
    county = pd.array(["140000"], dtype="str").take(np.zeros(ids.size, dtype=int))
    return Grid(lattice, pd.DataFrame({**table, "county_id": county}, index=pd.Index(ids, name="cell_id")))


def _cells(side: int) -> list[Cell]:
    corners = [(0, 0), (0, side - 1), (side - 1, 0), (side - 1, side - 1)]
    drawn = np.random.default_rng(SEED + 1).integers(0, side, (CHECKED, 2))
    return corners + [(int(row), int(col)) for row, col in drawn]


def _neighbourhoods(
    side: int, radius_m: float
) -> list[tuple[tuple[int, int], tuple[np.ndarray, np.ndarray]]]:
    """Return cells and all cells within the great-circle distance of each, one by one."""
    lons, lats = centre_lines(make_lattice(side))
    reach = int(radius_m / CELL_M * 2.0) + 2
    found = []
    for row, col in _cells(side):
        rows = np.arange(max(row - reach, 0), min(row + reach + 1, side))
        cols = np.arange(max(col - reach, 0), min(col + reach + 1, side))
        km = great_circle_km(lons[col], lats[row], lons[cols][None, :], lats[rows][:, None])
        near = np.nonzero(km * 1_000.0 <= radius_m)
        found.append(((row, col), (rows[near[0]], cols[near[1]])))
    return found
