"""The engine that counts on Apache Spark: a cluster, or all cores of this machine.

Only this module, `spark_remote` and `spark_session` know pyspark. No object of the cluster leaves them.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace

from pyspark import RDD, SparkContext
from pyspark.sql import SparkSession

from siteplanner.engines.devices import PART_ROWS
from siteplanner.engines.embedded import Counted, EmbeddedEngine
from siteplanner.engines.engine import FootfallSum
from siteplanner.engines.footfall import OUTSIDE
from siteplanner.engines.ping_pieces import (
    Kind,
    Name,
    Piece,
    PingCount,
    add_up,
    count_groups,
    count_parts,
    gather,
    share_out,
)
from siteplanner.engines.pings import make_binner
from siteplanner.engines.raster_jobs import RasterJob, RasterSum, WindowSum, merge, sum_window
from siteplanner.engines.spark_remote import list_files, open_remote, told_of_files
from siteplanner.engines.spark_session import Session, begin, check_needs, reported, told_plainly
from siteplanner.errors import Fault, InputError
from siteplanner.layers.paths import is_uri
from siteplanner.layers.ping_files import open_pings
from siteplanner.layers.pixels import PixelReader, Window
from siteplanner.layers.records import FootfallSource
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import Lattice
from siteplanner.scenario import EngineSettings
from siteplanner.stopwatch import Report, unreported

# Tasks for each core of the cluster: enough to even out slow ones, few enough to keep what they send small.
TASKS_PER_CORE = 3

# Blocks that one task adds up, at 3 to 7 MB each.
BLOCKS_PER_TASK = 32


class SparkEngine(EmbeddedEngine):
    """Counts pings and rasters on Spark; tables that fit in memory (points, cells, H3) in this process.

    The session begins with the first layer that is counted there and ends with `close`. A session that runs
    already is used, with settings of its own, and left running.
    """

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__()
        check_needs()
        self._settings = settings
        self._session: Session | None = None

    def close(self) -> None:
        """End the session, if one was begun here."""
        if self._session is not None:
            self._session.end()
        self._session = None

    def _spark(self) -> SparkSession:
        if self._session is None:
            self._session = begin(self._settings)
        return self._session.spark

    def _run(self, job: RasterJob) -> RasterSum:
        context = self._spark().sparkContext
        with told_plainly():
            sent = context.broadcast(job)
            try:
                runs = context.parallelize(job.windows, _n_tasks(context, len(job.windows)))
                sums = runs.mapPartitions(_summing(lambda: sent.value)).collect()
            finally:
                sent.destroy()
        faults = [fault for answer in sums if not isinstance(answer, WindowSum) for fault in answer]
        if faults:
            raise InputError(faults)
        # Windows come back in the order of the job: `collect` keeps it.
        return merge(job, sums)

    def sum_points(self, source: FootfallSource, grid: Grid, report: Report = unreported) -> FootfallSum:
        """Sum foot traffic to cells as every engine does; pings may also lie behind a URI.

        Files behind a URI are listed with their size and time in place of a checksum.
        """
        answer = super().sum_points(source, grid, report)
        if not is_uri(source.path):
            return answer
        people = answer.account["count_in"]
        if people.drop(OUTSIDE).sum() <= 0.0:
            found = f"{people[OUTSIDE]:,.0f} people, all outside"
            raise InputError([Fault(source.path, "", "lon, lat", found, "some in the counties")])
        with told_plainly():
            return replace(answer, unhashed=list_files(self._spark(), source.path))

    def _count(self, source: FootfallSource, lattice: Lattice, report: Report) -> Counted:
        if is_uri(source.path):
            return self._count_remote(source, lattice, report)
        files = open_pings(source)
        optional = {
            name for name, there in (("weight", files.weighted), ("device", files.with_devices)) if there
        }
        count = _plan(source, lattice, optional, lambda: files.n_rows)
        context = self._spark().sparkContext
        runs = share_out(files.groups, _n_tasks(context, len(files.groups)))
        with told_plainly(), reported(context, report):
            pieces = context.parallelize(runs, max(len(runs), 1)).flatMap(
                lambda run: count_groups(count, *run)
            )
            return gather(count, _sums(pieces, count))

    def _count_remote(self, source: FootfallSource, lattice: Lattice, report: Report) -> Counted:
        spark = self._spark()
        with told_plainly(), reported(spark.sparkContext, report), told_of_files(source.path):
            pings = open_remote(spark, source)
            count = _plan(source, lattice, pings.columns.keys(), pings.frame.count)
            found = pings.look(count)
            pieces = [] if found else _sums(pings.pieces(count), count)
            faulty = [number for (kind, number), _ in pieces if kind == Kind.FAULTS]
            found = found or (pings.first_fault(count, faulty) if faulty else None)
            if found is not None:
                raise found
            return gather(count, pieces)


def _plan(
    source: FootfallSource, lattice: Lattice, columns: Container[str], n_rows: Callable[[], int]
) -> PingCount:
    by_device = "device" in columns and (source.distinct_devices or source.suppress_below is not None)
    return PingCount(
        make_binner(lattice, source, weighted="weight" in columns),
        distinct=by_device and source.distinct_devices,
        behind=by_device and source.suppress_below is not None,
        n_parts=n_rows() // PART_ROWS + 1 if by_device else 0,
    )


def _sums(pieces: "RDD[Piece]", count: PingCount) -> list[Piece]:
    """Bring together what belongs together, and return the sums of all blocks."""
    context = pieces.context
    if count.by_device:
        parts = pieces.partitionBy(max(count.n_parts, 1), _by_number)
        pieces = parts.mapPartitions(lambda some: count_parts(count, some))
    n_tasks = max(_n_tasks(context, count.n_blocks), count.n_blocks // BLOCKS_PER_TASK)
    blocks = pieces.partitionBy(n_tasks, _by_number)
    answer: list[Piece] = blocks.mapPartitions(lambda some: add_up(count, some)).collect()
    return answer


def _by_number(name: Name) -> int:
    return name[1]


def _n_tasks(context: SparkContext, n_pieces: int) -> int:
    cores: int = context.defaultParallelism
    return max(1, min(n_pieces, TASKS_PER_CORE * cores))


def _summing(
    job: Callable[[], RasterJob],
) -> Callable[[Iterable[Window]], Iterator[WindowSum | list[Fault]]]:
    """Return what a worker does with its windows; it keeps files open from one to the next."""

    def work(windows: Iterable[Window]) -> Iterator[WindowSum | list[Fault]]:
        raster = job()
        with PixelReader(raster.paths) as reader:
            for window in windows:
                try:
                    yield sum_window(raster, window, reader)
                except InputError as error:
                    # A fault is an answer: an error would be tried again on other machines.
                    yield list(error.faults)
                    return

    return work
