"""Pings that only the cluster can reach: Spark reads the Parquet files of a URI, its workers count rows."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import RDD, TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name under which everybody knows them
from pyspark.sql.pandas.types import to_arrow_schema

from siteplanner.engines.engine import UnhashedFile
from siteplanner.engines.ping_pieces import Kind, Piece, PingCount, count_rows
from siteplanner.errors import Fault, InputError
from siteplanner.layers.ping_files import FIRST_ROWS, checked_columns
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import Origin
from siteplanner.layers.text_tables import UnreadableError

# Spark's names of what may be wrong with files (its error-conditions.json), and what is said of it.
_WRONG_FILES = {
    "PATH_NOT_FOUND": ("nothing there", "a Parquet file, or a folder of them"),
    "UNABLE_TO_INFER_SCHEMA": ("no .parquet files", "a Parquet file, or a folder of them"),
    "CANNOT_MERGE_SCHEMAS": ("files whose columns differ in type", "columns of the same type in all files"),
    "CANNOT_READ_FILE_FOOTER": ("a broken Parquet file", "a Parquet file"),
    "FAILED_READ_FILE": ("a broken Parquet file", "a Parquet file"),
}
_CODES = re.compile(r"\[(" + "|".join(_WRONG_FILES) + r")[.\]]")
_FILE_OF = re.compile(r"(?:reading file|footer for file):? (\S[^\n]*?\.parquet)")
_NANOSECONDS = re.compile(r"TIMESTAMP\(NANOS,(true|false)\)")
_NANOS_AS_LONG = "spark.sql.legacy.parquet.nanosAsLong"
_OPTIONS = {
    "recursiveFileLookup": "true",
    "pathGlobFilter": "*.parquet",
    "mergeSchema": "true",
    "parquet.page.verify-checksum.enabled": "true",
}
_FILE, _ROW = "__file", "__row"
_PIECES = "kind int, number int, content binary"
_PIECE_SCHEMA = pa.schema([("kind", pa.int32()), ("number", pa.int32()), ("content", pa.binary())])


@dataclass(frozen=True, slots=True)
class RemotePings:
    """Checked pings behind a URI.

    Parameters
    ----------
    columns
        Names in the files by canonical name.
    nanoseconds
        Type of the times where Spark reads them as whole numbers, else None.
    """

    source: FootfallSource
    frame: DataFrame
    columns: dict[str, str]
    nanoseconds: pa.DataType | None

    def pieces(self, count: PingCount) -> "RDD[Piece]":
        """Count the rows where they are read."""
        rows = self.frame.select(*_numbered(count))
        name, kind = self.source.path, self.nanoseconds

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            timed = ((_timed(batch, count, kind), Origin(name, None)) for batch in batches)
            return _as_rows(count_rows(count, timed, _task()))

        return _as_pieces(rows.mapInArrow(work, _PIECES))

    def first_fault(self, count: PingCount, tasks: Sequence[int]) -> InputError | None:
        """Look for the faults that tasks met, now by file and row, which are not carried with every row."""
        root, kind, wanted = urlsplit(self.source.path).path, self.nanoseconds, frozenset(tasks)

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            if _task() in wanted:
                yield from _as_rows(_located(count, (_timed(batch, count, kind) for batch in batches), root))

        return _first(_as_pieces(self._placed(count).mapInArrow(work, _PIECES)).collect())

    def look(self, count: PingCount) -> InputError | None:
        """Look for faults in the first rows, before the long count."""
        rows = self._placed(count).limit(FIRST_ROWS).toArrow()
        if not rows.num_rows:
            return InputError([Fault(self.source.path, "", "", "no rows", "foot traffic")])
        batches = (_timed(batch, count, self.nanoseconds) for batch in rows.combine_chunks().to_batches())
        return _first(_located(count, batches, urlsplit(self.source.path).path))

    def _placed(self, count: PingCount) -> DataFrame:
        """Return the rows with the file and the row that each comes from."""
        places = [F.col("_metadata.file_path").alias(_FILE), F.col("_metadata.row_index").alias(_ROW)]
        return self.frame.select(*_numbered(count), *places)


def open_remote(spark: SparkSession, source: FootfallSource) -> RemotePings:
    """Check columns and types of what lies behind a URI.

    Raises
    ------
    InputError
        When it cannot be counted.
    """
    frame, nanoseconds = _frame(spark, source.path)
    try:
        columns = checked_columns(_kinds(frame, source, nanoseconds), source)
    except UnreadableError as error:
        raise InputError([error.fault(source.path)]) from None
    return RemotePings(source, frame, columns, nanoseconds)


def list_files(spark: SparkSession, path: str) -> dict[str, UnhashedFile]:
    """List the files behind a URI by name, with what tells a change of them; their content is not read."""
    listing = spark.read.format("binaryFile").options(**_OPTIONS).load(path)
    rows = listing.select("path", "length", "modificationTime").collect()
    return {
        _name_of(row["path"], urlsplit(path).path): UnhashedFile(
            row["length"], row["modificationTime"].astimezone(UTC).isoformat(timespec="milliseconds")
        )
        for row in sorted(rows, key=lambda row: str(row["path"]))
    }


@contextmanager
def told_of_files(path: str) -> Iterator[None]:
    """Turn what Spark throws at missing, broken or mixed files into a fault of the input."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        wrong = _CODES.search(text)
        if wrong is None:
            raise
        found, expected = _WRONG_FILES[wrong.group(1)]
        file = _FILE_OF.search(text)
        name = _name_of(file.group(1), urlsplit(path).path) if file else path
        raise InputError([Fault(name, "", "", found, expected)]) from None


