"""Which files of a table lie in the landing folder.

A local folder is walked by Python, without Spark. Any other URI is listed by Spark's ``binaryFile`` source, which knows
every file system that Hadoop knows.
"""

import fnmatch
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conf.contract import Contract
from conf.errors import DataError
from pipelines.landing.delivery import is_ignored
from pipelines.ledger.known_files import SeenFile

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
    found = _list_local(root) if spark is None or "://" not in landing else _list_remote(spark, root)
    is_named_right = re.compile(fnmatch.translate(contract.landing.files)).match
    files = [
        LandedFile(uri, f"{contract.landing.path}/{name}", size, modified)
        for uri, name, size, modified in found
        if is_named_right(name.rsplit("/", 1)[-1])
    ]
    return sorted(files, key=lambda file: file.name)


def find_new_files(landed: Collection[LandedFile], seen: Collection[SeenFile]) -> list[LandedFile]:
    """Return the landed files whose name, size and modification time are not among those that were seen."""
    return [file for file in landed if (file.name, file.size, file.modified_ns) not in seen]


def _list_local(root: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield URI, name below the root, size and modification time. Links to folders are not followed."""
    root = str(Path(root))
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in _read_folder(f"{root}/{folder}"):
            name = folder + entry.name
            if not entry.is_dir():
                with suppress(FileNotFoundError):  # it was removed meanwhile
                    facts = entry.stat(follow_symlinks=False)
                    yield f"{root}/{name}", name, facts.st_size, facts.st_mtime_ns
            elif not entry.is_symlink():
                folders.append(f"{name}/")


def _read_folder(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_ignored(entry.name)]
    except FileNotFoundError:  # nothing has landed yet, or the folder was removed meanwhile
        return []
    except OSError as error:
        what = f"the landing folder {folder} cannot be listed: {error.strerror}"
        raise DataError(what, "it must be a folder that this user may read") from None


def _list_remote(spark: "SparkSession", root: str) -> Iterator[tuple[str, str, int, int]]:
    from pipelines.runtime.file_system import path_exists

    if not path_exists(spark, root):
        return
    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(root)
    for row in listed.selectExpr("path", "length", "unix_micros(modificationTime) AS modified").collect():
        name = row["path"].split(f"/{root.split('://', 1)[1].split('/', 1)[-1]}/", 1)[-1]
        if not any(is_ignored(part) for part in name.split("/")):
            yield row["path"], name, row["length"], row["modified"] * 1000
