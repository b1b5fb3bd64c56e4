"""MERGE: the way rows come into a table, so that writing them twice changes nothing.

The source has one row for each key by then. ON carries literal bounds of the batch, because Delta skips files by
literals only: equality of columns alone reads the whole table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.delta.commit import Commit, Stamp, write_commit
from pipelines.delta.log import table_version

DELETE_MARK = "_delete"
JUST_CREATED = 0  # the version of a table that has no rows yet


@dataclass(frozen=True)
class Target:
    """A table to merge into. ``bounds`` are literal conditions on it (alias ``t``), by which Delta skips files."""

    path: str
    grain: Sequence[str]
    bounds: Sequence[str] = ()
    partition_by: Sequence[str] = ()


def merge_new_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Insert the rows whose key the table does not have. A row that the table has is never touched."""
    if table_version(spark, target.path) == JUST_CREATED:
        return write_commit(spark, target.path, partial(_append, target, source), stamp)
    merge = _merge(spark, target, source).whenNotMatchedInsertAll()
    return write_commit(spark, target.path, merge.execute, stamp)


def merge_rows(spark: SparkSession, target: Target, source: DataFrame, stamp: Stamp) -> Commit:
    """Update the rows whose key the table has, insert the others, and delete by key where ``_delete`` is true.

    Parameters
    ----------
    source : grain ``target.grain``; only rows that differ from the table's, and optionally the column ``_delete``
    """
    columns = [name for name in source.columns if name != DELETE_MARK]
    if table_version(spark, target.path) == JUST_CREATED:
        return write_commit(spark, target.path, partial(_append, target, source.select(*columns)), stamp)
    values: dict[str, str | Column] = {name: F.col(f"s.`{name}`") for name in columns}
    merge = _merge(spark, target, source)
    if DELETE_MARK in source.columns:
        merge = merge.whenMatchedDelete(condition=f"s.{DELETE_MARK}")
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(f"NOT s.{DELETE_MARK}", values=values)
    else:
        merge = merge.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
    return write_commit(spark, target.path, merge.execute, stamp)


def append_rows(spark: SparkSession, path: str, rows: DataFrame, stamp: Stamp) -> Commit:
    """Add rows to a journal. A journal has no key, so this is only for what happens once."""
    return write_commit(spark, path, lambda: rows.write.format("delta").mode("append").save(path), stamp)


def compact_files(spark: SparkSession, path: str, stamp: Stamp) -> Commit:
    """Write many small files anew as a few large ones. No row changes."""
    return write_commit(spark, path, DeltaTable.forPath(spark, path).optimize().executeCompaction, stamp)


def _append(target: Target, source: DataFrame) -> None:
    """Do what a MERGE into an empty table does, at half the cost. The stamp keeps it from happening twice."""
    if target.partition_by:  # one task for each partition, hence one file, as MERGE does
        source = source.repartition(*target.partition_by)
    source.write.format("delta").mode("append").save(target.path)


def _merge(spark: SparkSession, target: Target, source: DataFrame) -> DeltaMergeBuilder:
    on = [*target.bounds, *(f"t.`{name}` = s.`{name}`" for name in target.grain)]
    table = DeltaTable.forPath(spark, target.path).alias("t")
    return table.merge(source.alias("s"), " AND ".join(on))
