"""The same DAG on a Spark cluster: conf/ alone says so, and a worker that is lost midway changes nothing."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import psutil
import pytest
from pyspark.sql import SparkSession

from conf.settings import ROOT, load_settings
from headwater.cli.main import run
from headwater.servers.airflow_home import airflow_environment, prepare_airflow
from headwater.servers.cluster import Cluster, running_cluster
from tests.headwater.servers.airflow_sandbox import wait_for_file
from tests.projects.energy_project import EnergyProject, contents, make_energy

pytestmark = pytest.mark.long(minutes=4)
LAYERS = ("bronze", "silver", "quarantine", "gold")
RUN_DAG = """
from dags.incremental_load import dag
run = dag.test()
print("\\n" + " ".join([run.state, *sorted(f"{t.task_id}:{t.state}" for t in run.get_task_instances())]))
"""


def test_a_lost_worker_changes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    project = make_energy(tmp_path / "energy", days=4)
    shutil.copy(ROOT / "conf" / "cluster.yml", project.folder / "conf" / "cluster.yml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{probe.getsockname()[1]}"
    overrides = {"HEADWATER__SPARK__MASTER": master, "HEADWATER__AIRFLOW__RETRIES": "0"}
    settings = load_settings(project.folder, "cluster", overrides)
    shutil.move(project.landing, settings.landing)
    environment = airflow_environment(settings) | overrides | {"PYTHONPATH": str(ROOT)}
    prepare_airflow(settings, environment)
    with running_cluster(settings) as cluster:
        worker = psutil.Process(cluster.workers[1].pid)
        silver = Path(settings.lake) / "silver" / "readings"
        killer = Thread(target=_lose, args=(cluster, worker, silver), daemon=True)
        killer.start()
        done = subprocess.run(
            [sys.executable, "-c", RUN_DAG],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
    assert not killer.is_alive()
    assert not worker.is_running()
    log = done.stdout + done.stderr
    ended = "success bronze:success gold:success score:skipped silver:success"
    assert done.stdout.splitlines()[-1] == ended, log
    # Bronze had both executors, silver lost one, and the report says so.
    assert re.search(r"over 2 executors \(\d on 127.0.0.1:\d+: [1-9]\d* tasks.*: [1-9]\d* tasks.*\); skew \d", log), log
    assert "(lost)" in log
    calm = make_energy(tmp_path / "calm", days=4)
    for words in (("load",), ("materialize",)):
        assert run([*words, "--project", str(calm.folder)]) == 0
    moved = EnergyProject(project.folder)
    shutil.move(settings.lake, moved.tables)
    assert contents(spark, moved, LAYERS) == contents(spark, calm, LAYERS)


def _lose(cluster: Cluster, worker: psutil.Process, table: Path) -> None:
    """Kill the second worker and its executor as soon as a table's first file is there."""
    wait_for_file(table, "*.parquet", worker)
    cluster.kill_worker(1)
