"""What all tests share: where the real layers lie, and no silent skipping in CI."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

# The first example of a run may wait for compiled code to load; a busy machine is no fault either.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).resolve().parents[1]
REQUIRE_ALL = "SITEPLANNER_REQUIRE_ALL"


def pytest_collection_modifyitems(items):
    shared = os.environ.get("SITEPLANNER_SHARED_DATA")
    chromium = shutil.which("chromium")
    for item in items:
        if "shared" in item.keywords and not shared:
            item.add_marker(
                pytest.mark.skip(reason="set SITEPLANNER_SHARED_DATA to the folder of real layers")
            )
        if "browser" in item.keywords and not chromium:
            item.add_marker(pytest.mark.skip(reason="no chromium on the path"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """In CI nothing may be skipped: a missing layer or browser is a failure."""
    report = yield
    if report.skipped and os.environ.get(REQUIRE_ALL) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real layers that are never committed."""
    return Path(os.environ["SITEPLANNER_SHARED_DATA"])


@pytest.fixture(scope="session")
def root():
    return ROOT
