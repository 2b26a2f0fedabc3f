"""A result folder appears whole or not at all."""

import ctypes
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from siteplanner.errors import BusyError, OutputError

MANIFEST = "manifest.json"
_COMPANIONS = (
    "-wal",
    "-shm",
    "-journal",
)  # left beside a GeoPackage by a viewer; meaningless for the next one
_RENAME_EXCHANGE = 2  # flag of Linux's renameat2(2)
_AT_FDCWD = -100
_CHUNK = 1 << 20


def publish(out_dir: Path, write: Callable[[Path], Iterator[Path] | list[Path]]) -> None:
    """Let ``write`` fill a staged folder beside ``out_dir``, then put it in the place of the old one at once.

    Every file is on the disk before the rename; the previous result stays readable until then, and stays
    altogether when anything fails. Files in the old folder that its manifest does not name are carried along.

    Parameters
    ----------
    write
        Called with the empty staged folder; yields each path it has finished.

    Raises
    ------
    BusyError
        Another run holds the folder.
    OutputError
        The disk refused, or ``out_dir`` holds something that is no result of ours; nothing was changed.
    """
    out_dir = out_dir.absolute()
    stage = out_dir.with_name(f".{out_dir.name}.tmp-{os.getpid()}")
    with _disk_errors(out_dir):
        _refuse_foreign(out_dir)
        out_dir.parent.mkdir(parents=True, exist_ok=True)
    with _held(out_dir), _disk_errors(out_dir):
        _recover(out_dir)
        try:
            stage.mkdir()
            for path in write(stage):
                _to_disk(path)
            _carry_along(out_dir, stage)
            _to_disk(stage)
            _swap(stage, out_dir)
            _to_disk(out_dir.parent)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _disk_errors(out_dir: Path) -> Iterator[None]:
    try:
        yield
    except (OutputError, BusyError):
        raise
    except OSError as error:
        place = error.filename or out_dir
        what = error.strerror or str(error)
        raise OutputError(f"{place}: {what}; no result was changed in {out_dir}") from error


@contextmanager
def _held(out_dir: Path) -> Iterator[None]:
    lock = FileLock(out_dir.with_name(f".{out_dir.name}.lock"))
    with _disk_errors(out_dir):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BusyError(f"{out_dir}: another run is writing there") from error
    try:
        yield
    finally:
        lock.release()  # the small file stays: unlinking it would let two runs hold two locks of one name


def _refuse_foreign(out_dir: Path) -> None:
    """Never replace a folder that is not a result: a mistyped ``--out`` must not cost anybody's files."""
    if not out_dir.name or out_dir.name == "..":
        raise OutputError(f"{out_dir}: is no name for an output folder")
    if out_dir.is_symlink() or (out_dir.exists() and not out_dir.is_dir()):
        raise OutputError(f"{out_dir}: is not an ordinary folder")
    if out_dir.is_dir() and any(out_dir.iterdir()) and not (out_dir / MANIFEST).is_file():
        raise OutputError(
            f"{out_dir}: holds files but no {MANIFEST}; it is not replaced; choose another folder"
        )


def _recover(out_dir: Path) -> None:
    """Undo what a killed run left behind; the lock is held, so whatever lies there is stale."""
    asides = sorted(out_dir.parent.glob(f".{_glob_safe(out_dir.name)}.old-*"))
    if asides and not out_dir.exists():
        asides.pop().rename(out_dir)
    for stale in (*asides, *out_dir.parent.glob(f".{_glob_safe(out_dir.name)}.tmp-*")):
        shutil.rmtree(stale)


def _glob_safe(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _carry_along(out_dir: Path, stage: Path) -> None:
    """Copy what the user put beside our files: every name that neither we nor the old manifest know."""
    if not out_dir.is_dir():
        return
    ours = {path.name for path in stage.iterdir()} | _names_of(out_dir / MANIFEST)
    companions = {name + suffix for name in ours for suffix in _COMPANIONS}
    for path in sorted(out_dir.iterdir()):
        if path.name in ours or path.name in companions:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, stage / path.name, symlinks=True)
        else:
            shutil.copy2(path, stage / path.name, follow_symlinks=False)


def _names_of(manifest: Path) -> set[str]:
    """Return the files that an old manifest names; none when it cannot be read."""
    try:
        return set(json.loads(manifest.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _to_disk(path: Path) -> None:
    if path.is_dir() and sys.platform == "win32":
        return  # Windows cannot open a folder to flush it; its renames are journalled
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(stage: Path, out_dir: Path) -> None:
    """Put the staged folder in place: one rename, or one exchange where an old result stands."""
    if out_dir.is_dir() and not any(out_dir.iterdir()):
        out_dir.rmdir()
    if not out_dir.exists():
        stage.rename(out_dir)
    elif not _exchange(stage, out_dir):
        # Without an atomic exchange: a run killed between these two lines is mended by `_recover`.
        aside = out_dir.with_name(f".{out_dir.name}.old-{os.getpid()}")
        out_dir.rename(aside)
        stage.rename(out_dir)
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system or its file system cannot."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    return bool(renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)
