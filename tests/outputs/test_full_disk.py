"""A disk that refuses: exit code 5, the old result unchanged, nothing left behind."""

import multiprocessing
import sys
from pathlib import Path

import pytest
from fake_plan import fake_plan

from siteplanner.errors import OutputError
from siteplanner.outputs import folder, maps
from siteplanner.outputs.folder import write_outputs

resource = pytest.importorskip("resource")


# Bytes a file may have, and the pages left out so that the writer named is the first to meet the limit.
CASES = {
    "map.html": (50_000, ()),
    "report.html": (20_000, ("write_map",)),
    "moves.xlsx": (20_000, ("write_map", "write_report")),
    "plan.gpkg": (100_000, ("write_map", "write_report")),
    "cells.parquet": (400_000, ("write_map", "write_report")),
}


def _write_with_limits(folder_of, answers):
    plan = fake_plan()
    written = {name: getattr(folder, name) for name in ("write_report",)} | {"write_map": maps.write_map}
    for case, (limit, silent) in CASES.items():
        for name, write in written.items():
            put = _nothing if name in silent else write
            setattr(maps if name == "write_map" else folder, name, put)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_outputs(plan, folder_of / case / "plan", "en", "0.1.0")
            answers.put((case, "written"))
        except OutputError as error:
            answers.put((case, f"{error.exit_code} {error}"))
        except BaseException as error:  # noqa: BLE001 - the test wants to see what else comes
            answers.put((case, f"{type(error).__name__} {error}"))


def _nothing(_plan, path, *_rest):
    Path(path).write_text("", encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_refused_write_leaves_the_old_result(tmp_path):
    for case in CASES:
        out = tmp_path / case / "plan"
        out.mkdir(parents=True)
        (out / "manifest.json").write_text('{"files": {}}', encoding="utf-8")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_write_with_limits, args=(tmp_path, answers))
    process.start()
    told = dict(answers.get(timeout=120) for _ in CASES)
    process.join()
    for case, answer in told.items():
        assert answer.startswith("5 "), (case, answer)
        assert "\n" not in answer
        assert [path.name for path in (tmp_path / case / "plan").iterdir()] == ["manifest.json"]
        assert sorted(path.name for path in (tmp_path / case).iterdir()) == [".plan.lock", "plan"]
