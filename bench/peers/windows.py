"""Windowed aggregates as a user would write them by hand in Spark, and the same plan in SQL for DuckDB.

Events are first summed up by entity and hop. Then each point where some window changes, which is a hop with events or
one that lies a window's length after it, gets its values by frames over the hops. Events are taken as known when they
happen, so there is no rule for late ones. A *point* is the end of a hop, counted in hops since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

FUNCTIONS = ("count", "sum", "mean", "min", "max")
PARTS = {"n": "bigint", "total": "bigint", "least": "int", "greatest": "int"}


@dataclass(frozen=True)
class WindowTask:
    """Events lie in ``folder``; the windows are whole numbers of hops; points after ``last_point`` are left out."""

    folder: Path
    hop_us: int
    windows: Sequence[int]
    last_point: int


def column_name(function: str, window: int) -> str:
    return f"{function}_{window}"


def build_windows(spark: SparkSession, task: WindowTask) -> DataFrame:
    events = spark.read.parquet(str(task.folder))
    point = (F.floor(F.unix_micros("at") / task.hop_us) + 1).cast("bigint").alias("point")
    is_wanted = F.col("point") <= task.last_point
    sums = (F.count("*").alias("n"), F.sum("v").alias("total"), F.min("v").alias("least"), F.max("v").alias("greatest"))
    tiles = events.groupBy("k", point).agg(*sums).where(is_wanted)
    ends = F.explode(F.array(*[F.col("point") + window for window in task.windows])).alias("point")
    nothing = [F.lit(None).cast(kind).alias(name) for name, kind in PARTS.items()]
    emptied = tiles.select("k", ends).where(is_wanted).select("*", *nothing)
    parts = [F.max(name).alias(name) for name in PARTS]
    points = tiles.unionByName(emptied).groupBy("k", "point").agg(*parts)
    values = [value for window in task.windows for value in _values(window)]
    return points.select("k", "point", *values)


def _values(window: int) -> list[Column]:
    frame = Window.partitionBy("k").orderBy("point").rangeBetween(-(window - 1), 0)
    count, total = F.sum("n").over(frame), F.sum("total").over(frame)
    values = (
        F.coalesce(count, F.lit(0)), total, total.cast("double") / count.cast("double"),
        F.min("least").over(frame), F.max("greatest").over(frame),
    )  # fmt: skip
    return [value.alias(column_name(name, window)) for name, value in zip(FUNCTIONS, values, strict=True)]


def write_windows_by_duckdb(task: WindowTask, target: Path, threads: int) -> None:
    ends = " UNION ".join(["SELECT k, point FROM tiles", *[f"SELECT k, point + {w} FROM tiles" for w in task.windows]])
    frames = ", ".join(
        f"w{w} AS (PARTITION BY k ORDER BY point RANGE BETWEEN {w - 1} PRECEDING AND CURRENT ROW)" for w in task.windows
    )
    values = ", ".join(
        f"coalesce(sum(n) OVER w{w}, 0)::BIGINT AS count_{w}, (sum(total) OVER w{w})::BIGINT AS sum_{w},"
        f" (sum(total) OVER w{w})::DOUBLE / nullif(sum(n) OVER w{w}, 0)::DOUBLE AS mean_{w},"
        f" min(least) OVER w{w} AS min_{w}, max(greatest) OVER w{w} AS max_{w}"
        for w in task.windows
    )
    with duckdb.connect(config={"threads": threads, "preserve_insertion_order": False}) as connection:
        connection.execute(f"""
            COPY (
              WITH tiles AS (
                SELECT k, epoch_us("at") // {task.hop_us} + 1 AS point,
                  count(*) AS n, sum(v) AS total, min(v) AS least, max(v) AS greatest
                FROM read_parquet('{task.folder}/*.parquet') GROUP BY ALL HAVING point <= {task.last_point}
              ),
              points AS (SELECT k, point FROM ({ends}) WHERE point <= {task.last_point}),
              filled AS (SELECT p.k, p.point, n, total, least, greatest FROM points p LEFT JOIN tiles USING (k, point))
              SELECT k, point, {values} FROM filled WINDOW {frames}
            ) TO '{target}/rows.parquet' (FORMAT parquet)""")
