"""The only owner of Delta: creating tables and merging into them.

Every write is a MERGE on the table's grain, so running it twice changes nothing; the source has one row per key by
then. ON carries literal bounds of the batch, since Delta prunes files by literals only. Every commit says who made
it, and carries the cursor of what was read in the same commit as the rows.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.errors import DataError
from pipelines.delta.commit import Commit, Outcome
from pipelines.delta.log import read_commit, table_version

TXN_APP = "spark.databricks.delta.write.txnAppId"
TXN_VERSION = "spark.databricks.delta.write.txnVersion"
SQL_ON_FILES = "spark.sql.runSQLOnFiles"  # off for the project's expressions; creating a table at a path needs it
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
DELETE_MARK = "_delete"
JUST_CREATED = 0  # the version of a table that has no rows yet
# For tables whose rows change: a MERGE marks the old rows, and copies none that lie in the same file.
MARKS_ROWS = {"delta.enableDeletionVectors": "true"}


@dataclass(frozen=True)
class Stamp:
    """Who commits, and the cursor that moves with the rows: SetTransaction ``<table>/<generation>`` = ``cursor``.

    A commit that moves only ``through``, the cursor standing still, is numbered by that instant instead.
    """

    table: str
    run: Mapping[str, Any]
    generation: int = 0
    cursor: int | None = None
    extra: Mapping[str, Any] | None = None
    through_us: int | None = None

    @property
    def transaction(self) -> tuple[str, int] | None:
        """The application id and version that Delta records in the commit, and skips when it has them already."""
        if self.cursor is None:
            return None
        if self.through_us is not None:
            return f"{self.table}/{self.generation}/through", self.through_us
        return f"{self.table}/{self.generation}", self.cursor

    @property
    def metadata(self) -> str:
        content = {**self.run, "table": self.table, **(self.extra or {})}
        if self.cursor is not None:
            content |= {"generation": self.generation, "cursor": self.cursor}
        return json.dumps(content, sort_keys=True)


@dataclass(frozen=True)
class Target:
    """A table to merge into: its grain, and literal conditions on the target (alias ``t``) that prune its files."""

    path: str
    grain: Sequence[str]
    bounds: Sequence[str] = ()
    partition_by: Sequence[str] = ()


def create_table(
    spark: SparkSession, path: str, schema: StructType, partition_by: Sequence[str], properties: Mapping[str, str]
) -> None:
    """Create an empty table unless there is one; its first rows come with version 1."""
    if is_table(spark, path):
        return
    folder, file_system = _folder(spark, f"{path}/_delta_log")
    file_system.delete(folder, True)  # a log without a commit, left by a killed creation, would stop this one
    _forget(spark, path)
    builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema)
    for name, value in properties.items():
        builder = builder.property(name, value)
    if partition_by:
        builder = builder.partitionedBy(*partition_by)
    with _set(spark, {SQL_ON_FILES: "true"}):
        builder.execute()


def drop_table(spark: SparkSession, path: str) -> None:
    """Remove a table and its files, if there is one."""
    folder, file_system = _folder(spark, path)
    file_system.delete(folder, True)
    _forget(spark, path)


def swap_table(spark: SparkSession, path: str, beside: str) -> None:
    """Put the table at ``beside`` in the place of the one at ``path``, which is removed.

    Killed between the two renames, it leaves no table at ``path``; the next run makes it anew.
    """
    old, file_system = _folder(spark, f"{path}__replaced")
    new, _ = _folder(spark, beside)
    place, _ = _folder(spark, path)
    file_system.delete(old, True)
    if not file_system.rename(place, old) or not file_system.rename(new, place):
        raise DataError(f"{beside} could not be moved to {path}", "check the rights on the folder, then run again")
    file_system.delete(old, True)
    for moved in (path, beside):
        _forget(spark, moved)


def _folder(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm: Any = spark._jvm
    folder = jvm.org.apache.hadoop.fs.Path(path)
    return folder, folder.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())


def _forget(spark: SparkSession, path: str) -> None:
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(spark._jsparkSession, jvm.org.apache.hadoop.fs.Path(path))


def is_table(spark: SparkSession, path: str) -> bool:
    """Tell whether a Delta table lies at ``path``; a log without a commit, left by a killed creation, is none."""
    return table_version(spark, path) >= 0


def read_table(spark: SparkSession, path: str, version: int | None = None) -> DataFrame:
    """Read a table, as of ``version`` when one is given."""
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    return reader.load(path)


def read_changes(spark: SparkSession, path: str, after: int, until: int) -> DataFrame:
    """Read pre- and post-images of the rows changed in versions (after, until], with ``_change_type``."""
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", until).load(path)


def merge_new_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Insert the rows whose key the table does not have; never touches a row it has."""
    if table_version(spark, target.path) == JUST_CREATED:
        return _write(spark, target, lambda: _append(target, source), stamp)
    merge = _merge(spark, target, source).whenNotMatchedInsertAll()
    return _write(spark, target, merge.execute, stamp)


