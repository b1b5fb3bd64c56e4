"""Writes rows into a table in such a way that writing them twice changes nothing.

The caller gives a source with one row for each key, and literal bounds of its values. Without bounds Delta would read
the whole table, because it skips no file by the equality of two columns. Often the caller has compared the source with
the table already, under the lake's lease. Then no row is looked for twice: new rows are appended, and only changed ones
need a MERGE.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.delta.commit import Commit, Outcome, Stamp
from pipelines.delta.local import move_cursor
from pipelines.delta.log import read_commit, table_version
from pipelines.delta.tables import newest_version
from pipelines.runtime.session import session_storage, temporary_confs

DELETE_MARK = "_delete"
ROWS_OF_A_TASK = 100_000  # so that a few new rows make one file
# The version of a table that has no rows yet. Appending to it does what a MERGE does, at half the cost. Afterwards the
# table has version 1, so the same job run again merges and appends nothing.
JUST_CREATED = 0


@dataclass(frozen=True)
class Target:
    """A table to merge into. ``bounds`` are conditions on its columns (alias ``t``), such as ``t.id >= 22``."""

    path: str
    grain: Sequence[str]
    bounds: Sequence[str] = ()
    partition_by: Sequence[str] = ()


@dataclass(frozen=True)
class Difference:
    """How many rows of a source have keys that the table does not have, and how many have keys that it has."""

    new: int
    changed: int

    @property
    def rows(self) -> int:
        return self.new + self.changed


def write_difference(spark: SparkSession, target: Target, source: DataFrame, found: Difference, stamp: Stamp) -> Commit:
    """Write rows that were compared with the table: by nothing but a cursor, by an append, or by a MERGE.

    Parameters
    ----------
    source : as for ``merge_rows``
    """
    if not found.rows:
        return move_cursor(target.path, session_storage(spark, target.path), stamp)
    if found.changed:
        return merge_rows(spark, target, source, stamp)
    rows = source.drop(DELETE_MARK)
    if not target.partition_by:
        rows = rows.coalesce(1 + found.new // ROWS_OF_A_TASK)
    return append_rows(spark, target.path, rows, stamp, target.partition_by)


def merge_new_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Insert the rows whose key the table does not have. Rows of keys that it has stay as they are."""
    if newest_version(spark, target.path) == JUST_CREATED:
        return append_rows(spark, target.path, source, stamp, target.partition_by)
    merge = _merge(spark, target, source).whenNotMatchedInsertAll()
    return _write_commit(spark, target.path, merge.execute, stamp)


def merge_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Update the rows whose key the table has, and insert the others. Where ``_delete`` is true, delete by key instead.

    Parameters
    ----------
    source : grain ``target.grain``; only rows that differ from the table's, and optionally the column ``_delete``
    """
    columns = [name for name in source.columns if name != DELETE_MARK]
    if newest_version(spark, target.path) == JUST_CREATED:
        return append_rows(spark, target.path, source.select(*columns), stamp, target.partition_by)
    values: dict[str, str | Column] = {name: F.col(f"s.`{name}`") for name in columns}
    merge = _merge(spark, target, source)
    if DELETE_MARK in source.columns:
        merge = merge.whenMatchedDelete(condition=f"s.{DELETE_MARK}")
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(f"NOT s.{DELETE_MARK}", values=values)
    else:
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
    return _write_commit(spark, target.path, merge.execute, stamp)


def append_rows(
    spark: SparkSession, path: str, rows: DataFrame, stamp: Stamp, partition_by: Sequence[str] = ()
) -> Commit:
    """Add rows without comparing keys, for a caller who knows that the table has none of them."""
    if partition_by:  # one task for each partition, hence one file, as MERGE writes it
        rows = rows.repartition(*partition_by)
    return _write_commit(spark, path, lambda: rows.write.format("delta").mode("append").save(path), stamp)


def compact_files(spark: SparkSession, path: str, stamp: Stamp) -> Commit:
    """Rewrite many small files as a few large ones. No row changes."""
    return _write_commit(spark, path, DeltaTable.forPath(spark, path).optimize().executeCompaction, stamp)


def _merge(spark: SparkSession, target: Target, source: DataFrame) -> DeltaMergeBuilder:
    on = [*target.bounds, *(f"t.`{name}` = s.`{name}`" for name in target.grain)]
    table = DeltaTable.forPath(spark, target.path).alias("t")
    return table.merge(source.alias("s"), " AND ".join(on))


def _write_commit(spark: SparkSession, path: str, write: Callable[[], object], stamp: Stamp) -> Commit:
    """Call ``write`` so that its commit carries the stamp, and report what the commit did, by the table's log."""
    options = session_storage(spark, path)
    before = table_version(path, options)
    with temporary_confs(spark, stamp.confs):
        write()
    after = table_version(path, options)
    if after == before:
        return Commit(Outcome.UNCHANGED, before, after)
    metrics = read_commit(path, after, options).get("operationMetrics") or {}
    inserted = metrics.get("numTargetRowsInserted", metrics.get("numOutputRows", 0))  # of a MERGE, else of an append
    rows = [int(inserted), *(int(metrics.get(f"numTargetRows{kind}", 0)) for kind in ("Updated", "Deleted", "Copied"))]
    return Commit(Outcome.APPLIED if any(rows[:3]) else Outcome.ADVANCED, before, after, *rows)