def _frame(spark: SparkSession, path: str) -> tuple[DataFrame, pa.DataType | None]:
    """Return the rows, and the true type of times that Spark has no type for."""
    try:
        # Only its refusal tells nanoseconds apart from whole numbers, and local times from Universal Time.
        spark.conf.set(_NANOS_AS_LONG, "false")
        return spark.read.options(**_OPTIONS).parquet(path), None
    except (PySparkException, Py4JError) as error:
        refused = _NANOSECONDS.search(str(error))
        if refused is None:
            raise
    finally:
        spark.conf.set(_NANOS_AS_LONG, "true")
    zone = "UTC" if refused.group(1) == "true" else None
    return spark.read.options(**_OPTIONS).parquet(path), pa.timestamp("ns", zone)


def _kinds(frame: DataFrame, source: FootfallSource, nanoseconds: pa.DataType | None) -> pa.Schema:
    """Return the types of the columns as they reach the workers."""
    wanted = {source.columns.get(name, name) for name in ("lon", "lat", "time", "device", "weight")}
    known = [name for name in frame.columns if name in wanted]
    kinds = to_arrow_schema(frame.select(*map(_quoted, known)).schema)
    others = [pa.field(name, pa.null()) for name in frame.columns if name not in wanted]
    time = source.columns.get("time", "time")
    fields = [
        pa.field(one.name, nanoseconds)
        if one.name == time and nanoseconds is not None and pa.types.is_int64(one.type)
        else one
        for one in kinds
    ]
    return pa.schema([*fields, *others])


def _timed(batch: pa.RecordBatch, count: PingCount, kind: pa.DataType | None) -> pa.RecordBatch:
    """Give columns their names back, and times that Spark read as whole numbers their type."""
    batch = _named(batch, count)
    name = count.binner.source.columns.get("time", "time")
    place = batch.schema.get_field_index(name)
    if kind is None or not pa.types.is_int64(batch.schema.field(place).type):
        return batch
    return batch.set_column(place, name, batch.column(place).view(kind))


def _first(pieces: Iterable[Piece]) -> InputError | None:
    """Return the faults of the first file and row."""
    found = [json.loads(content) for _, content in pieces]
    if not found:
        return None
    first = min(found, key=lambda one: (one["file"], one["row"]))
    return InputError(Fault(**fault) for fault in first["faults"])


def _located(count: PingCount, batches: Iterable[pa.RecordBatch], root: str) -> Iterator[Piece]:
    """Name the first faults of each file; rows of a batch may come from several."""
    told: set[str] = set()
    for batch in batches:
        file = batch.column(_FILE).dictionary_encode()
        starts = np.flatnonzero(np.diff(file.indices.to_numpy(), prepend=-1))
        for start, end in zip(starts, [*starts[1:], batch.num_rows], strict=True):
            name = _name_of(batch.column(_FILE)[int(start)].as_py(), root)
            row = batch.column(_ROW)[int(start)].as_py()
            try:
                if name not in told:
                    count.binner.place(batch.slice(start, end - start), Origin(name, row + 1))
            except InputError as error:
                told.add(name)
                faults = [asdict(fault) for fault in error.faults]
                yield (Kind.FAULTS, 0), json.dumps({"file": name, "row": row, "faults": faults}).encode()


def _name_of(path: str, root: str) -> str:
    """Return the name of a file below the root that the scenario names, or its last part."""
    full, above = unquote(urlsplit(path).path), unquote(root).rstrip("/") + "/"
    return full.removeprefix(above) if full.startswith(above) else full.rsplit("/", 1)[-1]


def _numbered(count: PingCount) -> list[Column]:
    """Select the columns by number: Spark takes a dot in a name for a path when it hands rows to Python."""
    return [F.col(_quoted(name)).alias(f"column_{number}") for number, name in enumerate(count.columns)]


def _named(batch: pa.RecordBatch, count: PingCount) -> pa.RecordBatch:
    """Give the numbered columns their names back."""
    names = list(count.columns)
    return batch.rename_columns([*names, *batch.schema.names[len(names) :]])


def _quoted(name: str) -> str:
    """Quote a name: dots and spaces are part of it."""
    return "`" + name.replace("`", "``") + "`"


def _task() -> int:
    context = TaskContext.get()
    return 0 if context is None else int(context.partitionId())


def _as_rows(pieces: Iterable[Piece]) -> Iterator[pa.RecordBatch]:
    for (kind, number), content in pieces:
        yield pa.RecordBatch.from_pydict(
            {"kind": [int(kind)], "number": [number], "content": [content]}, schema=_PIECE_SCHEMA
        )


def _as_pieces(rows: DataFrame) -> "RDD[Piece]":
    return rows.rdd.map(lambda row: ((row[0], row[1]), bytes(row[2])))