def merge_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Update the rows whose key the table has, insert the others; where ``_delete`` stands true, delete by key.

    ``source`` holds only rows that differ from the table's, one per key.
    """
    columns = [name for name in source.columns if name != DELETE_MARK]
    if table_version(spark, target.path) == JUST_CREATED:
        return _write(spark, target, lambda: _append(target, source.select(*columns)), stamp)
    values: dict[str, str | Column] = {name: F.col(f"s.`{name}`") for name in columns}
    merge = _merge(spark, target, source)
    if DELETE_MARK in source.columns:
        merge = merge.whenMatchedDelete(condition=f"s.{DELETE_MARK}")
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(f"NOT s.{DELETE_MARK}", values=values)
    else:
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
    return _write(spark, target, merge.execute, stamp)


def append_rows(spark: SparkSession, path: str, rows: DataFrame, stamp: Stamp) -> Commit:
    """Add rows to a journal, which has no key; only for what happens once."""
    return _write(spark, Target(path, ()), lambda: rows.write.format("delta").mode("append").save(path), stamp)


def compact(spark: SparkSession, path: str, stamp: Stamp) -> Commit:
    """Gather small files into few; no row changes."""
    return _write(spark, Target(path, ()), DeltaTable.forPath(spark, path).optimize().executeCompaction, stamp)


def _append(target: Target, source: DataFrame) -> None:
    """What a MERGE into a table without rows comes to, at half the cost; its transaction keeps it from repeating."""
    if target.partition_by:  # one task a partition, hence one file, as MERGE does
        source = source.repartition(*target.partition_by)
    source.write.format("delta").mode("append").save(target.path)


def _merge(spark: SparkSession, target: Target, source: DataFrame) -> Any:
    on = [f"t.`{name}` = s.`{name}`" for name in target.grain]
    return (
        DeltaTable.forPath(spark, target.path).alias("t").merge(source.alias("s"), " AND ".join([*target.bounds, *on]))
    )


def _write(spark: SparkSession, target: Target, write: Callable[[], object], stamp: Stamp) -> Commit:
    before = table_version(spark, target.path)
    with _set(spark, _stamp_confs(stamp)):
        write()
    after = table_version(spark, target.path)
    if after == before:
        return Commit(Outcome.UNCHANGED, before, after)
    metrics = (read_commit(spark, target.path, after) or {}).get("operationMetrics", {})
    rows = [int(metrics.get(f"numTargetRows{kind}", 0)) for kind in ("Inserted", "Updated", "Deleted", "Copied")]
    rows[0] += int(metrics.get("numOutputRows", 0)) if "numTargetRowsInserted" not in metrics else 0
    return Commit(Outcome.APPLIED if any(rows[:3]) else Outcome.ADVANCED, before, after, *rows)


def _stamp_confs(stamp: Stamp) -> dict[str, str]:
    confs = {USER_METADATA: stamp.metadata}
    if stamp.transaction is not None:
        confs |= {TXN_APP: stamp.transaction[0], TXN_VERSION: str(stamp.transaction[1])}
    return confs


@contextmanager
def _set(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Set confs for one statement and always put them back: a stamp left behind drops the next write silently."""
    before: dict[str, str | None] = {name: spark.conf.get(name, None) for name in confs}
    try:
        for name, value in confs.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, old in before.items():
            spark.conf.unset(name) if old is None else spark.conf.set(name, old)
