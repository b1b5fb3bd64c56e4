"""One entity holds half of a million rows: the results are right, and no task reads much more than the others."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.definitions import Aggregation, Entity, FeatureView
from features.spark.as_of import join_as_of
from features.spark.events import build_events
from features.spark.feature_rows import build_rows
from features.spark.slices import find_slices
from pipelines.runtime.session import temporary_confs
from tests.pipelines.spark_counters import Counted, counted

pytestmark = pytest.mark.long(minutes=2)
ROWS = 1_000_000
TASKS = 8
ENTITIES = 500
DAYS = 60
LONG_DAYS = 400  # so many minutes that thing 0 alone has a third of a million grid points
MINUTE, DAY = 60_000_000, 86_400_000_000
THING = Entity("thing", ["thing"])
WINDOWED = FeatureView(
    "windowed",
    THING,
    "things",
    [Aggregation("n", "count", ["1d", "7d"]), Aggregation("x", "sum", ["1d", "7d"]), Aggregation("n", "max", ["7d"])],
    available_after="12h",
)
NEWEST = FeatureView("newest", THING, "things", fields=("n",), hop="1m")


@pytest.fixture
def spread(spark: SparkSession) -> Iterator[SparkSession]:
    """Eight tasks a shuffle, none merged away, so that one that reads half of the rows stands out."""
    settings = {"spark.sql.shuffle.partitions": str(TASKS), "spark.sql.adaptive.coalescePartitions.enabled": "false"}
    with temporary_confs(spark, settings):
        yield spark


def silver(spark: SparkSession, days: int) -> DataFrame:
    """Half of the rows are of thing 0, the others even; every tenth is known three days late; no two at one time."""
    number = F.col("id")
    at = (number * 7_919_317) % F.lit(days * 86_400) * F.lit(1_000_000) + number % 1000
    late = F.when(number % 10 == 0, F.lit(3 * DAY)).otherwise(F.lit(0))
    thing = F.when(number % 2 == 0, F.lit(0)).otherwise(1 + number % F.lit(ENTITIES - 1)).cast("int")
    return spark.range(0, ROWS, 1, 8).select(
        "id",
        thing.alias("thing"),
        F.timestamp_micros(at).alias("at"),
        (number % 1009).cast("int").alias("n"),
        ((number % 509) / 4.0).alias("x"),
        F.timestamp_micros(at + late).alias("_known_at"),
    )


def local(frame: DataFrame) -> pd.DataFrame:
    times = {name: F.unix_micros(name) for name, kind in frame.dtypes if kind == "timestamp"}
    return frame.withColumns(times).toPandas()


def assert_balanced(found: Counted) -> None:
    skews = found.skews(least_rows=20_000, tasks=TASKS)
    assert skews, "no stage was large enough to be judged"
    assert max(skews.values()) <= 2.0, skews


def dense(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The windowed features of every thing at every day, and whether a row stands there, by difference arrays."""
    points = DAYS + 12
    hop_end = rows["at"] // DAY + 1
    counts_from = np.maximum(hop_end, -(-(rows["_known_at"] - DAY // 2) // DAY))
    table: dict[str, np.ndarray] = {"is_changed": np.zeros((ENTITIES, points), bool)}
    for window in (1, 7):
        counts = rows[counts_from < hop_end + window]
        begins, ceases = counts_from[counts.index], hop_end[counts.index] + window
        for name, amount in (("n_count", np.ones(len(counts))), ("x_sum", counts["x"])):
            steps = np.zeros((ENTITIES, points))
            np.add.at(steps, (counts["thing"], begins), amount)
            np.add.at(steps, (counts["thing"], ceases), -amount)
            table[f"{name}_{window}d"] = steps.cumsum(axis=1)
        table["is_changed"][counts["thing"], begins] = True
        table["is_changed"][counts["thing"], ceases] = True
    highest = np.full((ENTITIES, points), -1)
    for age in range(7):
        counts = rows[counts_from <= hop_end + age]
        np.maximum.at(highest, (counts["thing"], hop_end[counts.index] + age), counts["n"])
    return table | {"n_max_7d": highest}


def assert_equal_windows(
    found: pd.DataFrame, points: pd.Series, table: dict[str, np.ndarray], prefix: str = ""
) -> None:
    at = found["thing"].to_numpy(), points.to_numpy()
    is_empty = table["n_count_7d"][at] == 0
    for name in WINDOWED.feature_names:
        expected = table[name][at].astype(float)
        if not name.startswith("n_count"):
            expected[is_empty if name.endswith("7d") else table["n_count_1d"][at] == 0] = np.nan
        np.testing.assert_array_equal(found[prefix + name].astype(float).to_numpy(), expected, name)


def test_windows_and_their_join(spread: SparkSession) -> None:
    frame = silver(spread, DAYS)
    events = build_events(frame, WINDOWED, "at", ["id"])
    with counted(spread) as windows:
        rows = local(build_rows(events, WINDOWED, (DAYS + 11) * DAY))
    assert_balanced(windows)
    table = dense(local(frame))
    assert_equal_windows(rows, rows["feature_at"] // DAY, table)
    things, points = np.nonzero(table["is_changed"][:, : DAYS + 11])
    assert set(zip(rows["thing"], rows["feature_at"] // DAY, strict=True)) == set(zip(things, points, strict=True))

    stored = spread.createDataFrame(rows).withColumn("feature_at", F.timestamp_micros("feature_at"))
    stored = stored.withColumn("thing", F.col("thing").cast("int"))
    spine = frame.select("id", "thing", F.col("at").alias("prediction_at"))
    slices = find_slices(spine, [WINDOWED], ROWS, TASKS)
    with counted(spread) as joining:
        views = [(WINDOWED, stored)]
        joined = local(join_as_of(spine, views, (DAYS + 11) * DAY, bounds=(0, DAYS * DAY), slices=slices))
    assert_balanced(joining)
    assert len(joined) == ROWS
    asked = (joined["prediction_at"] - DAY // 2) // DAY
    is_first_half_day = asked < 0
    assert (joined[is_first_half_day]["windowed__n_count_7d"] == 0).all()
    assert_equal_windows(joined[~is_first_half_day], asked[~is_first_half_day], table, "windowed__")


def test_latest_values_and_their_join(spread: SparkSession) -> None:
    frame = silver(spread, LONG_DAYS).withColumn("_known_at", F.col("at"))
    events = build_events(frame, NEWEST, "at", ["id"])
    with counted(spread) as building:
        rows = local(build_rows(events, NEWEST, (LONG_DAYS + 1) * DAY))
    assert_balanced(building)
    source = local(frame).sort_values("at")
    point = (source["at"] // MINUTE + 1) * MINUTE
    expected = source.assign(feature_at=point).groupby(["thing", "feature_at"]).last().reset_index()
    rows = rows.sort_values(["thing", "feature_at"]).reset_index(drop=True)
    for name, wanted in (("thing", "thing"), ("feature_at", "feature_at"), ("_event_at", "at"), ("n", "n")):
        np.testing.assert_array_equal(rows[name].to_numpy(), expected[wanted].to_numpy(), name)

    stored = build_rows(events, NEWEST, (LONG_DAYS + 1) * DAY)
    spine = frame.select("id", "thing", (F.col("at") + F.expr("interval 7 minutes")).alias("prediction_at"))
    slices = find_slices(spine, [NEWEST], ROWS, TASKS)
    with counted(spread) as joining:
        joined = local(join_as_of(spine, [(NEWEST, stored)], (LONG_DAYS + 1) * DAY, slices=slices))
    joined = joined.sort_values("prediction_at")
    assert_balanced(joining)
    asked = joined.assign(point=joined["prediction_at"] // MINUTE * MINUTE)[["id", "thing", "point", "newest__n"]]
    truth = pd.merge_asof(
        asked, source[["at", "thing", "n"]], left_on="point", right_on="at", by="thing", allow_exact_matches=False
    )
    np.testing.assert_array_equal(truth["newest__n"].astype(float), truth["n"].astype(float))
