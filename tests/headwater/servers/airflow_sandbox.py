"""A real Airflow for one test's project: its own home and port, the product's own way of starting and stopping it."""

import signal
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from conf.settings import Settings, load_settings
from headwater.servers.airflow import processes_of, running_airflow
from headwater.servers.airflow_api import FINAL, AirflowApi, DagRun
from headwater.servers.airflow_home import airflow_environment, airflow_home, prepare_airflow
from headwater.servers.wait_for import wait_for
from tests.projects.energy_project import EnergyProject

RUN_SECONDS = 600.0
QUICK = {
    "HEADWATER__AIRFLOW__RETRY_DELAY": "1s",
    "HEADWATER__AIRFLOW__RETRIES": "1",
    "HEADWATER__AIRFLOW__RETRAIN": "null",
    "HEADWATER__AIRFLOW__MAINTENANCE": "null",
    "HEADWATER__AIRFLOW__CATCHUP": "true",
    # The default is five minutes; a task whose supervisor was killed is given up sooner here.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
}


@dataclass(frozen=True)
class Sandbox:
    """One Airflow at work on a project."""

    project: EnergyProject
    settings: Settings
    environment: dict[str, str]
    api: AirflowApi

    @property
    def home(self) -> Path:
        return airflow_home(self.settings)

    def ended(self, dag_id: str, run_id: str | None = None) -> DagRun:
        """Wait until a run has ended, by default the newest of the DAG, and return it."""

        def find() -> DagRun | None:
            runs = [run for run in self.api.runs(dag_id) if run_id in (None, run.run_id)]
            return runs[-1] if runs and runs[-1].state in FINAL else None

        return wait_for(f"{dag_id} to end", find, RUN_SECONDS)

    def states(self, run: DagRun) -> dict[str, tuple[str | None, int]]:
        """Return state and try of each task of a run."""
        return {task.task_id: (task.state, task.try_number) for task in self.api.tasks(run)}

    def driver(self, *words: str) -> psutil.Process:
        """Wait for the JVM of the task that runs these words, and return it."""

        def find() -> psutil.Process | None:
            for process in processes_of(self.home):
                try:
                    line = process.cmdline()
                except psutil.Error:
                    continue
                if "org.apache.spark.deploy.SparkSubmit" in line and set(words) <= set(line):
                    return process
            return None

        return wait_for(f"the JVM of {words}", find, RUN_SECONDS)

    def longest_xcom(self) -> int:
        """Return the length of the longest value that went through Airflow."""
        with sqlite3.connect(self.home / "airflow.db") as store:
            return int(store.execute("select coalesce(max(length(value)), 0) from xcom").fetchone()[0])

    def log(self, run: DagRun, task_id: str, number: int) -> str:
        """Return what a try of a task logged."""
        folder = self.home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={task_id}"
        return (folder / f"attempt={number}.log").read_text(encoding="utf-8")


@contextmanager
def airflow_on(project: EnergyProject, first: str, last: str, dags: Sequence[str]) -> Iterator[Sandbox]:
    """Run Airflow on a project with these DAGs on; scheduled intervals of incremental_load begin in [first, last]."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    overrides = {
        **QUICK,
        "HEADWATER__AIRFLOW__PORT": str(port),
        "HEADWATER__AIRFLOW__START_AT": first,
        "HEADWATER__AIRFLOW__END_AT": last,
        "HEADWATER__AIRFLOW__INCREMENTAL_LOAD": "30 0 * * *",
    }
    settings = load_settings(project.folder, "local", overrides)
    environment = airflow_environment(settings, is_paused=True) | overrides
    prepare_airflow(settings, environment)
    with running_airflow(settings, environment):
        api = AirflowApi(settings)
        wait_for("Airflow to answer", api.is_up, 180)
        for dag_id in dags:
            wait_for(f"{dag_id} to be parsed", partial(api.has_dag, dag_id), 60)
            api.unpause(dag_id)
        yield Sandbox(project, settings, environment, api)
    assert not processes_of(airflow_home(settings))


def kill_when(path: Path, pattern: str, victim: psutil.Process) -> None:
    """Kill a process as soon as a file of that pattern appears below a folder; it must not have ended before."""
    wait_for_file(path, pattern, victim)
    victim.send_signal(signal.SIGKILL)


def wait_for_file(path: Path, pattern: str, victim: psutil.Process) -> None:
    """Wait until a file of that pattern appears below a folder; the process must not have ended before."""
    deadline = time.monotonic() + 300
    while not any(path.rglob(pattern)):
        assert victim.is_running(), f"{pattern}: the task ended before it appeared"
        assert time.monotonic() < deadline, f"{pattern}: did not appear"
        time.sleep(0.002)
