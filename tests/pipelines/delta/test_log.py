"""What ``deltalake`` reads of tables that Spark has written, against what Spark itself reads of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from pipelines.delta.commit import Stamp
from pipelines.delta.local import move_cursor, query_tables, read_changes
from pipelines.delta.log import (
    changed_version,
    read_last_commit,
    table_files,
    table_id,
    table_properties,
    table_version,
)
from pipelines.delta.merge import Target, compact_files, merge_rows
from pipelines.delta.tables import MARKS_ROWS, create_table, drop_table, read_table, swap_table
from pipelines.delta.tables import read_changes as read_changes_by_spark
from tests.projects.small_lake import RUN

SCHEMA = "id int, day date, at timestamp, amount decimal(10,2), ratio double, name string, tags array<string>"
AT = datetime(1969, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)


def row(number: int, name: str | None = "x") -> tuple[Any, ...]:
    return (number, date(2024, 1, 1 + number % 3), AT, Decimal("1.50") * number, number / 3, name, ["a", None])


def cells_by_spark(spark: SparkSession, path: str) -> list[tuple[Any, ...]]:
    rows = [tuple(row) for row in read_table(spark, path).collect()]
    return sorted(tuple(x.replace(tzinfo=UTC) if isinstance(x, datetime) else x for x in row) for row in rows)


def cells_without_spark(path: str) -> list[tuple[Any, ...]]:
    batches = query_tables({("silver", "t"): path}, None, "select * from silver.t", {})
    columns = [column.to_pylist() for column in pa.table(batches.read_all()).columns]
    return sorted(zip(*columns, strict=True))


def merge(spark: SparkSession, path: str, rows: list[tuple[Any, ...]], load: int, generation: int = 0) -> None:
    source = spark.createDataFrame(rows, SCHEMA)
    merge_rows(spark, Target(path, ["id"]), source, Stamp("t", RUN, generation, load))


def test_both_read_the_same_through_a_table_s_life(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    assert (table_version(path), table_id(path), table_files(path)) == (-1, "", [])
    schema = spark.createDataFrame([], SCHEMA).schema
    create_table(spark, path, schema, ["day"], {**MARKS_ROWS, "delta.checkpointInterval": "3", "mine": "yes"})
    seen = []
    for load in range(1, 6):  # with checkpoints on the way
        merge(spark, path, [row(n, f"load {load}") for n in range(load, load + 6)], load)
        seen.append(cells_without_spark(path) == cells_by_spark(spark, path))
    assert seen == [True] * 5
    last = read_last_commit(path, "t")
    assert (last.generation, last.cursor, last.metadata["run"]) == (0, 5, "test")
    assert (table_version(path), changed_version(path)) == (5, 5)
    compact_files(spark, path, Stamp("t", RUN))
    assert changed_version(path) == 5 < table_version(path)
    assert cells_without_spark(path) == cells_by_spark(spark, path)
    (detail,) = spark.sql(f"DESCRIBE DETAIL '{path}'").collect()
    assert (table_id(path), len(table_files(path))) == (detail["id"], detail["numFiles"])
    assert table_properties(path)["mine"] == "yes"


def test_a_restore_opens_a_generation_and_a_rebuilt_table_is_another(spark: SparkSession, tmp_path: Path) -> None:
    path, beside = str(tmp_path / "t"), str(tmp_path / "t__rebuilding")
    create_table(spark, path, spark.createDataFrame([], SCHEMA).schema, (), MARKS_ROWS)
    for load in (1, 2):
        merge(spark, path, [row(load)], load)
    DeltaTable.forPath(spark, path).restoreToVersion(1)
    restored = read_last_commit(path, "t")
    assert (restored.generation, restored.cursor) == (table_version(path), 1)
    assert cells_without_spark(path) == cells_by_spark(spark, path) == [row(1)]
    DeltaTable.forPath(spark, path).delete("id = 1")
    assert cells_without_spark(path) == cells_by_spark(spark, path) == []
    before = table_id(path)
    drop_table(spark, beside)
    create_table(spark, beside, spark.createDataFrame([], SCHEMA).schema, (), MARKS_ROWS)
    merge(spark, beside, [row(9)], 1)
    swap_table(spark, path, beside)
    assert table_id(path) != before
    assert cells_without_spark(path) == cells_by_spark(spark, path) == [row(9)]


def test_both_read_the_same_changes(spark: SparkSession, tmp_path: Path) -> None:
    path, feed = str(tmp_path / "t"), {"delta.enableChangeDataFeed": "true"}
    create_table(spark, path, spark.createDataFrame([], SCHEMA).schema, ["day"], MARKS_ROWS | feed)
    merge(spark, path, [row(n) for n in range(6)], 1)
    merge(spark, path, [row(n, "changed") for n in range(3, 9)], 2)
    merge(spark, path, [row(n, "again") for n in range(5, 8)], 3)  # into files that have deletion vectors
    move_cursor(path, None, Stamp("t", RUN, 0, 4))
    compact_files(spark, path, Stamp("t", RUN))
    columns, newest = ["id", "name", "_change_type"], table_version(path)
    for after in range(newest):
        batches = read_changes(path, None, columns, after, newest)
        assert batches is not None
        found = [tuple(r.values()) for r in batches.read_all().to_pylist()]
        expected = read_changes_by_spark(spark, path, after, newest).select(*columns).collect()
        assert sorted(found) == sorted(tuple(r) for r in expected), after
    DeltaTable.forPath(spark, path).restoreToVersion(1)  # this one deltalake would read wrongly
    assert read_changes(path, None, columns, newest, newest + 1) is None
    assert read_changes(path, None, columns, 0, newest) is not None


def test_a_cursor_moves_without_spark_and_spark_sees_it(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    properties = {**MARKS_ROWS, "delta.checkpointInterval": "2"}
    create_table(spark, path, spark.createDataFrame([], SCHEMA).schema, ["day"], properties)
    merge(spark, path, [row(1), row(4)], 1)
    merge(spark, path, [row(4, "changed")], 2)  # marks a row of the first file as deleted
    cells = cells_by_spark(spark, path)
    moved = [move_cursor(path, None, Stamp("t", RUN, 0, cursor)) for cursor in (3, 3, 2, 4)]
    assert [commit.outcome for commit in moved] == ["ADVANCED", "UNCHANGED", "UNCHANGED", "ADVANCED"]
    last = read_last_commit(path, "t")
    assert (last.generation, last.cursor, last.metadata["run"]) == (0, 4, "test")
    assert (table_version(path), changed_version(path)) == (4, 2)
    assert cells_without_spark(path) == cells_by_spark(spark, path) == cells
    merge(spark, path, [row(7)], 4)  # Delta has this number already, and skips the MERGE
    assert table_version(path) == 4
    for load in (5, 6):
        merge(spark, path, [row(load)], load)
    assert (tmp_path / "t" / "_delta_log" / "00000000000000000006.checkpoint.parquet").exists()
    assert cells_without_spark(path) == cells_by_spark(spark, path) == sorted([*cells, row(5), row(6)])
