"""Which file a scenario may name, and what it is; nothing is opened by a driver before this."""

import hashlib
import re
from pathlib import Path

from siteplanner.errors import Fault

TABLE_SUFFIXES = (".csv", ".csv.gz", ".xlsx", ".gpkg", ".geojson", ".json", ".shp", ".parquet", ".geoparquet")
RASTER_SUFFIXES = (".tif", ".tiff")

# GDAL's virtual systems, URLs and connection strings such as "WFS:http" or "GPKG:file:layer"; a single letter
# before the colon is a Windows drive.
_VIRTUAL = re.compile(r"^\s*(/vsi|\\vsi|[A-Za-z][\w+.-]+:)")

# File systems that clusters read: Hadoop's own, of cloud stores, and what all machines mount alike.
_REMOTE = re.compile(r"^(hdfs|viewfs|s3a|abfss?|gs|oss|cosn|obs|file)://")

HASH_CHUNK_BYTES = 1 << 20


def find_file(name: str, folder: Path, suffixes: tuple[str, ...]) -> Path | Fault:
    """Return the regular file that a scenario names, or what is wrong with it.

    Parameters
    ----------
    name
        Path as the scenario gives it, relative to `folder`.
    suffixes
        Endings that the reader understands, in lower case.
    """
    place = find_place(name, folder)
    if isinstance(place, Fault):
        return place
    if place.is_dir():
        return Fault(name, "", "", "a folder", "a file")
    if not place.is_file():
        return Fault(name, "", "", "something that is not a regular file", "a regular file")
    if not place.name.lower().endswith(suffixes):
        return Fault(name, "", "", f'the ending "{place.suffix}"', "one of " + ", ".join(suffixes))
    if place.stat().st_size == 0:
        return Fault(name, "", "", "an empty file (0 bytes)", "a file with content")
    return place


def is_uri(name: str) -> bool:
    """Whether a name is one that only a cluster can follow."""
    return _REMOTE.match(name) is not None


def find_place(name: str, folder: Path) -> Path | Fault:
    """Return the file or folder that a scenario names, or what is wrong with the name."""
    if _VIRTUAL.match(name) or "\0" in name:
        return Fault(name, "", "", "a virtual or remote path", "the path of an ordinary file")
    try:
        place = (folder / name).resolve()
        there = place.exists()
    except (OSError, ValueError, RuntimeError) as error:
        return Fault(
            name, "", "", f"a path that cannot be followed ({error})", "the path of an ordinary file"
        )
    if not there:
        return Fault(name, "", "", "no such file", f"a file at {name}, relative to the scenario")
    return place


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
