"""The engine that counts on Apache Spark: a cluster, or all cores of this machine.

Only this module and `spark_session` know pyspark. No object of the cluster leaves them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pyspark import SparkContext
from pyspark.sql import SparkSession

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.raster_jobs import RasterJob, RasterSum, WindowSum, merge, sum_window
from siteplanner.engines.spark_session import Session, begin, check_needs, told_plainly
from siteplanner.errors import Fault, InputError
from siteplanner.layers.pixels import PixelReader, Window
from siteplanner.scenario import EngineSettings

# Tasks for each core of the cluster: enough to even out slow ones, few enough to keep what they send small.
TASKS_PER_CORE = 3

Answer = TypeVar("Answer")


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


def _n_tasks(context: SparkContext, n_pieces: int) -> int:
    return max(1, min(n_pieces, TASKS_PER_CORE * context.defaultParallelism))


def _summing(job: Callable[[], RasterJob]) -> Callable[[Iterable[Window]], Iterator["WindowSum | list[Fault]"]]:
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
