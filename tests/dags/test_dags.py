"""The DAGs as they are parsed: what they import, how long it takes, what every task promises."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import EXIT_CODE_FILE, ROOT, child_environment, load_settings, record_exit_code
from headwater.cli.main import run
from headwater.servers.airflow_home import airflow_environment, airflow_home, password, prepare_airflow
from pipelines.delta.tables import read_table
from pipelines.project.project import load_project
from tests.projects.energy_project import EnergyProject, make_energy
from training.registry.tracking import open_tracking
from training.registry.versions import find_versions

HEAVY = {"pyspark", "mlflow", "pandas", "numpy", "sklearn", "lightgbm", "delta", "headwater", "pipelines", "training"}
CHAINS = {
    "incremental_load": ["bronze", "silver", "gold", "score"],
    "retrain": ["clean_data", "decide", "train", "promote", "score"],
    "maintenance": ["maintain"],
}
SPARK_SUBMIT = """#!/bin/sh
for code; do :; done
[ "$code" = killed ] && kill -9 $$
printf "$code" > "$HEADWATER_EXIT_CODE_FILE"
exit "$code"
"""


def parse(folder: Path, home: Path) -> dict[str, Any]:
    """Parse the DAGs of a project. In place of spark-submit a script ends as its last argument says."""
    script = home / "spark-submit"
    home.mkdir(exist_ok=True)
    script.write_text(SPARK_SUBMIT, encoding="utf-8")
    script.chmod(0o755)
    environment = child_environment(
        AIRFLOW_HOME=str(home), HEADWATER_PROJECT=str(folder), HEADWATER_ENV="local", PYTHONPATH=str(ROOT),
        PATH=os.pathsep.join([str(home), os.environ["PATH"]]),
    )  # fmt: skip
    command = [sys.executable, "-m", "tests.dags.dag_facts"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> EnergyProject:
    return make_energy(tmp_path_factory.mktemp("dags") / "energy", days=0)


@pytest.fixture(scope="module")
def parsed(project: EnergyProject, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(project.folder, tmp_path_factory.mktemp("home"))


def test_parsing_is_quick_and_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    assert not HEAVY & set(parsed["imported"])
    assert parsed["seconds"] < 1


def test_every_dag_is_a_chain_of_its_tasks(parsed: dict[str, Any]) -> None:
    for dag_id, chain in CHAINS.items():
        tasks = parsed["dags"][dag_id]["tasks"]
        assert {task: facts["upstream"] for task, facts in tasks.items()} == {
            task: [chain[place - 1]] if place else [] for place, task in enumerate(chain)
        }


def test_every_task_promises_the_same(parsed: dict[str, Any]) -> None:
    assert set(parsed["dags"]) == set(CHAINS)
    for dag in parsed["dags"].values():
        assert (dag["max_active_runs"], dag["tags"]) == (1, ["headwater", "local"])
        assert dag["doc_md"]
        for task in dag["tasks"].values():
            assert task["is_spark_submit"]
            assert task["application"] == str(ROOT / "headwater" / "submit" / "job.py")
            assert (task["pool"], task["owner"]) == ("headwater_writer", "headwater")
            assert "there is no connection spark_default" in task["without_connection"]
            assert (task["retries"], task["is_backing_off"], task["timeout"]) == (2, True, 6 * 3600)
            assert task["has_callback"]
            assert not task["pushes_xcom"]
            assert all(isinstance(word, str) for word in task["words"])


def test_gold_alone_says_that_something_changed(parsed: dict[str, Any]) -> None:
    outlets = {
        (dag_id, task_id): task["outlets"]
        for dag_id, dag in parsed["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["outlets"]
    }
    assert outlets == {("incremental_load", "gold"): ["headwater://gold"]}
    load = parsed["dags"]["incremental_load"]
    assert load["timetable"] == "CronDataIntervalTimetable"
    assert load["tasks"]["score"]["trigger_rule"] == "none_failed"


def test_two_models_have_a_task_and_a_dag_each(project: EnergyProject, tmp_path: Path) -> None:
    shutil.copytree(project.folder, tmp_path / "two")
    models = tmp_path / "two" / "conf" / "models"
    shutil.copy(models / "usage.yml", models / "need.yml")
    dags = parse(tmp_path / "two", tmp_path / "home")["dags"]
    assert set(dags) == {"incremental_load", "maintenance", "retrain_need", "retrain_usage"}
    assert {"score_need", "score_usage"} <= set(dags["incremental_load"]["tasks"])


def test_the_exit_code_decides_how_a_task_ends(parsed: dict[str, Any]) -> None:
    assert {code: end.partition(":")[0] for code, end in parsed["ends"].items()} == {
        "0": "done", "1": "AirflowException", "2": "AirflowFailException", "99": "AirflowSkipException",
        "killed": "AirflowException",
    }  # fmt: skip


def test_an_exit_code_is_recorded_where_a_task_asks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(EXIT_CODE_FILE, raising=False)
    record_exit_code(2)
    monkeypatch.setenv(EXIT_CODE_FILE, str(tmp_path / "on-another-machine" / "exit-code"))
    record_exit_code(2)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(EXIT_CODE_FILE, str(tmp_path / "exit-code"))
    record_exit_code(99)
    assert (tmp_path / "exit-code").read_text(encoding="ascii") == "99"


RUN_DAG = """
import importlib, json, sys
from datetime import datetime
dag_id = sys.argv[1]
dag = getattr(importlib.import_module(f"dags.{dag_id}"), "dag")
run = dag.test(logical_date=datetime.fromisoformat(sys.argv[2]) if len(sys.argv) > 2 else None)
states = {task.task_id: [task.state, task.try_number] for task in run.get_task_instances()}
print("\\n" + json.dumps({"state": run.state, "tasks": states}))
"""


@pytest.fixture(scope="module")
def home(project: EnergyProject) -> dict[str, str]:
    """An Airflow home with its pool and connection, for ``dag.test()``."""
    settings = load_settings(project.folder, "local", {})
    environment = airflow_environment(settings)
    prepare_airflow(settings, environment)
    return environment | {"PYTHONPATH": str(ROOT), "HEADWATER__AIRFLOW__RETRIES": "0"}


def run_dag(environment: dict[str, str], dag_id: str, *logical_date: str) -> tuple[dict[str, Any], str]:
    """Run a DAG whole by ``dag.test()``; return its states, and all that was logged."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_DAG, dag_id, *logical_date],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_a_missing_connection_says_so(home: dict[str, str]) -> None:
    without = {name: value for name, value in home.items() if name != "AIRFLOW_CONN_SPARK_DEFAULT"}
    ended, log = run_dag(without, "maintenance")
    assert ended == {"state": "failed", "tasks": {"maintain": ["failed", 1]}}
    assert "there is no connection spark_default; make it: airflow connections add spark_default" in log
    assert "--master yarn" not in log


