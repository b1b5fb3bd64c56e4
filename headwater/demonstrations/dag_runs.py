"""Follows the DAG runs of a demonstration over Airflow's REST API, and prints a line for each task as it ends."""

from datetime import datetime, timedelta

from rich.console import Console

from conf.instants import format_instant
from headwater.servers.airflow_api import FINAL, AirflowApi, DagRun
from headwater.servers.wait_for import wait_for

stdout = Console(highlight=False, soft_wrap=True)
TASK_FINAL = ("success", "failed", "skipped", "upstream_failed", "removed")
START_SECONDS, RUN_SECONDS = 180.0, 1200.0


def one_interval(delivered_at: datetime) -> dict[str, str]:
    """Return the environment variables that let Airflow schedule incremental_load exactly once.

    Its one interval is the day that ends half an hour after a delivery.
    """
    start_at = format_instant(delivered_at + timedelta(minutes=30) - timedelta(days=1))
    settings = {"incremental_load": "30 11 * * *", "start_at": start_at, "end_at": start_at, "catchup": "true"}
    return {f"HEADWATER__AIRFLOW__{name.upper()}": value for name, value in settings.items()}


def follow_run(api: AirflowApi, dag_id: str, run_id: str | None = None) -> DagRun:
    """Print a line for each task of a run as it ends, and return the run when it has ended.

    Without ``run_id``, follow the first run of the DAG, and wait for it if there is none yet.
    """
    shown: set[str] = set()

    def find_ended() -> DagRun | None:
        runs = api.runs(dag_id) if api.has_dag(dag_id) else []
        run = next((run for run in runs if run_id in (None, run.run_id)), None)
        for task in api.tasks(run) if run else []:
            if task.state in TASK_FINAL and task.task_id not in shown:
                shown.add(task.task_id)
                seconds = "" if task.seconds is None else f"{task.seconds:6.1f} s"
                stdout.print(f"{dag_id:<17} {task.task_id:<11} {task.state:<15} try {task.try_number} {seconds}")
        return run if run and run.state in FINAL else None

    run = wait_for(f"a run of {dag_id} to end", find_ended, RUN_SECONDS)
    stdout.print(f"{dag_id} / {run.run_id}: {run.state} ({run.run_type})")
    return run
