"""The Spark engine before any Spark runs: what its settings mean, what is said when something is missing."""

import builtins
import sys

import pytest
from pydantic import ValidationError

from siteplanner.engines.engine import get_engine
from siteplanner.engines.java import check_java
from siteplanner.errors import EngineError
from siteplanner.scenario import SPARK_FIXED, EngineSettings


def fake_java(folder, said):
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize("said", ['openjdk version "17.0.15" 2025-04-15', 'java version "21" 2023-09-19 LTS'])
def test_java_17_and_newer_are_taken(tmp_path, monkeypatch, said):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", said)))
    check_java()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('java version "1.8.0_402"', "found Java 1 "),
        ('openjdk version "11.0.22" 2024-01-16', "found Java 11 "),
        ("hello", "found something else "),
    ],
)
def test_an_older_java_is_refused_by_its_version(tmp_path, monkeypatch, said, found):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", said)))
    with pytest.raises(EngineError, match=found) as error:
        check_java()
    assert "\n" not in str(error.value)


def test_no_java_is_one_line_that_names_java_17(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"needs Java 17 or newer, found none \(no java on the path\)"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(EngineError, match=r"found none \(JAVA_HOME=.*gone holds no bin/java\)"):
        check_java()


def test_without_the_extra_the_install_line_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *more):
        if name.split(".")[0] in {"pyspark", "py4j"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
        return real(name, *more)

    monkeypatch.delitem(sys.modules, "siteplanner.engines.spark", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"pip install 'siteplanner\[spark\]'") as error:
        get_engine(EngineSettings(kind="spark"))
    assert error.value.exit_code == 4


@pytest.mark.parametrize(
    "master", ["local", "local[*]", "local[16]", "yarn", "spark://head:7077", "k8s://https://head:6443"]
)
def test_masters_of_spark_are_known(master):
    assert EngineSettings(kind="spark", master=master).master == master


@pytest.mark.parametrize("master", ["", "mesos://head:5050", "local[0]", "sc://head:15002", "head:7077"])
def test_other_masters_are_refused(master):
    with pytest.raises(ValidationError):
        EngineSettings(kind="spark", master=master)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("executor.memory", "does not begin with"),
        ("spark.master", "engine.master names the cluster"),
        ("spark.hadoop.fs.s3a.secret.key", "is a credential"),
        ("spark.hadoop.fs.s3a.access.key", "is a credential"),
        *((name, "both engines must mean the same") for name in SPARK_FIXED),
    ],
)
def test_options_that_would_not_act_or_must_not_be_kept_are_refused(name, why):
    with pytest.raises(ValidationError, match=why):
        EngineSettings(kind="spark", spark_conf={name: "1"})
    assert EngineSettings(spark_conf={"spark.executor.memory": "8g"}).spark_conf
