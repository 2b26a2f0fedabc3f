"""A result folder appears whole or not at all."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from filelock import FileLock

from siteplanner.errors import BusyError, OutputError
from siteplanner.outputs import publish as module
from siteplanner.outputs.publish import publish


def writer(text, names=("a.txt", "manifest.json")):
    def write(stage):
        for name in names:
            body = json.dumps({"files": {"a.txt": {}}}) if name == "manifest.json" else text
            (stage / name).write_text(body, encoding="utf-8")
            yield stage / name

    return write


def failing(error, after=1):
    def write(stage):
        for number in range(after):
            (stage / f"half-{number}.txt").write_text("half", encoding="utf-8")
            yield stage / f"half-{number}.txt"
        raise error

    return write


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith(".") and not p.name.endswith(".lock"))


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_the_new_result_takes_the_place_of_the_old(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(module, "_exchange", lambda _one, _other: False)
    out = tmp_path / "maps" / "plan"
    publish(out, writer("old"))
    publish(out, writer("new"))
    assert (out / "a.txt").read_text() == "new"
    assert sorted(p.name for p in out.iterdir()) == ["a.txt", "manifest.json"]
    assert leftovers(out.parent) == []


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("defect")]
)
def test_a_failure_leaves_the_old_result_and_no_rest(tmp_path, error):
    out = tmp_path / "plan"
    publish(out, writer("old"))
    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        publish(out, failing(error))
    assert (out / "a.txt").read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_named_with_its_path_and_code(tmp_path):
    out = tmp_path / "plan"
    error = OSError(28, "No space left on device", str(tmp_path / "moves.xlsx"))
    with pytest.raises(OutputError, match=r"moves\.xlsx: No space left on device") as caught:
        publish(out, failing(error))
    assert caught.value.exit_code == 5
    assert not out.exists()


def test_a_held_folder_is_busy_at_once_and_untouched(tmp_path):
    out = tmp_path / "plan"
    publish(out, writer("old"))
    started = time.monotonic()
    with FileLock(tmp_path / ".plan.lock"), pytest.raises(BusyError) as caught:
        publish(out, writer("new"))
    assert caught.value.exit_code == 75
    assert time.monotonic() - started < 1.0
    assert (out / "a.txt").read_text() == "old"


def test_what_a_killed_run_left_is_swept_and_mended(tmp_path):
    out = tmp_path / "plan"
    stale, aside = tmp_path / ".plan.tmp-1", tmp_path / ".plan.old-1"
    other = tmp_path / ".plan2.tmp-1"
    for folder in (stale, aside, other):
        folder.mkdir()
    (aside / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RuntimeError):
        publish(out, failing(RuntimeError("defect")))
    assert (out / "manifest.json").exists(), "the run killed between two renames is undone"
    assert leftovers(tmp_path) == [".plan2.tmp-1"], "only what is ours is swept"


def test_a_folder_that_is_no_result_is_never_replaced(tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(OutputError, match="holds files but no manifest"):
        publish(out, writer("new"))
    assert (out / "chapter.txt").read_text() == "years of work"


def test_a_file_or_a_link_is_no_output_folder(tmp_path):
    file, link, real = tmp_path / "file", tmp_path / "link", tmp_path / "real"
    file.write_text("x", encoding="utf-8")
    real.mkdir()
    link.symlink_to(real)
    for out in (file, link):
        with pytest.raises(OutputError, match="not an ordinary folder"):
            publish(out, writer("new"))


def test_files_of_the_user_are_carried_along_and_our_old_ones_are_not(tmp_path):
    out = tmp_path / "plan"
    publish(out, writer("old", ("a.txt", "manifest.json")))
    (out / "minutes.pdf").write_text("signed", encoding="utf-8")
    (out / "notes").mkdir()
    (out / "notes" / "one.txt").write_text("1", encoding="utf-8")
    (out / "manifest.json-journal").write_text("", encoding="utf-8")
    publish(out, writer("new", ("b.txt", "manifest.json")))
    assert sorted(p.name for p in out.iterdir()) == ["b.txt", "manifest.json", "minutes.pdf", "notes"]
    assert (out / "notes" / "one.txt").read_text() == "1"


def _write_slowly(out, started):
    def write(stage):
        (stage / "a.txt").write_text("half", encoding="utf-8")
        started.set()
        time.sleep(60)
        yield stage / "a.txt"

    publish(out, write)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed")
def test_a_killed_run_changes_nothing_and_the_next_one_sweeps(tmp_path):
    out = tmp_path / "plan"
    publish(out, writer("old"))
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    process = context.Process(target=_write_slowly, args=(out, started))
    process.start()
    assert started.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (out / "a.txt").read_text() == "old"
    assert len(leftovers(tmp_path)) == 1
    publish(out, writer("new"))
    assert (out / "a.txt").read_text() == "new"
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(OutputError):
        publish(file / "plan", writer("new"))
