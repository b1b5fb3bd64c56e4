"""What a Delta table's own log says: its version, who made its last commits, and which cursor they left.

The cursor of a table is its SetTransaction ``<table>/<generation>``, written in the same commit as the rows. A
RESTORE does not revert SetTransactions, so it opens a new generation, whose cursor is that of the restored version.
Read through Hadoop's file system, so any URI works, and without a Spark job.
"""

import json
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Standing:
    """What the newest commit of ours left behind. ``cursor`` is -1 before the first."""

    generation: int
    cursor: int
    metadata: dict[str, Any]


def table_version(spark: SparkSession, path: str) -> int:
    """Return the newest version of the table at ``path``; -1 when there is no table."""
    return int(_snapshot(spark, path).version())


def changed_version(spark: SparkSession, path: str) -> int:
    """Return the newest version that brought, changed or removed a row: not one that compacted or moved a cursor."""
    for version in range(table_version(spark, path), 0, -1):
        commit = read_commit(spark, path, version)
        if commit is None or _has_rows(commit):
            return version
    return min(table_version(spark, path), 0)


def _has_rows(commit: dict[str, Any]) -> bool:
    if commit.get("operation") not in ("MERGE", "WRITE"):
        return commit.get("operation") not in ("OPTIMIZE", "VACUUM START", "VACUUM END")
    counted = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted", "numOutputRows")
    metrics = commit.get("operationMetrics", {})
    known = [int(metrics[name]) for name in counted if name in metrics]
    return not known or sum(known) > 0


def table_id(spark: SparkSession, path: str) -> str:
    """Return the table's own id, which a rebuild does not share."""
    return str(_snapshot(spark, path).metadata().id())


def table_properties(spark: SparkSession, path: str) -> dict[str, str]:
    """Return the table's properties as they are stored."""
    configuration = _snapshot(spark, path).metadata().configuration()
    pairs = spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava(configuration)  # type: ignore[union-attr]
    return {str(key): str(pairs[key]) for key in pairs}


def table_files(spark: SparkSession, path: str) -> DataFrame:
    """Return the data files of the newest version. Grain (path); with partitionValues and size in bytes."""
    return DataFrame(_snapshot(spark, path).allFiles().toDF(), spark).select("path", "partitionValues", "size")


def live_files(spark: SparkSession, path: str) -> int:
    """Return how many data files the newest version has."""
    return int(_snapshot(spark, path).numOfFiles())


def read_standing(spark: SparkSession, path: str, name: str) -> Standing:
    """Return generation, cursor and metadata of our newest commit to the table ``name`` at ``path``."""
    return _standing_at(spark, path, name, table_version(spark, path), 0)


def _standing_at(spark: SparkSession, path: str, name: str, newest: int, depth: int) -> Standing:
    for version in range(newest, -1, -1):
        commit = read_commit(spark, path, version)
        if commit is None:
            break
        metadata = our_metadata(commit)
        if "generation" in metadata:
            generation = int(metadata["generation"])
            return Standing(generation, _transaction(spark, path, f"{name}/{generation}", newest, depth), metadata)
        if commit.get("operation") == "RESTORE":
            restored = int(commit["operationParameters"]["version"])
            before = _standing_at(spark, path, name, restored, depth + 1)
            return Standing(version, before.cursor, before.metadata)
    return Standing(0, _transaction(spark, path, f"{name}/0", newest, depth), {})


def read_commit(spark: SparkSession, path: str, version: int) -> dict[str, Any] | None:
    """Return the commitInfo of one version, or None when its log entry has been cleaned away."""
    jvm: Any = spark._jvm
    entry = jvm.org.apache.hadoop.fs.Path(f"{path}/_delta_log/{version:020d}.json")
    file_system = entry.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
    try:
        stream = file_system.open(entry)
    except Py4JJavaError as error:
        if "FileNotFoundException" in error.java_exception.toString():
            return None
        raise
    try:
        text = jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
    finally:
        stream.close()
    actions = (json.loads(line) for line in text.splitlines() if '"commitInfo"' in line)
    return next((dict(action["commitInfo"]) for action in actions if "commitInfo" in action), {})


def our_metadata(commit: dict[str, Any]) -> dict[str, Any]:
    """Return the userMetadata that Headwater wrote into a commit; empty for a commit of somebody else."""
    try:
        metadata = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) and "run" in metadata else {}


def _transaction(spark: SparkSession, path: str, app_id: str, version: int, depth: int) -> int:
    """Read a SetTransaction: of the newest version from the checksum, without a job, else from the table state."""
    snapshot = _snapshot(spark, path) if depth == 0 else _snapshot_at(spark, path, version)
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
