"""The DAGs under a real scheduler: what is killed is retried alone, what overlaps ends as if it came in order."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from headwater.airflow_api import wait_for
from headwater.cli import run
from pipelines.log import table_version
from tests.airflow_sandbox import RUN_SECONDS, Sandbox, airflow_on, kill_when
from tests.energy_project import EnergyProject, contents, make_energy

pytestmark = pytest.mark.long
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


def test_a_killed_jvm_is_one_more_try_of_its_task_alone(
    spark: SparkSession, in_order: dict[int, dict[str, list[str]]], airflow: Sandbox
) -> None:
    tables = airflow.project.tables
    victim = airflow.driver("load", "--only=silver")
    bronze = {path.name: table_version(spark, str(path)) for path in (tables / "bronze").iterdir()}
    python = [child for child in victim.children(recursive=True) if "job.py" in " ".join(child.cmdline())]
    kill_when(tables / "silver" / "readings", "*.parquet", victim)
    psutil.wait_procs(python, timeout=5)
    assert not any(process.is_running() for process in python), "the driver outlived its JVM"
    loaded = airflow.ended("incremental_load")
    assert (loaded.state, loaded.run_type) == ("success", "scheduled")
    states = airflow.states(loaded)
    assert states.pop("silver") == ("success", 2)
    # There is no champion yet, so there is nothing to score; and nothing is trained before it was tried.
    assert states == {"bronze": DONE, "gold": DONE, "score": ("skipped", 1)}
    assert {path.name: table_version(spark, str(path)) for path in (tables / "bronze").iterdir()} == bronze
    assert final(spark, airflow.project) == in_order[5]


def test_the_change_of_gold_starts_a_retraining(airflow: Sandbox) -> None:
    retrained = airflow.ended("retrain")
    assert (retrained.state, retrained.run_type) == ("success", "asset_triggered")
    assert airflow.states(retrained) == dict.fromkeys(("clean_data", "decide", "train", "promote", "score"), DONE)
    found = airflow.project.json("trace", "usage", "1")
    assert found["is_champion"]
    assert found["facts"]["airflow.run"] == f"retrain/{retrained.run_id}"
    assert "PROMOTED" in airflow.log(retrained, "promote", 1)
    assert airflow.longest_xcom() <= 1024


def test_a_bad_newest_delivery_trains_nothing(airflow: Sandbox) -> None:
    project = airflow.project
    bad = project.landing / "field" / "outages" / "2024-03-04" / "notes.csv"
    bad.parent.mkdir(parents=True)
    bad.write_text("town;began\nhill;never\n", encoding="utf-8")
    project.run("load")
    refused = airflow.ended("retrain", airflow.api.trigger("retrain"))
    assert refused.state == "failed"
    states = airflow.states(refused)
    assert states["clean_data"] == ("failed", 2)
    assert {state for task, (state, _) in states.items() if task != "clean_data"} == {"upstream_failed"}
    assert "the newest delivery of outages was refused" in airflow.log(refused, "clean_data", 2)
    assert "look further: headwater query" in airflow.log(refused, "clean_data", 2)
    assert "has no version 2" in project.run("trace", "usage", "2", code=2).stderr
    bad.unlink()


def test_whatever_is_killed_the_tables_are_the_same(
    spark: SparkSession, in_order: dict[int, dict[str, list[str]]], airflow: Sandbox
) -> None:
    """Python in bronze, the whole group in silver, the supervisor in gold; started by hand, without a logical date."""
    project = airflow.project
    project.land(6)
    run_id = airflow.api.trigger("incremental_load")
    jvm = airflow.driver("load", "--only=bronze")
    driver = wait_for("the driver", lambda: next(iter(_drivers(jvm)), None), RUN_SECONDS)
    driver.kill()
    for process in [jvm := airflow.driver("load", "--only=silver"), *jvm.children(recursive=True)]:
        process.kill()
    jvm = airflow.driver("materialize")
    driver = wait_for("the driver", lambda: next(iter(_drivers(jvm)), None), RUN_SECONDS)
    supervisor = jvm.parents()[1]
    supervisor.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs([jvm, driver], timeout=10)
    assert len(gone) == 2, f"{alive} outlived the supervisor"
    loaded = airflow.ended("incremental_load", run_id)
    assert loaded.state == "success"
    states = airflow.states(loaded)
    assert {task: number for task, (_, number) in states.items()} == {"bronze": 2, "silver": 2, "gold": 2, "score": 1}
    assert final(spark, project) == in_order[6]


def _drivers(jvm: psutil.Process) -> list[psutil.Process]:
    try:
        return [child for child in jvm.children() if "job.py" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def test_scheduled_backfill_and_manual_at_once_end_as_in_order(
    spark: SparkSession, tmp_path: Path, in_order: dict[int, dict[str, list[str]]]
) -> None:
    project = make_energy(tmp_path / "energy", days=5)
    with airflow_on(project, DAY, DAY, ("incremental_load",)) as sandbox:
        sandbox.airflow(
            "backfill", "create", "--dag-id", "incremental_load",
            "--from-date", "2024-02-29T00:30:00+00:00", "--to-date", "2024-02-29T00:30:00+00:00",
        )  # fmt: skip
        sandbox.api.trigger("incremental_load")
        wait_for("all three to be made", lambda: len(sandbox.api.runs("incremental_load")) == 3, RUN_SECONDS)
        runs = [sandbox.ended("incremental_load", run.run_id) for run in sandbox.api.runs("incremental_load")]
        assert {run.state for run in runs} == {"success"}
        assert sorted(run.run_type for run in runs) == ["backfill", "manual", "scheduled"]
        assert all(number == 1 for run in runs for _, number in sandbox.states(run).values())
        for table in ("readings", "outages", "slots"):
            assert table_version(spark, str(project.tables / "silver" / table)) == 1, "loaded twice"
    assert final(spark, project) == in_order[5]
