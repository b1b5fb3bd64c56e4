"""How the bytes of landed files are opened where they are read: in this process, or in Spark's tasks.

A local file is opened by Python. A file at any other URI is read by Spark's ``binaryFile`` source; then one task holds
the whole file in memory.
"""

import io
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from conf.errors import FileRejected
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.listing import LandedFile

_GLOB_ESCAPES = {ord(letter): f"\\{letter}" for letter in "{}[]*?\\,"}  # binaryFile reads a path as a glob


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
