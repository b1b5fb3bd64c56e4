"""What a Delta table's own log says: its version, who made its last commits, and where its cursor stands.

The cursor of a table is Delta's SetTransaction ``<table>/<generation>``, written in the same commit as the rows. A
RESTORE takes rows back but leaves SetTransactions as they are. So it opens a new generation, which begins with the
cursor that the restored version had.

The log is read through Hadoop's file system, so any URI works. Reading it starts no Spark job.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, Row, SparkSession

from pipelines.runtime.file_system import read_text


@dataclass(frozen=True)
class LastCommit:
    """What Headwater's newest commit to a table left behind. ``cursor`` is -1 before the first commit with a cursor."""

    generation: int
    cursor: int
    metadata: dict[str, Any]


def table_version(spark: SparkSession, path: str) -> int:
    """Return the newest version of the table at ``path``; -1 when there is no table."""
    return int(_snapshot(spark, path).version())


def changed_version(spark: SparkSession, path: str) -> int:
    """Return the newest version in which a row was added, changed or removed.

    Commits that only compacted files or moved a cursor do not count.
    """
    newest = table_version(spark, path)
    for version in range(newest, 0, -1):
        commit = read_commit(spark, path, version)
        if commit is None or _changed_rows(commit):
            return version
    return min(newest, 0)


def _changed_rows(commit: dict[str, Any]) -> bool:
    operation, metrics = commit.get("operation"), commit.get("operationMetrics", {})
    if operation not in ("MERGE", "WRITE"):
        return operation not in ("OPTIMIZE", "VACUUM START", "VACUUM END")
    counts = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted", "numOutputRows")
    known = [int(metrics[name]) for name in counts if name in metrics]
    return not known or sum(known) > 0


def table_id(spark: SparkSession, path: str) -> str:
    """Return the id that Delta gave the table. A table that is made anew at the same path gets another id."""
    return str(_snapshot(spark, path).metadata().id())


def table_properties(spark: SparkSession, path: str) -> dict[str, str]:
    """Return the table's properties as they are stored."""
    configuration = _snapshot(spark, path).metadata().configuration()
    jvm: Any = spark._jvm
    pairs = jvm.scala.jdk.javaapi.CollectionConverters.asJava(configuration)
    return {str(key): str(pairs[key]) for key in pairs}


def table_files(spark: SparkSession, path: str) -> DataFrame:
    """Return the data files of the newest version: path (the grain), partitionValues, and size in bytes."""
    return DataFrame(_snapshot(spark, path).allFiles().toDF(), spark).select("path", "partitionValues", "size")


def count_files(spark: SparkSession, path: str) -> int:
    """Return how many data files the newest version has."""
    return int(_snapshot(spark, path).numOfFiles())


def read_last_commit(spark: SparkSession, path: str, name: str, until: int | None = None) -> LastCommit:
    """Return what Headwater's newest commit to the table ``name`` left behind; with ``until``, of those up to there."""
    for version, commit in walk_commits_back(spark, path, table_version(spark, path) if until is None else until):
        metadata = our_metadata(commit)
        if "generation" in metadata:
            generation = int(metadata["generation"])
            return LastCommit(generation, _transaction(spark, path, f"{name}/{generation}", until), metadata)
        if commit.get("operation") == "RESTORE":
            restored = read_last_commit(spark, path, name, int(commit["operationParameters"]["version"]))
            return LastCommit(version, restored.cursor, restored.metadata)  # this version numbers the new generation
    return LastCommit(0, _transaction(spark, path, f"{name}/0", until), {})


def walk_commits_back(spark: SparkSession, path: str, version: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the commits of a table with their versions, from ``version`` back to the oldest one that the log keeps."""
    for earlier in range(version, -1, -1):
        commit = read_commit(spark, path, earlier)
        if commit is None:
            return
        yield earlier, commit


def read_commit(spark: SparkSession, path: str, version: int) -> dict[str, Any] | None:
    """Return the commitInfo of one version; None when its log entry has been cleaned away."""
    text = read_text(spark, f"{path}/_delta_log/{version:020d}.json")
    if text is None:
        return None
    actions = (json.loads(line) for line in text.splitlines() if '"commitInfo"' in line)
    return next((dict(action["commitInfo"]) for action in actions if "commitInfo" in action), {})


def read_commits(spark: SparkSession, path: str, limit: int) -> list[Row]:
    """Return the newest commits of a table as Delta describes its history, newest first."""
    return DeltaTable.forPath(spark, path).history(limit).collect()


def our_metadata(commit: dict[str, Any]) -> dict[str, Any]:
    """Return the userMetadata that Headwater wrote into a commit; empty when somebody else made the commit."""
    try:
        metadata = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) and "run" in metadata else {}


def _transaction(spark: SparkSession, path: str, app_id: str, version: int | None) -> int:
    """Return the number of a SetTransaction at a version (None: the newest); -1 when the table had no such number.

    Delta's checksum file gives the number without a Spark job. Without that file, Spark computes the table's state.
    """
    snapshot = _snapshot(spark, path, version)
    checksum = snapshot.checksumOpt()
    if checksum.isDefined() and checksum.get().setTransactions().isDefined():
        transactions = checksum.get().setTransactions().get()
        entries = (transactions.apply(i) for i in range(transactions.size()))
        return next((int(entry.version()) for entry in entries if entry.appId() == app_id), -1)
    recorded = snapshot.transactions().get(app_id)
    return int(recorded.get()) if recorded.isDefined() else -1


def _snapshot(spark: SparkSession, path: str, version: int | None = None) -> Any:
    """Return Delta's own object for the state of a table at a version (None: the newest)."""
    jvm: Any = spark._jvm
    log, none = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path), jvm.scala.Option.empty()
    return log.update(False, none, none) if version is None else log.getSnapshotAt(version, none, none, False)
