"""How many Spark jobs and how many commits each kind of increment takes. ARCHITECTURE.md has the same table.

One delivery after the other comes into one lake, in a session with the properties of the profile ``small``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from conf.spark_profile import SMALL
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import Lake
from pipelines.gold.materialize import materialize
from pipelines.gold.plan import ViewPlan, plan_view
from pipelines.gold.still_view import is_still
from pipelines.ledger.data_clock import data_clock
from tests.pipelines.spark_counters import counted
from tests.projects.small_lake import RUN, SmallLake, make_lake

DEFINITIONS = """
from features import Aggregation, Entity, FeatureView

shop = Entity("shop", ["shop"])
sales = FeatureView("sales", shop, "orders", [Aggregation("amount_eur", "sum", ["1d", "3d"])], hop="1d")
"""
AT = "T10:00:00Z"
FIRST = [("2024-01-02T00-00", f"1,north,1.5,2024-01-01{AT},1")]
ONE_DAY_MORE = [("2024-01-03T00-00", f"2,north,1.5,2024-01-02{AT},1")]
TWO_LATER_THAT_DAY = [("2024-01-03T05-00", "3,south,2.5,2024-01-03T01:00:00Z,1")]
SAME_CONTENT_AGAIN = [("2024-01-03T06-00", f"1,north,1.5,2024-01-01{AT},1")]
A_CORRECTION = [("2024-01-04T00-00", f"1,north,9.5,2024-01-01{AT},2")]
A_BROKEN_ROW = [("2024-01-05T00-00", f"x,north,1.5,2024-01-04{AT},1")]


@dataclass(frozen=True)
class Work:
    """What one job did: the Spark jobs that it started, and the commits of each table that it changed."""

    jobs: int
    commits: dict[str, int]


def watch(small: SmallLake, job: Callable[[], object]) -> Work:
    before = small.versions()
    with counted(small.lake.spark) as found:
        job()
    after = small.versions()
    return Work(found.jobs, {table: after[table] - before[table] for table in after if after[table] > before[table]})


@pytest.fixture(scope="module")
def small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """An empty lake, and a session with the properties of the profile."""
    session = spark.newSession()
    for name, value in {**SMALL.properties, "spark.sql.shuffle.partitions": str(SMALL.shuffle_partitions)}.items():
        session.conf.set(name, value)
    made = make_lake(spark, tmp_path_factory.mktemp("least"), DEFINITIONS)
    return SmallLake(made.project, Lake(made.project.settings, session))


@pytest.fixture(scope="module")
def works(small: SmallLake) -> dict[str, Work]:
    """What each load and each materialization did, by what had landed."""
    views, works = list(small.project.views.values()), {}
    for what, files in {
        "first": FIRST, "one day more": ONE_DAY_MORE, "later that day": TWO_LATER_THAT_DAY,
        "same content again": SAME_CONTENT_AGAIN, "a correction": A_CORRECTION, "a broken row": A_BROKEN_ROW,
        "nothing": [],
    }.items():  # fmt: skip
        for delivered, *rows in files:
            small.orders(delivered, *rows)
        works[f"load, {what}"] = watch(small, small.load)
        works[f"materialize, {what}"] = watch(small, lambda: materialize(small.project, small.lake, views, None, RUN))
    return works


LOADED = {"bronze.orders": 1, "silver.orders": 1, "ops.files": 1}


@pytest.mark.parametrize(
    ("what", "jobs", "commits"),
    [
        ("load, first", 9, {"bronze.orders": 2, "silver.orders": 2, "ops.files": 1}),
        ("materialize, first", 9, {"gold.sales": 2}),
        ("load, one day more", 9, LOADED),
        ("materialize, one day more", 7, {"gold.sales": 1}),
        ("load, later that day", 9, LOADED),
        ("materialize, later that day", 0, {"gold.sales": 1}),  # no grid point became available: ADVANCED
        ("load, same content again", 0, {"ops.files": 1}),
        ("materialize, same content again", 0, {"gold.sales": 1}),
        ("load, a correction", 18, LOADED),
        ("materialize, a correction", 23, {"gold.sales": 1}),
        ("load, a broken row", 10, {**LOADED, "quarantine.orders": 2}),
        ("load, nothing", 0, {}),
        ("materialize, nothing", 0, {}),
    ],
)
def test_an_increment_takes_so_many_jobs_and_commits(
    works: dict[str, Work], what: str, jobs: int, commits: dict[str, int]
) -> None:
    assert works[what] == Work(jobs, commits)


def test_what_was_written_so_is_what_a_full_run_writes(small: SmallLake, works: dict[str, Work]) -> None:
    views = list(small.project.views.values())
    (report,) = materialize(small.project, small.lake, views, None, RUN, is_full=True)
    assert report.commit.outcome is Outcome.UNCHANGED
    assert small.rows("silver", "orders", "id", "amount_eur") == [(1, 9.5), (2, 1.5), (3, 2.5)]
    assert [operation(small, "silver", "orders", back) for back in range(2)] == ["WRITE", "MERGE"]


def operation(small: SmallLake, layer: str, name: str, back: int) -> str:
    """Return by what a table's newest version but ``back`` was written."""
    return str(list(small.lake.commits(layer, name))[back]["operation"])


def test_what_the_change_feed_does_not_tell_is_left_to_spark(small: SmallLake, works: dict[str, Work]) -> None:
    (view,) = small.project.views.values()

    def plan() -> ViewPlan:
        contract = small.project.contracts["orders"]
        return plan_view(small.lake, view, contract, data_clock(small.lake, "orders"))

    small.orders("2024-01-05T05-00", "9,north,1.0,2024-01-05T01:00:00Z,1")  # it counts from 6 January
    small.load()
    assert is_still(small.lake, plan())
    DeltaTable.forPath(small.lake.spark, small.lake.path("silver", "orders")).delete("id = 9")
    assert not is_still(small.lake, plan())