def test_maintenance_runs_and_its_report_ends_the_log(
    spark: SparkSession, project: EnergyProject, home: dict[str, str]
) -> None:
    ended, log = run_dag(home, "maintenance")
    assert ended == {"state": "success", "tasks": {"maintain": ["success", 1]}}
    assert "0 of 0 tables compacted" in log
    columns = ("job", "status", "outcome", "dag", "task", "try_number")
    (row,) = read_table(spark, str(project.tables / "ops" / "runs")).select(*columns).collect()
    assert tuple(row) == ("maintain", "DONE", "UNCHANGED", "maintenance", "maintain", 1)


@pytest.mark.long(minutes=2)
def test_a_task_with_nothing_to_do_starts_no_spark(spark: SparkSession, home: dict[str, str], tmp_path: Path) -> None:
    project = make_energy(tmp_path / "energy", days=5)
    events = tmp_path / "events"  # Spark writes a file here for each SparkContext
    events.mkdir()
    properties = {"spark.eventLog.enabled": True, "spark.eventLog.dir": events.as_uri()}
    for words in (["load"], ["materialize"], ["train", "usage"], ["score", "usage"]):
        assert run([*words, "--project", str(project.folder)]) == 0
    given = {"HEADWATER_PROJECT": str(project.folder), "HEADWATER__SPARK__PROPERTIES": json.dumps(properties)}
    ended, _ = run_dag(home | given, "incremental_load", "2024-03-01T00:00:00Z")
    states = {task: state for task, (state, _) in ended["tasks"].items()}
    assert states == {"bronze": "success", "silver": "success", "gold": "skipped", "score": "skipped"}
    ended, _ = run_dag(home | given, "retrain")
    assert {task: state for task, (state, _) in ended["tasks"].items() if task in ("clean_data", "decide")} == {
        "clean_data": "success", "decide": "skipped",
    }  # fmt: skip
    assert list(events.iterdir()) == []
    run_dag(home | given, "maintenance")
    assert len(list(events.iterdir())) == 1


def test_a_bad_newest_delivery_trains_nothing(spark: SparkSession, home: dict[str, str], tmp_path: Path) -> None:
    project = make_energy(tmp_path / "energy", days=0)
    bad = project.landing / "field" / "outages" / "2024-03-04" / "notes.csv"
    bad.parent.mkdir(parents=True)
    bad.write_text("town;began\nhill;never\n", encoding="utf-8")
    assert run(["load", "outages", "--project", str(project.folder)]) == 0
    ended, log = run_dag(home | {"HEADWATER_PROJECT": str(project.folder)}, "retrain")
    assert ended["state"] == "failed"
    states = {task: state for task, (state, _) in ended["tasks"].items()}
    assert states == {
        "clean_data": "failed", "decide": "upstream_failed", "train": "upstream_failed",
        "promote": "upstream_failed", "score": "upstream_failed",
    }  # fmt: skip
    assert "the newest delivery of outages was refused: field/outages/2024-03-04/notes.csv" in log
    assert "look further: headwater query" in log
    with sqlite3.connect(home["AIRFLOW_HOME"] + "/airflow.db") as store:
        assert store.execute("select coalesce(max(length(value)), 0) <= 1024 from xcom").fetchone() == (1,)
    declared = load_project(project.folder, "local")
    assert not find_versions(open_tracking(declared.settings, declared.model("usage")))


def test_a_wrong_configuration_is_not_tried_again(project: EnergyProject, home: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(project.folder / "conf", tmp_path / "conf")
    shutil.copytree(project.folder / "features", tmp_path / "features")
    (tmp_path / "conf" / "tables" / "slots.yml").write_text("key: 7\n", encoding="utf-8")
    wrong = home | {"HEADWATER_PROJECT": str(tmp_path), "HEADWATER__AIRFLOW__RETRIES": "2"}
    ended, log = run_dag(wrong, "maintenance")
    assert ended == {"state": "failed", "tasks": {"maintain": ["failed", 1]}}
    assert "wrong usage or configuration, no retry helps" in log
    assert "slots.yml" in log


def test_secrets_are_made_once_and_are_ours_alone(project: EnergyProject, home: dict[str, str]) -> None:
    settings = load_settings(project.folder, "local", {})
    assert airflow_environment(settings)["AIRFLOW__CORE__FERNET_KEY"] == home["AIRFLOW__CORE__FERNET_KEY"]
    for name in ("secrets.json", "passwords.json"):
        assert (airflow_home(settings) / name).stat().st_mode & 0o777 == 0o600
    assert password(settings) in (airflow_home(settings) / "passwords.json").read_text(encoding="utf-8")
