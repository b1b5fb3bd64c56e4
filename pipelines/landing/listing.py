"""The files of a table in the landing folder: which ones there are, and how their bytes are opened.

A local folder is walked and its files are opened by Python. Any other URI is listed and read by Spark's ``binaryFile``
source, which knows every file system that Hadoop knows. Then one task holds a whole file in memory.
"""

import fnmatch
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.delivery import is_ignored
from pipelines.runtime.file_system import path_exists

_GLOB_ESCAPES = {ord(letter): f"\\{letter}" for letter in "{}[]*?\\,"}  # binaryFile reads a path as a glob


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder. ``name`` is its path below the landing root, ``size`` is in bytes."""

    uri: str
    name: str
    size: int
    modified_ns: int


def list_landed(spark: SparkSession, landing: str, contract: Contract) -> list[LandedFile]:
    """Return the table's data files, sorted by name. Hidden and unfinished files are left out: they are no data."""
    root = f"{landing}/{contract.landing.path}"
    found = _list_remote(spark, root) if "://" in landing else _list_local(Path(root))
    files = [
        LandedFile(uri, f"{contract.landing.path}/{name}", size, modified)
        for uri, name, size, modified in found
        if not any(is_ignored(part) for part in name.split("/"))
        and fnmatch.fnmatch(name.rsplit("/", 1)[-1], contract.landing.files)
    ]
    return sorted(files, key=lambda file: file.name)


def _list_local(root: Path) -> Iterator[tuple[str, str, int, int]]:
    for folder, _, names in os.walk(root):
        for path in (Path(folder) / name for name in names):
            facts = path.lstat()
            yield str(path), str(path.relative_to(root)), facts.st_size, facts.st_mtime_ns


def _list_remote(spark: SparkSession, root: str) -> Iterator[tuple[str, str, int, int]]:
    if not path_exists(spark, root):
        return
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(root)
    for row in listed.select("path", "length", F.unix_micros("modificationTime").alias("modified")).collect():
        name = row["path"].split(f"/{root.split('://', 1)[1].split('/', 1)[-1]}/", 1)[-1]
        yield row["path"], name, row["length"], row["modified"] * 1000


def open_local(uri: str) -> BinaryIO:
    """Open a landed file.

    Raises
    ------
    FileRejected : when it is a link, a pipe or a device
    """
    if not stat.S_ISREG(Path(uri).lstat().st_mode):
        raise FileRejected(f"{uri} is not a regular file", "land the file itself, not a link to it")
    return Path(uri).open("rb")


ReadFile = Callable[[LandedFile, OpenStream], Iterator[pa.RecordBatch]]


def map_files(spark: SparkSession, files: list[LandedFile], read_file: ReadFile, ddl: str) -> DataFrame:
    """Return a lazy frame of the batches that ``read_file`` makes of each file, in parallel in Spark's tasks.

    Parameters
    ----------
    read_file : gets a file and a function that opens its bytes; it is pickled and sent to the tasks
    ddl : the schema of the batches
    """
    if files and "://" in files[0].uri:
        by_uri = {file.uri: file for file in files}
        paths = [uri.translate(_GLOB_ESCAPES) for uri in by_uri]
        contents = spark.read.format("binaryFile").load(paths).select("path", "content")

        def read_contents(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for uri, content in zip(batch.column(0).to_pylist(), batch.column(1), strict=True):
                    yield from read_file(by_uri[uri], partial(io.BytesIO, content.as_py()))

        return contents.mapInArrow(read_contents, ddl)
    bins = _pack_into_bins(files, spark.sparkContext.defaultParallelism)

    def read_bins(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for file in bins[number]:
                    yield from read_file(file, partial(open_local, file.uri))

    return spark.range(0, len(bins), 1, max(1, len(bins))).mapInArrow(read_bins, ddl)


def _pack_into_bins(files: list[LandedFile], cores: int) -> list[list[LandedFile]]:
    """Spread the files over bins of about the same size: one bin for little data, a few for each core for much."""
    total = sum(file.size for file in files)
    number = max(1, min(len(files), 4 * cores, max(total >> 23, cores if total > 1 << 20 else 1)))
    bins: list[list[LandedFile]] = [[] for _ in range(number)]
    filled_bytes = [0] * number
    for file in sorted(files, key=lambda file: (-file.size, file.name)):
        smallest = filled_bytes.index(min(filled_bytes))
        bins[smallest].append(file)
        filled_bytes[smallest] += file.size + 4096  # so that many small files are spread too
    return bins
