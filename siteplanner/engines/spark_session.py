"""Spark sessions: begun where none runs, shared where one does; what they complain of, in one line."""

import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import IO

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

import siteplanner
from siteplanner.engines.java import check_java
from siteplanner.errors import EngineError
from siteplanner.scenario import SPARK_FIXED, EngineSettings
from siteplanner.stopwatch import Report, unreported

# Where spark-submit tells the programs it starts how to reach the Java process it has begun already.
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
# What a Java process that runs already can no longer take up.
_AT_START_ONLY = re.compile(r"^spark\.driver\.(memory\w*|cores|\w*ClassPath|\w*JavaOptions|\w*LibraryPath)$")
_LOOPBACK = "127.0.0.1"
_STOP_S = 30
# How often the progress is asked for, s.
REPORT_EVERY_S = 0.5

# The last line of a worker's traceback, the first of a Java one, and what the log of a failed start says.
_PYTHON_SAYS = re.compile(
    r"^((?!org\.|java\.|scala\.|py4j\.)[A-Za-z_][\w.]*(?:Error|Exception|Exit)\b.*)$", re.MULTILINE
)
_JAVA_SAYS = re.compile(r"^(?::|Caused by:) (?:[\w.$]+(?:Exception|Error): )?(.+)$", re.MULTILINE)
_LOG_SAYS = re.compile(r"^.* ERROR [\w.$]+: (.+)$", re.MULTILINE)
_FIRST_LINE = re.compile(r"^(?!WARNING|Picked up)(.*\w.*)$", re.MULTILINE)
# What is left to say of a session that ended while it began: the log knows why.
_STOPPED = "stopped SparkContext"
_LOG_TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Session:
    """A session with settings of our own, and how to end what was begun for it."""

    spark: SparkSession
    end: Callable[[], None]


def check_needs() -> None:
    """Raise EngineError when no Java process runs and none could be begun."""
    if not _java_runs():
        check_java()


def begin(settings: EngineSettings) -> Session:
    """Begin a session, or share the one that runs in this process.

    Raises
    ------
    EngineError
        When Spark does not start, or what runs already cannot take up what the settings ask for.
    """
    running = SparkContext._active_spark_context  # noqa: SLF001 - no public way to ask
    if running is not None:
        return _share(SparkSession(running), settings)
    late = sorted(name for name in settings.spark_conf if _AT_START_ONLY.match(name))
    if late and _java_runs():
        raise EngineError(f"engine.spark_conf cannot set {', '.join(late)} any more: give it to spark-submit")
    with ExitStack() as undo, tempfile.TemporaryFile() as log:
        try:
            spark = _start(settings, log, undo)
        except (PySparkException, Py4JError, OSError, ValueError) as error:
            # Asked before the Java process ends: the words are its own.
            reason = _reason(error, log)
            raise EngineError(f"Spark did not start: {reason}") from None
        return Session(spark, undo.pop_all().close)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what a cluster throws into one line."""
    try:
        yield
    except (PySparkException, Py4JError, OSError) as error:
        raise EngineError(f"the Spark job failed: {_reason(error)}") from None


@contextmanager
def reported(context: SparkContext, report: Report) -> Iterator[None]:
    """Report the share of the tasks of the stages at work that is done, as long as something is counted."""
    over = threading.Event()

    def watch() -> None:
        tracker, most = context.statusTracker(), 0.0
        while not over.wait(REPORT_EVERY_S):
            with suppress(Py4JError, OSError):
                stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
                tasks = [(one.numCompletedTasks, one.numTasks) for one in stages if one is not None]
                # A later stage begins anew: what was told once is not taken back.
                most = max([most, *(done / n for done, n in tasks if n)])
                report(most)

    watcher = threading.Thread(target=watch, daemon=True)
    if report is not unreported:
        watcher.start()
    try:
        yield
    finally:
        over.set()
        if watcher.is_alive():
            watcher.join()
    report(1.0)


def _java_runs() -> bool:
    return _SUBMITTED in os.environ or SparkContext._gateway is not None  # noqa: SLF001 - no public way to ask


def _share(found: SparkSession, settings: EngineSettings) -> Session:
    """Use a session that runs already, beside whoever began it."""
    master = found.sparkContext.master
    if settings.master not in {None, master}:
        raise EngineError(
            f"a Spark session runs already on {master}; engine.master says {settings.master}: leave it out"
        )
    beside = found.newSession()
    for name, value in settings.spark_conf.items():
        if beside.conf.get(name, None) == value:
            continue
        if not beside.conf.isModifiable(name):
            raise EngineError(f"a Spark session runs already and cannot take up {name} of engine.spark_conf")
        beside.conf.set(name, value)
    return Session(_fixed(beside), _nothing)


def _nothing() -> None:
    """End nothing: the session is another's."""


