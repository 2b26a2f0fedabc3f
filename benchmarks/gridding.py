"""Time gridding beside the time that merely reading takes, and beside other tools, in one run.

``python benchmarks/gridding.py [--quick] [--json FILE] [--data DIR] [--only WORD]``. Each task runs in a
fresh process of its own; the processes of a case take turns, round by round, and medians count. Inputs are
synthetic, made before the clock starts, in a folder that is removed at the end unless ``--data`` names one.
Rivals that would take minutes have one round, and a smaller case with a floor of its own; a rival that is not
installed is named as absent. ``--quick`` does all of it on small inputs in one process, so that memory is not
told, and leaves out Spark, which starts slowly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gridding_inputs import Shape, make_pings, make_raster
from measuring import Case, Task, make_row, run_case, run_sections

ERROR_MAX = 1e-9
# Of the time that one thread takes to read the blocks.
ONE_THREAD_GOAL, TWO_THREADS_GOAL = 1.3, 0.9
RASTER_PEAK_MB, NATION_PEAK_MB = 400.0, 500.0
# Sums of counties are compared with exactextract's.
COUNTY_ERROR_MAX = 1e-6


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work there is."""

    raster: Shape
    nation: Shape
    small: Shape
    counties_raster: Shape
    rasterstats: tuple[int, ...]
    pings: tuple[int, ...]
    few_pings: int
    spark_pings: int
    lattice: int
    esda: int
    pairs: int
    rounds: int


