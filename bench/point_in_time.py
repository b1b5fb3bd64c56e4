"""The point-in-time join, with both engines of Headwater, against hand-written Spark plans, DuckDB and Polars.

All run in one process with a warm JVM, read the same Parquet files and write their answer as Parquet.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.digest import Digest, digest_files
from bench.join_inputs import OUTPUTS, VALUES, VIEWS, YEAR_US, JoinSize, write_join_inputs
from bench.measure import Engine, measure_here, take_turns
from bench.peers.joins import join_by_duckdb, join_by_explosion, join_by_polars, join_by_union
from bench.results import Case, Usage
from bench.scratch import empty_folder, scratch_folder
from bench.session import CORES, open_bench_session
from features.definitions import Aggregation, Entity, FeatureView
from features.local.as_of import join_as_of as join_locally
from features.spark.as_of import join_as_of

TITLE = "Point-in-time join"
ABOUT = (
    "Each spine row takes the newest row of its entity from three views with four columns each. Fan-out is the number "
    "of stored rows of an entity in one view. The hop is a minute and the times are random, so few spine rows ask the "
    "same question, and nothing is saved by answering equal ones once. The peers know neither hops nor "
    "`available_after`, nor what an empty window means. *Union, window* is the best plan that we know to write by "
    "hand in Spark; *join, group* is the one that many feature stores use, left out where its pairs do not fit. All "
    "in one process with a warm JVM, Parquet to Parquet."
)
SPARK, LOCAL = "Headwater, Spark", "Headwater, local"
UNION, EXPLOSION, DUCKDB, POLARS = "Spark: union, window", "Spark: join, group", "DuckDB ASOF", "Polars join_asof"
MOST_FAN_OUT_TO_EXPLODE = 100
REACH = "90d"
WARM_UP_TURNS = 3  # on a tenth of the spine: Java compiles what runs often


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spine", type=int, default=300_000, help="rows of the spine")
    parser.add_argument("--stored", type=int, default=300_000, help="stored rows of each view")
    parser.add_argument("--fan-outs", type=int, nargs="+", default=[10, 100, 1000], help="stored rows of an entity")
    parser.add_argument("--turns", type=int, default=2, help="2 is A B B A")
    parser.add_argument("--without", nargs="*", default=[], help="names of engines to leave out")


def run(options: argparse.Namespace) -> Iterator[Case]:
    sizes = [JoinSize(options.spine, options.stored, fan_out) for fan_out in options.fan_outs]
    middle = sizes[len(sizes) // 2]
    skewed = JoinSize(options.spine, options.stored, middle.fan_out, is_skewed=True)
    cases = [(f"fan-out {size.fan_out:,}", size, False) for size in sizes]
    cases += [("half of the rows in one entity", skewed, False), (f"windows of {REACH}", middle, True)]
    spark = open_bench_session()
    with scratch_folder("point_in_time") as folder:

        def measure(name: str, size: JoinSize, is_windowed: bool, turns: int) -> Case:
            inputs = empty_folder(folder / "inputs")
            write_join_inputs(inputs, size)
            engines = [e for e in _engines(spark, inputs, folder, size, is_windowed) if e.name not in options.without]
            facts = {"spine rows": size.spine, "stored rows of a view": size.stored}
            return Case(name, take_turns(name, engines, turns), facts)

        measure("warm-up", replace(sizes[0], spine=max(1, options.spine // 10)), False, WARM_UP_TURNS)
        for name, size, is_windowed in cases:
            yield measure(name, size, is_windowed, options.turns)


def _engines(spark: SparkSession, inputs: Path, folder: Path, size: JoinSize, is_windowed: bool) -> Iterator[Engine]:
    target = folder / "answer"
    result = partial(_digest, target)

    def on_spark(build: Callable[[], DataFrame]) -> Usage:
        empty_folder(target)
        return measure_here(lambda: build().write.mode("overwrite").parquet(str(target)), has_jvm=True)

    def here(work: Callable[[], None]) -> Usage:
        empty_folder(target)
        return measure_here(work, has_jvm=False)

    yield Engine(SPARK, partial(on_spark, partial(_join_on_spark, spark, inputs, is_windowed)), result)
    yield Engine(LOCAL, partial(here, partial(_join_locally, inputs, target, is_windowed)), result)
    yield Engine(UNION, partial(on_spark, partial(join_by_union, spark, inputs)), result)
    if size.fan_out <= MOST_FAN_OUT_TO_EXPLODE and not size.is_skewed:
        yield Engine(EXPLOSION, partial(on_spark, partial(join_by_explosion, spark, inputs)), result)
    yield Engine(DUCKDB, partial(here, partial(join_by_duckdb, inputs, target, CORES)), result)
    yield Engine(POLARS, partial(here, partial(join_by_polars, inputs, target)), result)


def _views(is_windowed: bool) -> list[FeatureView]:
    entity = Entity("e", ["k"])
    if is_windowed:
        maxima = [Aggregation(value, "max", [REACH]) for value in VALUES]
        return [FeatureView(view, entity, "s", maxima, hop="1m") for view in VIEWS]
    return [FeatureView(view, entity, "s", fields=VALUES, hop="1m") for view in VIEWS]


def _join_on_spark(spark: SparkSession, inputs: Path, is_windowed: bool) -> DataFrame:
    views = _views(is_windowed)
    stored = {}
    for view in views:
        rows = spark.read.parquet(str(inputs / view.name))
        values = [F.col(value).alias(name) for value, name in zip(VALUES, view.feature_names, strict=True)]
        times = [F.col("feature_at").alias("_event_at")] if view.is_latest_value else []
        stored[view.name] = rows.select("k", "feature_at", *values, *times)
    spine = spark.read.parquet(str(inputs / "spine"))
    joined = join_as_of(spine, [(view, stored[view.name]) for view in views], YEAR_US, bounds=(0, YEAR_US))
    return joined.select("id", *[F.col(column).alias(name) for column, name in _outputs(views).items()])


def _join_locally(inputs: Path, target: Path, is_windowed: bool) -> None:
    views = _views(is_windowed)
    stored = []
    for view in views:
        rows = pl.read_parquet(inputs / view.name / "*.parquet")
        values = [pl.col(value).alias(name) for value, name in zip(VALUES, view.feature_names, strict=True)]
        times = [pl.col("feature_at").alias("_event_at")] if view.is_latest_value else []
        stored.append((view, rows.select("k", "feature_at", *values, *times)))
    joined = join_locally(pl.read_parquet(inputs / "spine" / "*.parquet"), stored, YEAR_US)
    outputs = [pl.col(column).alias(name) for column, name in _outputs(views).items()]
    joined.select("id", *outputs).write_parquet(target / "rows.parquet")


def _outputs(views: list[FeatureView]) -> dict[str, str]:
    """Map the join's columns to those of the peers."""
    columns = [view.column_of(name) for view in views for name in view.feature_names]
    return dict(zip(columns, (f"{view}_{value}" for view, value in OUTPUTS), strict=True))


def _digest(target: Path) -> Digest:
    doubles = {f"{view}_{value}": "DOUBLE" for view, value in OUTPUTS}
    return digest_files(f"{target}/*.parquet", {"id": "BIGINT", **doubles})
