"""Sessions of Spark: what a scenario asks for acts, what others began stays, what we began is gone."""

import threading
import time

import pytest

from siteplanner.engines.engine import get_engine
from siteplanner.errors import EngineError
from siteplanner.scenario import SPARK_FIXED, EngineSettings

pytest.importorskip("pyspark", reason="the extra siteplanner[spark] is not installed")

from pyspark import SparkContext

from siteplanner.engines import spark_session
from siteplanner.engines.spark_session import begin, reported, told_plainly


def engine(**settings):
    return get_engine(EngineSettings(kind="spark", **settings))


@pytest.fixture
def context(spark):
    """The context of the session that all tests share, as if somebody else had begun it."""
    return spark._spark().sparkContext


def test_a_session_that_runs_is_shared_and_left_running(context):
    mine = engine(spark_conf={"spark.sql.shuffle.partitions": "3"})
    session = mine._spark()
    assert session.sparkContext is context
    assert session.conf.get("spark.sql.shuffle.partitions") == "3"
    assert {name: session.conf.get(name) for name in SPARK_FIXED} == SPARK_FIXED
    mine.close()
    assert SparkContext._active_spark_context is context
    assert context.parallelize([1, 2]).sum() == 3


@pytest.mark.usefixtures("context")
def test_a_shared_session_keeps_its_own_settings(spark):
    theirs = spark._spark()
    theirs.conf.set("spark.sql.session.timeZone", "Asia/Shanghai")
    try:
        mine = begin(EngineSettings(kind="spark"))
        assert mine.spark.conf.get("spark.sql.session.timeZone") == "UTC"
        assert theirs.conf.get("spark.sql.session.timeZone") == "Asia/Shanghai"
    finally:
        theirs.conf.set("spark.sql.session.timeZone", "UTC")


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"master": "local[1]"}, r"runs already on local\[2\]; engine.master says local\[1\]"),
        ({"spark_conf": {"spark.executor.memory": "3g"}}, "cannot take up spark.executor.memory"),
    ],
)
def test_what_a_running_session_cannot_take_up_is_refused(settings, told):
    with pytest.raises(EngineError, match=told):
        begin(EngineSettings(kind="spark", **settings))


def test_options_for_the_start_come_too_late_under_spark_submit(monkeypatch):
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    with pytest.raises(EngineError, match=r"cannot set spark\.driver\.memory any more"):
        begin(EngineSettings(kind="spark", spark_conf={"spark.driver.memory": "4g"}))


def test_what_a_worker_throws_is_one_line(context):
    def fail(number):
        raise OverflowError(f"no room for {number}")

    with (
        pytest.raises(EngineError, match=r"^the Spark job failed: OverflowError: no room for 7$"),
        told_plainly(),
    ):
        context.parallelize([7], 1).map(fail).collect()


def test_progress_is_told(context):
    told = []
    enough = threading.Event()

    def hear(share):
        told.append(share)
        enough.set()

    def slow(number):
        time.sleep(0.3)
        return number

    with reported(context, hear):
        context.parallelize(range(8), 8).map(slow).collect()
    assert enough.is_set()
    assert told == sorted(told)
    assert 0.0 <= told[0] <= told[-1] <= 1.0


def test_reasons_are_found_in_what_java_says():
    java = (
        "An error occurred.\n: java.net.ConnectException: refused\n\tat a.b(C.scala:1)\nCaused by: x.Y: z\n"
    )
    python = "Lost task\nTraceback:\n  File x\nModuleNotFoundError: No module named 'q'\n\tat a.b"
    assert spark_session._reason(RuntimeError(java)) == "refused"
    assert spark_session._reason(RuntimeError(python)) == "ModuleNotFoundError: No module named 'q'"
    assert spark_session._reason(RuntimeError("first\nsecond")) == "first"
