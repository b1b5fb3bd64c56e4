"""DAG runs of a demonstration, followed over Airflow's REST API, with a line for each task as it ends."""

from collections.abc import Callable
from datetime import datetime, timedelta

from rich.console import Console

from conf.instants import format_instant
from headwater.servers.airflow_api import FINAL, AirflowApi, DagRun
from headwater.servers.wait_for import wait_for

stdout = Console(highlight=False, soft_wrap=True)
TASK_FINAL = ("success", "failed", "skipped", "upstream_failed", "removed")
START_SECONDS, RUN_SECONDS = 180.0, 1200.0


def one_interval(delivered_at: datetime) -> dict[str, str]:
    """Return the settings, as environment variables, by which incremental_load is scheduled exactly once.

    Its one interval is the day that ends half an hour after a delivery.
    """
    began = format_instant(delivered_at + timedelta(minutes=30) - timedelta(days=1))
    settings = {"incremental_load": "30 11 * * *", "start_at": began, "end_at": began, "catchup": "true"}
    return {f"HEADWATER__AIRFLOW__{name.upper()}": value for name, value in settings.items()}


def follow_run(api: AirflowApi, dag_id: str, is_it: Callable[[DagRun, int], bool]) -> DagRun:
    """Print a line for each task of a run as it ends, and return the run when it has ended.

    Parameters
    ----------
    is_it : tells of a run and its place among the DAG's runs whether it is the one to follow
    """
    shown: set[str] = set()

    def find() -> DagRun | None:
        runs = api.runs(dag_id) if api.has_dag(dag_id) else []
        run = next((run for place, run in enumerate(runs) if is_it(run, place)), None)
        for task in api.tasks(run) if run else []:
            if task.state in TASK_FINAL and task.task_id not in shown:
                shown.add(task.task_id)
                seconds = "" if task.seconds is None else f"{task.seconds:6.1f} s"
                stdout.print(f"{dag_id:<17} {task.task_id:<11} {task.state:<15} try {task.try_number} {seconds}")
        return run if run and run.state in FINAL else None

    run = wait_for(f"a run of {dag_id} to end", find, RUN_SECONDS)
    stdout.print(f"{dag_id} / {run.run_id}: {run.state} ({run.run_type})")
    return run


def is_first(_: DagRun, place: int) -> bool:
    """Tell whether a run is the first of its DAG."""
    return place == 0
