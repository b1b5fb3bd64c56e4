"""The DAGs under a real scheduler: what is killed is retried alone, what overlaps ends as if it came in order."""

from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from pyspark.sql import SparkSession

from headwater.cli.main import run
from headwater.servers.airflow_home import run_airflow
from headwater.servers.wait_for import wait_for
from pipelines.delta.log import table_version
from tests.headwater.servers.airflow_sandbox import RUN_SECONDS, Sandbox, airflow_on, kill_when
from tests.projects.energy_project import EnergyProject, contents, make_energy

pytestmark = pytest.mark.long(minutes=9)
LAYERS = ("bronze", "silver", "quarantine", "gold")
DONE = ("success", 1)
DAY = "2024-03-01T00:30:00Z"


def final(spark: SparkSession, project: EnergyProject) -> dict[str, list[str]]:
    """Return the tables, gold completed through one and the same instant, without scores."""
    assert run(["materialize", "--through", "2024-03-05", "--wait", "600", "--project", str(project.folder)]) == 0
    return {name: rows for name, rows in contents(spark, project, LAYERS).items() if not name.endswith("_scores")}


@pytest.fixture(scope="module")
def in_order(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, list[str]]]:
    """The tables of five and of six days of files, loaded in this process, undisturbed."""
    project = make_energy(tmp_path_factory.mktemp("calm") / "energy", days=5)
    tables = {}
    for days in (5, 6):
        project.land(days)
        assert run(["load", "--project", str(project.folder)]) == 0
        tables[days] = final(spark, project)
    return tables


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One scheduled interval, 2024-03-01T00:30 to the next day, over five days of files."""
    project = make_energy(tmp_path_factory.mktemp("scheduler") / "energy", days=5)
    with airflow_on(project, DAY, DAY, ("retrain", "incremental_load")) as sandbox:
        yield sandbox


def test_a_killed_jvm_is_one_more_try_of_its_task_alone_whatever_overlaps(
    spark: SparkSession, in_order: dict[int, dict[str, list[str]]], airflow: Sandbox
) -> None:
    """The JVM of the scheduled run's silver is killed; a backfill and a run by hand join before it is tried again."""
    tables = airflow.project.tables
    victim = airflow.driver("load", "--only=silver")
    bronze = {path.name: table_version(str(path)) for path in (tables / "bronze").iterdir()}
    driver = _driver(victim)
    kill_when(tables / "silver" / "readings", "*.parquet", victim)
    _, alive = psutil.wait_procs([driver], timeout=5)
    assert not alive, "the driver outlived its JVM"
    day = "2024-02-29T00:30:00+00:00"
    run_airflow(
        airflow.environment, "backfill", "create", "--dag-id", "incremental_load", "--from-date", day, "--to-date", day
    )
    airflow.api.trigger("incremental_load")
    wait_for("all three to be made", lambda: len(airflow.api.runs("incremental_load")) == 3, RUN_SECONDS)
    runs = {run.run_type: run for run in airflow.api.runs("incremental_load")}
    states = {kind: airflow.states(airflow.ended("incremental_load", run.run_id)) for kind, run in runs.items()}
    assert states["scheduled"]["silver"] == ("success", 2)
    tries = {(kind, task): number for kind, tasks in states.items() for task, (_, number) in tasks.items()}
    assert {place for place, number in tries.items() if number != 1} == {("scheduled", "silver")}
    assert {(tasks["bronze"][0], tasks["silver"][0]) for tasks in states.values()} == {("success", "success")}
    # Whichever of the three came first changed gold.
    assert sorted(str(tasks["gold"][0]) for tasks in states.values()) == ["skipped", "skipped", "success"]
    assert {path.name: table_version(str(path)) for path in (tables / "bronze").iterdir()} == bronze
    for table in ("readings", "outages", "slots"):
        assert table_version(str(tables / "silver" / table)) == 1, "loaded twice"
    assert final(spark, airflow.project) == in_order[5]


def test_the_change_of_gold_starts_a_retraining(airflow: Sandbox) -> None:
    retrained = airflow.ended("retrain")
    assert (retrained.state, retrained.run_type) == ("success", "asset_triggered")
    states = airflow.states(retrained)
    assert states.pop("score")[1] == 1
    assert states == dict.fromkeys(("clean_data", "decide", "train", "promote"), DONE)
    assert len(airflow.api.runs("retrain")) == 1, "an event without a change"
    found = airflow.project.json("trace", "usage", "1")
    assert found["is_champion"]
    assert found["facts"]["airflow.run"] == f"retrain/{retrained.run_id}"
    assert "PROMOTED" in airflow.log(retrained, "promote", 1)
    assert airflow.longest_xcom() <= 1024


def test_whatever_is_killed_the_tables_are_the_same(
    spark: SparkSession, in_order: dict[int, dict[str, list[str]]], airflow: Sandbox
) -> None:
    """Python in bronze, the whole group in silver, the supervisor in gold; started by hand, without a logical date."""
    project = airflow.project
    project.land(6)
    run_id = airflow.api.trigger("incremental_load")
    jvm = airflow.driver("load", "--only=bronze")
    _driver(jvm).kill()
    jvm = airflow.driver("load", "--only=silver")
    _driver(jvm)
    for process in [jvm, *jvm.children(recursive=True)]:
        process.kill()
    jvm = airflow.driver("materialize")
    driver = _driver(jvm)
    jvm.parents()[1].kill()  # above the JVM stands the task's process, above that its supervisor
    _, alive = psutil.wait_procs([jvm, driver], timeout=10)
    assert not alive, "outlived the supervisor"
    loaded = airflow.ended("incremental_load", run_id)
    assert loaded.state == "success"
    states = airflow.states(loaded)
    assert {task: number for task, (_, number) in states.items()} == {"bronze": 2, "silver": 2, "gold": 2, "score": 1}
    assert final(spark, project) == in_order[6]


def _driver(jvm: psutil.Process) -> psutil.Process:
    """Wait for the Python process that a spark-submit drives, and return it."""

    def find() -> psutil.Process | None:
        for child in jvm.children():
            with suppress(psutil.Error):  # a short-lived child of the JVM may be gone by now
                if "job.py" in " ".join(child.cmdline()):
                    return child
        return None

    return wait_for("the driver", find, RUN_SECONDS)
