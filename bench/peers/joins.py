"""The point-in-time join as a user would write it by hand in Spark, and as DuckDB and Polars have it built in.

Each takes the folder of ``write_join_inputs`` and gives each spine row, per view, the newest stored row of its entity.
They know neither hops nor ``available_after``, nor what a NULL key or an empty window means.
"""

from pathlib import Path

import duckdb
import polars as pl
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from bench.join_inputs import OUTPUTS, VALUES, VIEWS


def join_by_union(spark: SparkSession, folder: Path) -> DataFrame:
    """Put spine and all views on one time line, and carry the last row of each view forward: one shuffle."""
    spine = spark.read.parquet(str(folder / "spine"))
    line = spine.select("k", F.col("prediction_at").alias("_at"), F.lit(1).alias("_order"), "id")
    for view in VIEWS:
        stored = spark.read.parquet(str(folder / view))
        rows = stored.select(
            "k", F.col("feature_at").alias("_at"), F.lit(0).alias("_order"), F.struct(*VALUES).alias(view)
        )
        line = line.unionByName(rows, allowMissingColumns=True)
    so_far = Window.partitionBy("k").orderBy("_at", "_order").rowsBetween(Window.unboundedPreceding, 0)
    carried = line.select("id", "_order", *[F.last(view, True).over(so_far).alias(view) for view in VIEWS])
    asked = carried.where("_order = 1")
    return asked.select("id", *[F.col(f"{view}.{value}").alias(f"{view}_{value}") for view, value in OUTPUTS])


def join_by_explosion(spark: SparkSession, folder: Path) -> DataFrame:
    """Join each spine row with all earlier rows of its entity and keep the newest: a join and a group for each view."""
    joined = spine = spark.read.parquet(str(folder / "spine"))
    for view in VIEWS:
        stored = spark.read.parquet(str(folder / view))
        pairs = spine.join(stored, "k").where(F.col("feature_at") <= F.col("prediction_at"))
        newest = pairs.groupBy("id").agg(F.max(F.struct("feature_at", *VALUES)).alias("_newest"))
        values = [F.col(f"_newest.{value}").alias(f"{view}_{value}") for value in VALUES]
        joined = joined.join(newest, "id", "left").select(*joined.columns, *values)
    return joined.drop("k", "prediction_at")


def join_by_duckdb(folder: Path, target: Path, threads: int) -> None:
    values = ", ".join(f"{view}.{value} AS {view}_{value}" for view, value in OUTPUTS)
    joins = " ".join(
        f"ASOF LEFT JOIN read_parquet('{folder}/{view}/*.parquet') {view}"
        f" ON s.k = {view}.k AND s.prediction_at >= {view}.feature_at"
        for view in VIEWS
    )
    with duckdb.connect(config={"threads": threads, "preserve_insertion_order": False}) as connection:
        connection.execute(
            f"COPY (SELECT s.id, {values} FROM read_parquet('{folder}/spine/*.parquet') s {joins})"
            f" TO '{target}/rows.parquet' (FORMAT parquet)"
        )


def join_by_polars(folder: Path, target: Path) -> None:
    joined = pl.read_parquet(folder / "spine" / "*.parquet").sort("prediction_at")
    for view in VIEWS:
        stored = pl.read_parquet(folder / view / "*.parquet").sort("feature_at")
        renamed = stored.rename({value: f"{view}_{value}" for value in VALUES})
        joined = joined.join_asof(
            renamed, left_on="prediction_at", right_on="feature_at", by="k", check_sortedness=False
        ).drop("feature_at")
    joined.drop("k", "prediction_at").write_parquet(target / "rows.parquet")