FULL = Sizes(
    raster=Shape(20_000, 20_000, 1), nation=Shape(25_000, 40_000), small=Shape(4_000, 4_000),
    counties_raster=Shape(10_000, 10_000), rasterstats=(117, 2_800),
    pings=(50_000_000, 100_000_000), few_pings=5_000_000, spark_pings=50_000_000,
    lattice=3_163, esda=300, pairs=1_000, rounds=5,
)  # fmt: skip
QUICK = Sizes(
    raster=Shape(4_000, 4_000, 1), nation=Shape(2_500, 4_000), small=Shape(1_000, 1_000),
    counties_raster=Shape(2_000, 2_000), rasterstats=(117,),
    pings=(2_000_000,), few_pings=500_000, spark_pings=0,
    lattice=1_000, esda=100, pairs=200, rounds=3,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """Where inputs lie, how large they are, how long a process may take (None: all in this one)."""

    folder: Path
    sizes: Sizes
    timeout: float | None

    def run(self, tasks: dict[str, Task]) -> Case:
        """Measure tasks in turn."""
        return run_case(Case(tasks), self.sizes.rounds, self.timeout)

    def row(self, about: dict[str, object], case: Case, ours: str, rival: str = "") -> dict:
        """Put a row together; small inputs are not held against goals for large ones, only their sums."""
        goals = () if self.timeout is not None else ("goal", "peak_goal_mb")
        held = {key: value for key, value in about.items() if key not in goals}
        return make_row({"error_goal": ERROR_MAX, **held}, case, ours, rival)


def raster_rows(bench: Bench) -> Iterator[dict]:
    """Rasters to 1 km and 500 m by exact area, tiled and striped."""
    for layout in ("tiled", "striped"):
        kinds = [Kind(1_000.0, 1), Kind(1_000.0, 2)]
        if layout == "tiled":
            kinds += [Kind(500.0, 1), Kind(500.0, 2)]
            kinds += [Kind(1_000.0, 2, 1), Kind(1_000.0, 2, 117), Kind(500.0, 2, 1)]
        yield from _cell_rows(bench, bench.sizes.raster, layout, kinds, RASTER_PEAK_MB)


def nation_rows(bench: Bench) -> Iterator[dict]:
    """Sum a thousand million pixels to 1 km."""
    kinds = [Kind(1_000.0, 1), Kind(1_000.0, 2), Kind(1_000.0, 2, 1)]
    yield from _cell_rows(bench, bench.sizes.nation, "tiled", kinds, NATION_PEAK_MB)


@dataclass(frozen=True, slots=True)
class Kind:
    """A sum of a raster: to a bare lattice, or with counties to a grid and its tables."""

    cell_m: float
    threads: int
    counties: int = 0

    def __str__(self) -> str:
        to = f"grid-{self.counties}c" if self.counties else "lattice"
        return f"{self.cell_m:.0f}m/{self.threads}t/{to}"

    def task(self, path: Path) -> Task:
        """Return the task that measures it."""
        given: dict[str, object] = {"path": str(path), "cell_m": self.cell_m, "threads": self.threads}
        if self.counties:
            return Task("gridding_rasters.sum_to_grid", given | {"counties": self.counties})
        return Task("gridding_rasters.sum_to_lattice", given)

    def goals(self, peak_mb: float) -> dict[str, float]:
        """Return what is to be reached; the tables of a grid have no goal for memory."""
        time = {"goal": ONE_THREAD_GOAL if self.threads == 1 else TWO_THREADS_GOAL}
        return time if self.counties else {**time, "peak_goal_mb": peak_mb}


def _cell_rows(
    bench: Bench, shape: Shape, layout: str, kinds: list[Kind], peak_goal_mb: float
) -> Iterator[dict]:
    """Sum one raster to cells of several sizes, by threads, to a lattice and to a grid with counties."""
    about_id = "nation" if shape == bench.sizes.nation else "raster"
    path, total = make_raster(bench.folder, shape, layout)
    tasks = {"floor": Task("gridding_rasters.read_blocks", {"path": str(path)})}
    case = bench.run(tasks | {str(kind): kind.task(path) for kind in kinds})
    for kind in kinds:
        to = f"a grid of {kind.counties} counties, as tables" if kind.counties else "a lattice"
        what = f"{shape} float32 deflate, {layout}, to {kind.cell_m:.0f} m by exact area on {to}, "
        what += f"{kind.threads} threads; floor: rasterio reads every block, 1 thread; error: of the total"
        about = {"id": f"{about_id}/{layout}/{kind}", "what": what, "truth": total}
        yield bench.row(about | kind.goals(peak_goal_mb), case, str(kind))


def rival_raster_rows(bench: Bench) -> Iterator[dict]:
    """Measure rivals on a raster of a size that they finish."""
    shape = bench.sizes.small
    path, total = make_raster(bench.folder, shape, "tiled")
    about = {"path": str(path), "cell_m": 1000.0}
    rivals = {
        "rasterio warp sum": Task("gridding_rasters.warp_sum", about, alone=True),
        "xarray coarsen": Task("gridding_rasters.xarray_coarsen", about),
        "exactextract": Task("gridding_rasters.exactextract_cells", about, rounds=1),
    }
    floor = Task("gridding_rasters.read_blocks", {"path": str(path)})
    case = bench.run({"floor": floor, "ours": Kind(1_000.0, 1).task(path), **rivals})
    for rival, task in rivals.items():
        what = f"{shape} float32 deflate, tiled, to 1 km, 1 thread; rival {task.rounds} round(s)"
        word = rival.replace(" ", "-")
        about = {"id": f"raster/rival/{word}", "what": what, "truth": total}
        yield bench.row(about, case, "ours", rival)


def county_rows(bench: Bench) -> Iterator[dict]:
    """Totals of counties by exact overlap, beside exactextract; and on a small raster beside rasterstats."""
    for counties in (117, 2_800):
        shape = bench.sizes.counties_raster
        path, total = make_raster(bench.folder, shape, "tiled")
        about = {"path": str(path), "counties": counties}
        outs = {name: str(bench.folder / f"{name}.npy") for name in ("ours", "exactextract")}
        tasks = {
            "floor": Task("gridding_rasters.read_blocks", {"path": str(path)}),
            "ours": Task("gridding_rasters.sum_to_counties", {**about, "threads": 1, "out": outs["ours"]}),
            "exactextract": Task(
                "gridding_rasters.exactextract_counties", {**about, "out": outs["exactextract"]}
            ),
        }
        what = f"{shape} to {counties:,} counties by exact overlap, 1 thread"
        row = {"id": f"counties/{counties}", "what": what, "truth": total}
        yield _against_rival(bench.row(row, bench.run(tasks), "ours", "exactextract"), outs)
    for counties in bench.sizes.rasterstats:
        shape = bench.sizes.small
        path, total = make_raster(bench.folder, shape, "tiled")
        about = {"path": str(path), "counties": counties}
        outs = {"ours": str(bench.folder / "ours.npy")}
        tasks = {
            "floor": Task("gridding_rasters.read_blocks", {"path": str(path)}),
            "ours": Task("gridding_rasters.sum_to_counties", {**about, "threads": 1, "out": outs["ours"]}),
            "rasterstats": Task("gridding_rasters.rasterstats_counties", about, alone=True),
        }
        tasks = {name: replace(task, rounds=1) for name, task in tasks.items()}
        what = f"{shape} to {counties:,} counties, 1 round; the rival takes whole pixels"
        row = {"id": f"counties/rival/rasterstats-{counties}", "what": what, "truth": total}
        yield bench.row(row, bench.run(tasks), "ours", "rasterstats")


def _against_rival(row: dict, outs: dict[str, str]) -> dict:
    """Judge a row by the rival's speed, and its sums by the rival's sums."""
    if "rival_seconds" not in row or "seconds" not in row:
        return row
    ours, theirs = (np.load(outs[name]) for name in ("ours", "exactextract"))
    apart = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
    met = row["seconds"] <= row["rival_seconds"] and apart <= COUNTY_ERROR_MAX
    what = f"{row['what']}; apart: the furthest two sums of a county, as a share of the largest"
    return {
        **row,
        "what": what,
        "apart": apart,
        "goal": "no slower than exactextract, sums to 1e-6",
        "met": met,
    }


def ping_rows(bench: Bench) -> Iterator[dict]:
    """Pings to 500 m and hour band, in this process."""
    for n in bench.sizes.pings:
        path = str(make_pings(bench.folder, n))
        ours = Task("gridding_pings.count_pings", {"path": path, "cell_m": 500.0, "engine": "embedded"})
        case = bench.run({"floor": _duckdb(path), "ours": ours})
        what = f"{n:,} pings to 500 m x hour band x day type; floor: DuckDB sums the columns, 2 threads"
        goals = {"goal": 3.0, "peak_goal_mb": 1_000.0, "truth": float(n)}
        yield bench.row({"id": f"pings/{n // 1_000_000}M", "what": what, **goals}, case, "ours")


def rival_ping_rows(bench: Bench) -> Iterator[dict]:
    """Measure rivals on a number of pings that they finish."""
    n = bench.sizes.few_pings
    path, sample = str(make_pings(bench.folder, n)), n // 5
    about = {"path": path, "cell_m": 500.0}
    rivals = {
        "DuckDB and pyproj": (Task("gridding_pings.duckdb_pyproj", {**about, "threads": 2}), n),
        "h3": (Task("gridding_pings.h3_loop", {"path": path, "rows": sample}, rounds=1), sample),
        "geopandas sjoin": (
            Task("gridding_pings.geopandas_join", {**about, "rows": sample}, rounds=1),
            sample,
        ),
    }
    ours = Task("gridding_pings.count_pings", {**about, "engine": "embedded"})
    tasks = {"floor": _duckdb(path), "ours": ours, **{name: task for name, (task, _) in rivals.items()}}
    case = bench.run(tasks)
    for rival, (_, rows) in rivals.items():
        what = f"{n:,} pings" + (f"; rival: {rows:,} of them, times {n // rows}" if rows < n else "")
        word = rival.replace(" ", "-")
        about = {"id": f"pings/rival/{word}", "what": what, "truth": float(n)}
        row = bench.row(about, case, "ours", rival)
        if "rival_seconds" in row:
            row["rival_seconds"] *= n / rows
        yield row


def spark_rows(bench: Bench) -> Iterator[dict]:
    """Pings on Spark, beside Spark summing the same columns."""
    n = bench.sizes.spark_pings
    if n == 0:
        return
    path = str(make_pings(bench.folder, n).resolve())
    about = {"path": path, "cell_m": 500.0, "engine": "spark"}
    doors = {
        "path": Task("gridding_pings.count_pings", about, rounds=3),
        "uri": Task("gridding_pings.count_pings", {**about, "scheme": "file://"}, rounds=3),
    }
    case = bench.run({"floor": Task("gridding_pings.spark_sums", {"path": path}, rounds=3), **doors})
    for door in doors:
        what = f"{n:,} pings on Spark (local, 2 cores, started and warm) behind a {door}; "
        what += "floor: Spark sums the columns; 3 rounds"
        row = {"id": f"pings/spark-{door}/{n // 1_000_000}M", "what": what, "goal": 5.0, "truth": float(n)}
        yield bench.row(row, case, door)


def lattice_rows(bench: Bench) -> Iterator[dict]:
    """Focal sums, means and Gi* on the lattice."""
    side = bench.sizes.lattice
    tasks = {"floor": Task("gridding_lattice.one_pass", {"side": side}, inner=9)}
    kinds: dict[str, tuple[str, dict[str, float]]] = {
        "sum-1500m": ("gridding_lattice.focal_sum", {"radius_m": 1_500.0}),
        "sum-5000m": ("gridding_lattice.focal_sum", {"radius_m": 5_000.0}),
        "gi-1500m": ("gridding_lattice.hot_spots", {"radius_m": 1_500.0}),
        "gi-5000m": ("gridding_lattice.hot_spots", {"radius_m": 5_000.0}),
        "mean-3000m": ("gridding_lattice.box_mean", {"side_m": 3_000.0}),
    }
    tasks |= {name: Task(task, {"side": side, **given}, inner=9) for name, (task, given) in kinds.items()}
    case = bench.run(tasks)
    for name in kinds:
        what = f"{name} on {side * side:,} cells of 500 m; floor: one numpy pass; error: of cells done singly"
        about = {"id": f"lattice/{name}", "what": what, "truth": 0.0, "goal": 10.0}
        yield bench.row(about, case, name)


def rival_lattice_rows(bench: Bench) -> Iterator[dict]:
    """Gi* by esda as far as it goes, and pairs within reach."""
    side = bench.sizes.esda
    given: dict[str, object] = {"side": side, "radius_m": 5_000.0}
    tasks = {
        "floor": Task("gridding_lattice.one_pass", {"side": side}, inner=9),
        "ours": Task("gridding_lattice.hot_spots", given, inner=9),
        "esda": Task("gridding_lattice.esda_hot_spots", given, rounds=1),
    }
    what = f"Gi* within 5 km on {side * side:,} cells; rival with libpysal's distance band, 1 round"
    about = {"id": "lattice/rival/esda", "what": what, "truth": 0.0}
    yield bench.row(about, bench.run(tasks), "ours", "esda")
    side = bench.sizes.pairs
    given = {"side": side, "places": max(10, side * side // 500), "reach_km": 10.0}
    ours = Task("gridding_lattice.pairs_in_reach", given)
    rival = Task("gridding_lattice.balltree_pairs", given, rounds=1)
    count = bench.run({"ours": replace(ours, rounds=1)}).runs["ours"][0]
    pairs = 1 if count.why else int(count.value)
    floor = Task("gridding_lattice.write_pairs", {"pairs": pairs}, inner=3)
    case = bench.run({"floor": floor, "ours": ours, "scikit-learn BallTree": rival})
    what = f"{pairs:,} pairs within 10 km of {side * side:,} cells and {given['places']:,} places"
    about = {"id": "lattice/pairs", "what": f"{what}; floor: numpy writes as many", "truth": float(pairs)}
    yield bench.row(about, case, "ours", "scikit-learn BallTree")


def _duckdb(path: str) -> Task:
    return Task("gridding_pings.duckdb_sums", {"path": path, "threads": 2})


SECTIONS: dict[str, Callable[[Bench], Iterator[dict]]] = {
    "lattice": lattice_rows,
    "lattice-rivals": rival_lattice_rows,
    "raster": raster_rows,
    "raster-rivals": rival_raster_rows,
    "counties": county_rows,
    "nation": nation_rows,
    "pings": ping_rows,
    "ping-rivals": rival_ping_rows,
    "spark": spark_rows,
}


def _start(folder: Path, quick: bool, timeout: float) -> Bench:  # noqa: FBT001 - one switch of the command line
    return Bench(folder, QUICK, None) if quick else Bench(folder, FULL, timeout)


if __name__ == "__main__":
    run_sections(__doc__, SECTIONS, _start)
