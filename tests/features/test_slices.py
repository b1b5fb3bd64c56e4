"""Which entities are heavy, and how their time is cut."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.definitions import Entity, FeatureView
from features.spark.slices import HEAVY_ROWS, find_slices
from tests.pipelines.spark_counters import counted

ROWS = 2 * HEAVY_ROWS
TASKS = 8
SHOP = FeatureView("of_shop", Entity("shop", ["shop"]), "sales", fields=["n"])
AISLE = FeatureView("of_aisle", Entity("aisle", ["shop", "aisle"]), "sales", fields=["n"])
ELSIA = FeatureView("of_elsia", Entity("elsia", ["aisle", "shop"]), "sales", fields=["n"])


@pytest.fixture(scope="module")
def spine(spark: SparkSession) -> DataFrame:
    """Shop 0 has three of four rows, half of which lie in its last tenth of time; no aisle has many."""
    n = F.col("id")
    at = F.when(n % 8 < 4, n).otherwise(n / 10 + int(ROWS * 0.9)).cast("bigint")
    shop = F.when(n % 4 < 3, 0).otherwise(n % 1000)
    return spark.range(ROWS).select(
        shop.alias("shop"), (n % 500).alias("aisle"), F.timestamp_micros(at).alias("prediction_at"), at.alias("us")
    )


def test_nobody_looks_where_rows_or_tasks_are_too_few(spark: SparkSession, spine: DataFrame) -> None:
    with counted(spark) as looking:
        assert find_slices(spine, [SHOP], HEAVY_ROWS, TASKS) == {}
        assert find_slices(spine, [SHOP], ROWS, 2) == {}
    assert looking.jobs == 0


def test_only_entities_with_many_rows_are_cut_each_slice_with_as_many(spark: SparkSession, spine: DataFrame) -> None:
    found = find_slices(spine, [AISLE, SHOP, ELSIA], ROWS, TASKS)
    assert list(found) == [("shop",)]
    slices = found["shop",]
    sliced = slices.add_to(spine.withColumn("_at_us", F.col("us")), ["shop"]).groupBy("shop", "_slice").count()
    of_shop = {row["_slice"]: row["count"] for row in sliced.where("shop = 0").collect()}
    assert sorted(of_shop) == list(range(4 * TASKS))
    even = ROWS * 3 / 4 / (4 * TASKS)
    assert all(0.8 * even < count < 1.2 * even for count in of_shop.values())
    assert [row["_slice"] for row in sliced.where("shop <> 0").select("_slice").distinct().collect()] == [0]


def test_an_entity_that_asks_at_one_instant_has_one_edge(spine: DataFrame) -> None:
    at_once = spine.withColumn("prediction_at", F.timestamp_micros(F.lit(5)))
    assert find_slices(at_once, [SHOP], ROWS, TASKS)["shop",].edges_us == (5,)
    never = spine.withColumn("prediction_at", F.lit(None).cast("timestamp"))
    assert find_slices(never, [SHOP], ROWS, TASKS)["shop",].edges_us == ()
