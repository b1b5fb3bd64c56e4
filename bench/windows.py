"""Windowed aggregates of a whole history, against a plan written by hand in Spark, and the same plan in DuckDB.

All run in one process with a warm JVM, read the same Parquet files and write their answer as Parquet.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.digest import Digest, digest_files
from bench.measure import Engine, measure_here, take_turns
from bench.peers.windows import FUNCTIONS, WindowTask, build_windows, column_name, write_windows_by_duckdb
from bench.results import Case, Usage
from bench.scratch import empty_folder, scratch_folder
from bench.session import CORES, open_bench_session
from conf.durations import parse_duration, to_micros
from features.definitions import Aggregation, Entity, FeatureView
from features.spark.events import build_events
from features.spark.feature_rows import build_rows

TITLE = "Windows"
ABOUT = (
    "count, sum, mean, min and max of one column over several windows, at every point where one of them changes. The "
    "peers sum up by hop and then use RANGE frames; they take every event as known when it happens, while Headwater "
    "also places the late ones. Headwater brings each hop with events to every grid point in its longest window "
    "(tiles × longest window / hop), which the last case, with its many entities and short hops, makes as dear as can "
    "be. All in one process with a warm JVM, Parquet to Parquet."
)
OURS, HAND, DUCKDB = "Headwater", "Spark, by hand", "DuckDB"
DAY_US = 86_400_000_000
SEED = 11
WARM_UP_TURNS = 3  # on a fifth of the first case: Java compiles what runs often
INSTANT = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class WindowSize:
    events: int
    entities: int
    days: int
    hop: str
    windows: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"hop {self.hop}, windows {' '.join(self.windows)}, {self.events:,} events, {self.entities:,} entities"


SIZES = (
    WindowSize(100_000, 1_000, 360, "1d", ("1d", "7d", "28d", "90d")),
    WindowSize(5_000, 50, 14, "5m", ("1h", "7d")),
    WindowSize(20_000, 10_000, 60, "1h", ("1d", "30d")),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the events and the entities of each case")
    parser.add_argument("--turns", type=int, default=2, help="2 is A B B A")


def run(options: argparse.Namespace) -> Iterator[Case]:
    spark = open_bench_session()
    with scratch_folder("windows") as folder:
        _measure(spark, folder, _scaled(SIZES[0], options.scale / 5), WARM_UP_TURNS)
        for size in SIZES:
            yield _measure(spark, folder, _scaled(size, options.scale), options.turns)


def _scaled(size: WindowSize, scale: float) -> WindowSize:
    return replace(size, events=max(1, int(size.events * scale)), entities=max(1, int(size.entities * scale)))


def _measure(spark: SparkSession, folder: Path, size: WindowSize, turns: int) -> Case:
    _write_events(empty_folder(folder / "events"), size)
    used = take_turns(size.name, list(_engines(spark, folder, size)), turns)
    rows = digest_files(f"{folder}/answer/*.parquet", {"k": "BIGINT"})[0]
    return Case(size.name, used, {"rows made": rows})


def _write_events(folder: Path, size: WindowSize) -> None:
    random = np.random.default_rng(SEED)
    at = pa.array(random.integers(0, size.days * DAY_US, size.events), INSTANT)
    events = {
        "id": np.arange(size.events), "k": random.integers(0, size.entities, size.events), "at": at,
        "v": pa.array(random.integers(0, 1000, size.events), pa.int32()), "_known_at": at,
    }  # fmt: skip
    pq.write_table(pa.table(events), folder / "events.parquet")


def _engines(spark: SparkSession, folder: Path, size: WindowSize) -> Iterator[Engine]:
    target = folder / "answer"
    hop_us = to_micros(parse_duration(size.hop))
    windows = [to_micros(parse_duration(window)) // hop_us for window in size.windows]
    task = WindowTask(folder / "events", hop_us, windows, size.days * DAY_US // hop_us)
    result = partial(_digest, target, windows)

    def on_spark(build: Callable[[], DataFrame]) -> Usage:
        empty_folder(target)
        return measure_here(lambda: build().write.mode("overwrite").parquet(str(target)), has_jvm=True)

    def on_duckdb() -> Usage:
        empty_folder(target)
        return measure_here(partial(write_windows_by_duckdb, task, target, CORES), has_jvm=False)

    yield Engine(OURS, partial(on_spark, partial(_build_rows, spark, task, size)), result)
    yield Engine(HAND, partial(on_spark, partial(build_windows, spark, task)), result)
    yield Engine(DUCKDB, on_duckdb, result)


def _build_rows(spark: SparkSession, task: WindowTask, size: WindowSize) -> DataFrame:
    aggregations = [Aggregation("v", function, size.windows) for function in FUNCTIONS]
    view = FeatureView("w", Entity("e", ["k"]), "s", aggregations, hop=size.hop)
    events = build_events(spark.read.parquet(str(task.folder)), view, "at", ["id"])
    rows = build_rows(events, view, task.last_point * task.hop_us)
    point = (F.unix_micros("feature_at") / task.hop_us).cast("bigint").alias("point")
    names = {
        ours: column_name(aggregation.function, window)
        for aggregation in view.aggregations
        for ours, window in zip(aggregation.feature_names, task.windows, strict=True)
    }
    return rows.select("k", point, *[F.col(ours).alias(name) for ours, name in names.items()])


def _digest(target: Path, windows: list[int]) -> Digest:
    kinds = dict(zip(FUNCTIONS, ("BIGINT", "BIGINT", "DOUBLE", "INTEGER", "INTEGER"), strict=True))
    values = {column_name(function, window): kinds[function] for window in windows for function in FUNCTIONS}
    return digest_files(f"{target}/*.parquet", {"k": "BIGINT", "point": "BIGINT", **values})
