"""Which Java is here: Spark runs on it and says little when it is missing or old."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from siteplanner.errors import EngineError

# Spark 4 runs on Java 17 and newer (its documentation, "Downloading").
JAVA_MIN = 17
# Older Javas call themselves 1.8 and the like: their first number is 1.
_VERSION = re.compile(r'version "(\d+)')
_REMEDY = f"install Java {JAVA_MIN} (Debian: openjdk-17-jre-headless) or point JAVA_HOME at it"
_ANSWER_S = 60


def check_java() -> None:
    """Raise EngineError unless the Java that Spark would start is new enough."""
    home = os.environ.get("JAVA_HOME")
    # Spark's own launcher looks in this order; JAVA_HOME wins even when nothing is there.
    java = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME={home} holds no bin/java" if home else "no java on the path"
        raise EngineError(f"engine 'spark' needs Java {JAVA_MIN} or newer, found none ({where}): {_REMEDY}")
    found = _version_of(java)
    if found is None or found < JAVA_MIN:
        what = "something else" if found is None else f"Java {found}"
        raise EngineError(f"engine 'spark' needs Java {JAVA_MIN} or newer, found {what} ({java}): {_REMEDY}")


def _version_of(java: str) -> int | None:
    try:
        done = subprocess.run(  # noqa: S603 - the Java that Spark itself would start
            [java, "-version"], capture_output=True, text=True, check=False, timeout=_ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = _VERSION.search(done.stderr + done.stdout)
    return int(said.group(1)) if said else None
