"""What the layers promise about work, by Spark's own counters: lazy, pruned, parallel, nothing copied, one reader."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipelines.gold.materialize import materialize, read_source_changes
from pipelines.gold.plan import plan_view
from pipelines.gold.write_view import build_difference
from pipelines.ledger.data_clock import data_clock
from pipelines.operations.lease import hold_lease
from pipelines.operations.locks import SparkLock
from pipelines.silver.standing_row import build_standing_rows
from pipelines.silver.type_rows import build_typed_rows
from tests.pipelines.spark_counters import counted
from tests.projects.energy_project import make_energy
from tests.projects.small_lake import RUN, SmallLake, make_lake

DEFINITIONS = """
from features import Aggregation, Entity, FeatureView

shop = Entity("shop", ["shop"])
sales = FeatureView("sales", shop, "orders", [Aggregation("amount_eur", "sum", ["1d", "3d"])], hop="1d")
newest = FeatureView("newest", shop, "orders", fields=["amount_eur"], hop="1h")
"""
DAYS = range(2, 22)


@pytest.fixture(scope="module")
def shops(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Twenty days of orders of two shops, loaded and materialized."""
    small = make_lake(
        spark, tmp_path_factory.mktemp("shops"), DEFINITIONS, orders={"key": ["shop", "id"], "partition_by": ["shop"]}
    )
    for day in DAYS:
        _land_day(small, day)
    small.load()
    materialize(small.project, small.lake, list(small.project.views.values()), None, RUN)
    return small


def _land_day(small: SmallLake, day: int) -> None:
    event = f"2024-01-{day - 1:02}T10:00:00Z"
    small.orders(f"2024-01-{day:02}T00-00", f"{day},north,1.5,{event},1", f"{100 + day},south,2.5,{event},1")


def _scans(spark: SparkSession, after: int, table: str) -> list[str]:
    """Return the scans of a table in the plans that were executed after an execution."""
    text = "\n".join(plan.physicalPlanDescription() for plan in _plans(spark) if plan.executionId() > after)
    return [part for part in text.split("\n\n") if "Scan parquet" in part and table in part]


def _last_execution(spark: SparkSession) -> int:
    return max((plan.executionId() for plan in _plans(spark)), default=-1)


def _plans(spark: SparkSession) -> Any:
    store = spark._jsparkSession.sharedState().statusStore()
    return spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava(store.executionsList())


def test_a_later_day_is_pruned_and_copies_nothing(spark: SparkSession, shops: SmallLake) -> None:
    before = _last_execution(spark)
    _land_day(shops, 22)
    done = shops.load()
    assert done.silver is not None
    assert (done.silver.commit.rows_inserted, done.silver.commit.rows_copied) == (2, 0)
    silver = _scans(spark, before, "silver/orders")
    assert any(re.search(r"PartitionFilters: \[.*>= north", scan) for scan in silver)
    assert any("GreaterThanOrEqual(id,22)" in scan and "LessThanOrEqual(id,122)" in scan for scan in silver)
    before = _last_execution(spark)
    reports = materialize(shops.project, shops.lake, list(shops.project.views.values()), None, RUN)
    assert [report.commit.rows_copied for report in reports] == [0, 0]
    assert all(report.rows_restated == 0 for report in reports)
    events = _scans(spark, before, "silver/orders")
    assert any("GreaterThanOrEqual(ordered_at,2024-01-1" in scan for scan in events)
    assert _scans(spark, before, "gold/") == []  # no stored row is touched
    shops.orders("2024-01-23T00-00", "22,north,9.5,2024-01-21T10:00:00Z,2")  # a correction
    shops.load()
    before = _last_execution(spark)
    materialize(shops.project, shops.lake, list(shops.project.views.values()), None, RUN)
    assert any("GreaterThanOrEqual(feature_at,2024-01-22" in scan for scan in _scans(spark, before, "gold/"))


def test_builders_start_no_job(spark: SparkSession, shops: SmallLake) -> None:
    contract = shops.project.contracts["orders"]
    bronze = shops.lake.read("bronze", "orders")
    gold = shops.lake.read("gold", "sales")
    with counted(spark) as found:
        typed, row = build_typed_rows(bronze, contract), ", ".join([*contract.column_names, "_known_at"])
        versions = typed.selectExpr("*", "true AS _in_batch", "true AS _is_version", f"struct({row}) AS _old")
        build_standing_rows(versions, contract)
        build_difference(gold, gold, ["shop", "feature_at"])
    assert found.jobs == 0


def test_a_change_is_read_once_for_all_views(shops: SmallLake) -> None:
    tasks = [
        plan_view(shops.lake, view, shops.project.contracts[view.source], data_clock(shops.lake, view.source))
        for view in shops.project.views.values()
    ]
    behind = [task.__class__(**{**vars(task), "cursor": task.source_version - 1}) for task in tasks]
    with read_source_changes(shops.lake, behind) as frames:
        assert len(frames) == 1
        frame = next(iter(frames.values()))
        assert frame.storageLevel.useMemory
        assert frame.count() > 0
    assert not frame.storageLevel.useMemory


def test_files_are_parsed_by_two_tasks_at_once(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path)
    for part in range(2):
        lines = [f"{part * 100_000 + n},north,1.5,2024-01-01T10:00:00Z,1" for n in range(20_000)]
        small.orders("2024-01-02T00-00", *lines, name=f"part-{part}.csv")
    store, tracker = spark.sparkContext._jsc.sc().statusStore(), spark.sparkContext.statusTracker()
    convert = spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava
    draw = spark._jvm.org.apache.spark.ui.scope.RDDOperationGraph.makeDotFile
    before = {job.jobId() for job in convert(store.jobsList(None))}
    small.load()
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    jobs = [job for job in convert(store.jobsList(None)) if job.jobId() not in before]
    stages = {stage for job in jobs for stage in convert(job.stageIds())}
    # A skipped stage may have left the store already: it keeps a bounded number, and drops those without an end first.
    ran = [stage for stage in stages if (info := tracker.getStageInfo(stage)) and info.numCompletedTasks]
    (parsing,) = [stage for stage in ran if "MapInArrow" in draw(store.operationGraphForStage(stage))]
    tasks = convert(store.taskList(parsing, 0, 1000))
    assert [task.taskMetrics().get().outputMetrics().recordsWritten() for task in tasks] == [20_000, 20_000]
    first, second = sorted(tasks, key=lambda task: int(task.launchTime().getTime()))
    waited = second.launchTime().getTime() - first.launchTime().getTime()
    # One task after another overlaps by milliseconds too: Spark notes the end of a task after it has started the next.
    assert waited < first.duration().get() / 2


def test_a_second_writer_is_told_who_writes(spark: SparkSession, tmp_path: Path) -> None:
    energy = make_energy(tmp_path / "energy", days=0)
    small = make_lake(spark, tmp_path / "other")
    settings = small.project.settings.model_copy(update={"lake": str(energy.tables)})
    with hold_lease(SparkLock(spark), settings):
        for words in (["load"], ["load", "--wait", "1"]):
            done = subprocess.run(energy.command(*words), capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 3
            assert "is being written by" in done.stderr
            assert "pid" in done.stderr