def _start(settings: EngineSettings, log: IO[bytes], undo: ExitStack) -> SparkSession:
    """Begin a session and, where none runs, the Java process below it, whose words go to the log."""
    quiet = {"spark.app.name": "siteplanner", "spark.ui.showConsoleProgress": "false"}
    options = {**quiet, **settings.spark_conf}
    if settings.master is not None:
        options["spark.master"] = settings.master
    gateway = SparkContext._gateway  # noqa: SLF001 - left by an earlier session of somebody else
    if gateway is None:
        gateway = launch_gateway(
            _with(SparkConf(loadDefaults=False), options), {"stdout": log, "stderr": log}
        )
        undo.callback(_stop_java, gateway)
    if threading.current_thread() is threading.main_thread():
        # A session takes over what Ctrl-C does.
        undo.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
    conf = _with(SparkConf(_jvm=gateway.jvm), options)
    local = conf.get("spark.master", "").startswith("local")
    undo.callback(_stop_context)
    context = SparkContext(conf=_with(conf, _at_home(conf) if local else {}), gateway=gateway)
    # The workers of this machine run what runs here, whatever `python3` may be; others what they are told.
    context.pythonExec = sys.executable if local else conf.get("spark.pyspark.python", context.pythonExec)
    spark = SparkSession(context)
    undo.callback(_stop_session, spark)
    return _fixed(spark)


def _with(conf: SparkConf, options: dict[str, str]) -> SparkConf:
    for name, value in options.items():
        conf.set(name, value)
    return conf


def _at_home(conf: SparkConf) -> dict[str, str]:
    """Return the options of a session that does not leave this machine: its sockets do not either."""
    package = str(Path(siteplanner.__file__).resolve().parents[1])
    path = conf.get("spark.executorEnv.PYTHONPATH", "")
    return {
        "spark.driver.bindAddress": _LOOPBACK,
        "spark.driver.host": _LOOPBACK,
        "spark.ui.enabled": conf.get("spark.ui.enabled", "false"),
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(filter(None, (package, path))),
    }


def _fixed(spark: SparkSession) -> SparkSession:
    for name, value in SPARK_FIXED.items():
        spark.conf.set(name, value)
    return spark


def _stop_session(spark: SparkSession) -> None:
    # A Java process that died cannot be asked to stop.
    with suppress(Py4JError, OSError):
        spark.stop()


def _stop_context() -> None:
    """Stop a context that was begun but no session came of it."""
    left = SparkContext._active_spark_context  # noqa: SLF001 - no public way to ask
    if left is not None:
        left.stop()


def _stop_java(gateway: JavaGateway) -> None:
    """End the Java process that was begun here; it leaves when its input closes."""
    if gateway.proc is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(_STOP_S)
    except TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()
    # Else the next session of this process would look for the one that is gone.
    SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 - launched here, hence forgotten here


def _reason(error: Exception, log: IO[bytes] | None = None) -> str:
    try:
        text = str(error)
    except (Py4JError, OSError):
        text = "the Java process is gone"
    said = _PYTHON_SAYS.findall(text)[-1:] or _JAVA_SAYS.findall(text)[:1]
    if log is not None and (not said or _STOPPED in said[0]):
        log.seek(0)
        logged = log.read()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        said = _LOG_SAYS.findall(logged) or _FIRST_LINE.findall(logged) or said
    return str(said[0] if said else text.strip().split("\n", 1)[0]).strip()
