"""Which files of a table lie in the landing folder.

A local folder is walked by Python, without Spark. Any other URI is listed by Spark's ``binaryFile`` source, which knows
every file system that Hadoop knows.
"""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conf.contract import Contract
from pipelines.landing.delivery import is_ignored
from pipelines.ledger.file_records import FileRecord

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder. ``name`` is its path below the landing root, ``size`` is in bytes."""

    uri: str
    name: str
    size: int
    modified_ns: int


def list_landed(landing: str, contract: Contract, spark: "SparkSession | None" = None) -> list[LandedFile]:
    """Return the table's data files, sorted by name. Hidden and unfinished files are left out: they are no data.

    Parameters
    ----------
    spark : needed where the landing folder is not on this machine
    """
    root = f"{landing}/{contract.landing.path}"
    found = _list_local(Path(root)) if spark is None or "://" not in landing else _list_remote(spark, root)
    files = [
        LandedFile(uri, f"{contract.landing.path}/{name}", size, modified)
        for uri, name, size, modified in found
        if not any(is_ignored(part) for part in name.split("/"))
        and fnmatch.fnmatch(name.rsplit("/", 1)[-1], contract.landing.files)
    ]
    return sorted(files, key=lambda file: file.name)


def find_new_files(landed: Sequence[LandedFile], known: Sequence[FileRecord]) -> list[LandedFile]:
    """Return the landed files whose name, size and modification time the ledger's records do not have."""
    recorded = {(record.file, record.size, record.modified_ns) for record in known}
    return [file for file in landed if (file.name, file.size, file.modified_ns) not in recorded]


def _list_local(root: Path) -> Iterator[tuple[str, str, int, int]]:
    for folder, _, names in os.walk(root):
        for path in (Path(folder) / name for name in names):
            facts = path.lstat()
            yield str(path), str(path.relative_to(root)), facts.st_size, facts.st_mtime_ns


def _list_remote(spark: "SparkSession", root: str) -> Iterator[tuple[str, str, int, int]]:
    from pipelines.runtime.file_system import path_exists

    if not path_exists(spark, root):
        return
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(root)
    for row in listed.selectExpr("path", "length", "unix_micros(modificationTime) AS modified").collect():
        name = row["path"].split(f"/{root.split('://', 1)[1].split('/', 1)[-1]}/", 1)[-1]
        yield row["path"], name, row["length"], row["modified"] * 1000
