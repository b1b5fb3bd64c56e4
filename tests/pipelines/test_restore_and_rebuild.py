"""Tables taken back with Delta's RESTORE, and feature views rebuilt because their meaning changed.

All tests share one lake, and each leaves it as it found it.
"""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from pipelines.delta.commit import Outcome
from pipelines.gold.materialize import materialize
from pipelines.gold.plan import GoldReport
from tests.projects.small_lake import RUN, SALES, SmallLake, accounting, make_lake

CHANGED = SALES.replace('["1d", "3d"])]', '["1d", "3d"])], where="amount_eur > 6"')
SILVER = ("id", "amount_eur", "_known_at")
GOLD = ("shop", "feature_at", "amount_eur_sum_1d", "amount_eur_sum_3d")
ORDERS = [(1, 12.0, datetime(2024, 1, 2)), (2, 5.0, datetime(2024, 1, 3))]
FEATURES = [("north", datetime(2024, 1, 2), 12.0, 12.0), ("north", datetime(2024, 1, 3), 5.0, 17.0)]
LARGE = [("north", datetime(2024, 1, 2), 12.0, 12.0), ("north", datetime(2024, 1, 3), None, 12.0)]


def complete(small: SmallLake) -> GoldReport:
    return materialize(small.project, small.lake, [small.project.views["sales"]], None, RUN)[0]


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Two deliveries, each loaded and materialized; the second corrects an order of the first."""
    small = make_lake(spark, tmp_path_factory.mktemp("shop"), SALES)
    small.orders("2024-01-02T00-00", "1,north,10.0,2024-01-01T10:00:00Z,1")
    small.load()
    complete(small)
    small.orders("2024-01-03T00-00", "1,north,12.0,2024-01-01T10:00:00Z,2", "2,north,5.0,2024-01-02T10:00:00Z,1")
    small.load()
    complete(small)
    assert (small.rows("silver", "orders", *SILVER), small.rows("gold", "sales", *GOLD)) == (ORDERS, FEATURES)
    return small


@pytest.mark.parametrize(
    "versions",
    [{"silver.orders": 1}, {"gold.sales": 1}, {"bronze.orders": 1, "ops.files": 0, "silver.orders": 0}],
    ids=["silver", "gold", "bronze and all that follows from it"],
)
def test_a_restored_table_opens_a_generation_and_reads_again(shop: SmallLake, versions: dict[str, int]) -> None:
    bronze = shop.rows("bronze", "orders", "id", "amount", "_load")
    generations: dict[Any, int] = {}
    for table, version in versions.items():
        layer, name = table.split(".")
        DeltaTable.forPath(shop.lake.spark, shop.lake.path(layer, name)).restoreToVersion(version)
        generations[layer, name] = shop.lake.version(layer, name)
    shop.load()
    complete(shop)
    assert shop.rows("bronze", "orders", "id", "amount", "_load") == bronze
    assert (shop.rows("silver", "orders", *SILVER), shop.rows("gold", "sales", *GOLD)) == (ORDERS, FEATURES)
    assert all(in_file == sum(fates) for _, in_file, *fates in accounting(shop).values())
    for (layer, name), generation in generations.items():
        assert layer == "ops" or shop.lake.last_commit(layer, name).generation == generation
    assert (shop.load().outcome, complete(shop).commit.outcome) == (Outcome.UNCHANGED, Outcome.UNCHANGED)


def test_a_view_of_another_meaning_is_rebuilt_beside_and_swapped(shop: SmallLake) -> None:
    table, table_id = Path(shop.lake.path("gold", "sales")), shop.lake.table_id("gold", "sales")
    shutil.copytree(table, f"{table}__rebuilding")  # a rebuild that was killed left rows of another meaning
    changed = make_lake(shop.lake.spark, shop.project.settings.project, CHANGED)
    report = complete(changed)
    assert (report.is_full, report.commit.rows_written) == (True, 2)
    assert shop.rows("gold", "sales", *GOLD) == LARGE
    assert shop.lake.table_id("gold", "sales") != table_id
    assert complete(changed).commit.outcome is Outcome.UNCHANGED
    complete(shop)
    assert shop.rows("gold", "sales", *GOLD) == FEATURES
    assert [path.name for path in table.parent.iterdir()] == ["sales"]


def test_a_table_lost_between_the_renames_of_a_swap_is_made_anew(shop: SmallLake) -> None:
    table = Path(shop.lake.path("gold", "sales"))
    shutil.copytree(table, f"{table}__rebuilding")
    table.rename(f"{table}__replaced")
    jvm: Any = shop.lake.spark._jvm
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # the next process has not seen the table
    complete(make_lake(shop.lake.spark, shop.project.settings.project, CHANGED))
    assert shop.rows("gold", "sales", *GOLD) == LARGE
    complete(shop)
    assert shop.rows("gold", "sales", *GOLD) == FEATURES
    assert [path.name for path in table.parent.iterdir()] == ["sales"]
