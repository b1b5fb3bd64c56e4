"""Which files of a table lie in the landing folder.

A local folder is walked by Python. Any other URI is listed by Spark's ``binaryFile`` source, which knows every file
system that Hadoop knows.
"""

import fnmatch
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from pipelines.landing.delivery import is_ignored
from pipelines.runtime.file_system import path_exists


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
        for name in names:
            path = Path(folder) / name
            facts = path.lstat()
            yield str(path), str(path.relative_to(root)), facts.st_size, facts.st_mtime_ns


def _list_remote(spark: SparkSession, root: str) -> Iterator[tuple[str, str, int, int]]:
    if not path_exists(spark, root):
        return
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(root)
    for row in listed.select("path", "length", F.unix_micros("modificationTime").alias("modified")).collect():
        name = row["path"].split(f"/{root.split('://', 1)[1].split('/', 1)[-1]}/", 1)[-1]
        yield row["path"], name, row["length"], row["modified"] * 1000
