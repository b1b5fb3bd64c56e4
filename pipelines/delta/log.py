"""What a Delta table's own log says: its version, who made its last commits, and where its cursor stands.

The cursor of a table is Delta's SetTransaction ``<table>/<generation>``, written in the same commit as the rows. A
RESTORE takes rows back but leaves SetTransactions as they are. So it opens a new generation, which begins with the
cursor that the restored version had.

The log is read through Hadoop's file system, so any URI works, and without a Spark job.
"""

import json
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
    for version in range(table_version(spark, path), 0, -1):
        commit = read_commit(spark, path, version)
        if commit is None or _changed_rows(commit):
            return version
    return min(table_version(spark, path), 0)


def _changed_rows(commit: dict[str, Any]) -> bool:
    if commit.get("operation") not in ("MERGE", "WRITE"):
        return commit.get("operation") not in ("OPTIMIZE", "VACUUM START", "VACUUM END")
    counted = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted", "numOutputRows")
    metrics = commit.get("operationMetrics", {})
    known = [int(metrics[name]) for name in counted if name in metrics]
    return not known or sum(known) > 0


def table_id(spark: SparkSession, path: str) -> str:
    """Return the table's own id. A table that was made anew at the same path has another."""
    return str(_snapshot(spark, path).metadata().id())


def table_properties(spark: SparkSession, path: str) -> dict[str, str]:
    """Return the table's properties as they are stored."""
    configuration = _snapshot(spark, path).metadata().configuration()
    jvm: Any = spark._jvm
    pairs = jvm.scala.jdk.javaapi.CollectionConverters.asJava(configuration)
    return {str(key): str(pairs[key]) for key in pairs}


def table_files(spark: SparkSession, path: str) -> DataFrame:
    """Return the data files of the newest version. Grain (path); with partitionValues, and size in bytes."""
    return DataFrame(_snapshot(spark, path).allFiles().toDF(), spark).select("path", "partitionValues", "size")


def count_files(spark: SparkSession, path: str) -> int:
    """Return how many data files the newest version has."""
    return int(_snapshot(spark, path).numOfFiles())


def read_last_commit(spark: SparkSession, path: str, name: str) -> LastCommit:
    """Return generation, cursor and metadata of Headwater's newest commit to the table ``name`` at ``path``."""
    return _last_commit_until(spark, path, name, table_version(spark, path), is_newest=True)


def _last_commit_until(spark: SparkSession, path: str, name: str, newest: int, is_newest: bool) -> LastCommit:
    for version in range(newest, -1, -1):
        commit = read_commit(spark, path, version)
        if commit is None:
            break
        metadata = our_metadata(commit)
        if "generation" in metadata:
            generation = int(metadata["generation"])
            cursor = _transaction(spark, path, f"{name}/{generation}", newest, is_newest)
            return LastCommit(generation, cursor, metadata)
        if commit.get("operation") == "RESTORE":
            restored = int(commit["operationParameters"]["version"])
            before = _last_commit_until(spark, path, name, restored, is_newest=False)
            return LastCommit(version, before.cursor, before.metadata)
    return LastCommit(0, _transaction(spark, path, f"{name}/0", newest, is_newest), {})


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
    """Return the userMetadata that Headwater wrote into a commit; empty for a commit of somebody else."""
    try:
        metadata = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) and "run" in metadata else {}


def _transaction(spark: SparkSession, path: str, app_id: str, version: int, is_newest: bool) -> int:
    """Return the number that a SetTransaction had at a version; -1 when it had none.

    The checksum file says it without a Spark job. Where there is none, the state of the table is computed.
    """
    snapshot = _snapshot(spark, path) if is_newest else _snapshot_at(spark, path, version)
    checksum = snapshot.checksumOpt()
    if checksum.isDefined() and checksum.get().setTransactions().isDefined():
        transactions = checksum.get().setTransactions().get()
        found = [transactions.apply(i) for i in range(transactions.size())]
        return next((int(entry.version()) for entry in found if entry.appId() == app_id), -1)
    recorded = snapshot.transactions().get(app_id)
    return int(recorded.get()) if recorded.isDefined() else -1


def _delta_log(spark: SparkSession, path: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)


def _snapshot(spark: SparkSession, path: str) -> Any:
    jvm: Any = spark._jvm
    none = jvm.scala.Option.empty()
    return _delta_log(spark, path).update(False, none, none)


def _snapshot_at(spark: SparkSession, path: str, version: int) -> Any:
    jvm: Any = spark._jvm
    none = jvm.scala.Option.empty()
    return _delta_log(spark, path).getSnapshotAt(version, none, none, False)
