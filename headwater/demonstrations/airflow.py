"""The demonstrations under Airflow: three more days and a retraining; a cluster that loses a worker midway."""

import shutil
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from rich.console import Console

from conf.errors import HeadwaterError, UsageError
from conf.instants import format_instant
from headwater.cli.app import app
from headwater.cli.servers import announce, prepared
from headwater.demonstrations.feeds import delivery_time, land_days, land_history, next_days
from headwater.demonstrations.flights import begin_afresh, demo
from headwater.doctor import require_port
from headwater.lake_job import Options, reading
from headwater.output import print_table, stderr
from headwater.servers.airflow import airflow_home, running
from headwater.servers.airflow_api import FINAL, AirflowApi, DagRun, wait_for
from headwater.servers.cluster import Cluster, running_cluster
from headwater.servers.mlflow import serving
from pipelines.reading.query import build_query

stdout = Console(highlight=False, soft_wrap=True)
MORE_DAYS = 3
CLUSTER_DAYS = (date(2013, 10, 31), date(2013, 10, 1))
SPREAD = "select job, status, outcome, try_number, spread from ops.runs order by started_at"
POLL_SECONDS = 0.05
TASK_FINAL = ("success", "failed", "skipped", "upstream_failed", "removed")
START_SECONDS, RUN_SECONDS = 180.0, 1200.0


@app.command("airflow-demo")
def airflow_demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", envvar="KEEP", help="Leave Airflow up until Ctrl-C.")] = False,
) -> None:
    """Land three more days and watch Airflow load them, and the change of gold start a retraining.

    Runs `headwater demo` first where its lake is empty.

    Example: headwater --env demo airflow-demo
    """
    options: Options = context.obj
    if options.env != "demo":
        raise UsageError("the demonstration runs only in its own environment", "use --env demo")
    settings = options.load().settings
    require_port(settings.airflow, "airflow")
    shutil.rmtree(airflow_home(settings), ignore_errors=True)
    if not (Path(settings.lake) / "gold" / "late_arrival_scores").is_dir():
        demo(context)
    days = next_days(Path(settings.landing), MORE_DAYS)
    landed = land_days(Path(settings.landing), days)
    stderr.rule("[bold]three more days land", align="left")
    stderr.print(f"landed {len(landed.files)} files: {landed.description}")
    environment = prepared(settings, is_paused=False) | _one_interval(delivery_time(days[-1]))
    with serving(settings), running(settings, environment) as server:
        api = AirflowApi(settings)
        wait_for("Airflow to answer", api.is_up, START_SECONDS)
        announce(settings)
        is_good = _watch(api)
        if keep:
            stderr.print("left up: KEEP is set. Ctrl-C stops it.")
            try:
                server.wait()
            except KeyboardInterrupt:
                stderr.print("stopping")
    if not is_good:
        raise HeadwaterError("a DAG run did not end as it should", f"read the logs in {airflow_home(settings)}/logs")


@app.command("cluster-demo")
def cluster_demo(context: typer.Context) -> None:
    """Start a Spark master and two workers, let Airflow load a month of flights there, and lose a worker midway.

    Example: headwater --env cluster cluster-demo
    """
    options: Options = context.obj
    require_port(options.settings().airflow, "airflow")
    settings = begin_afresh(options, "cluster")
    landed = land_history(Path(settings.landing), *CLUSTER_DAYS)
    stderr.print(f"landed {len(landed.files)} files: {landed.description}")
    with running_cluster(settings) as cluster, serving(settings):
        stderr.print(
            f"Spark master at {settings.spark.master}, {len(cluster.workers)} workers; logs in {cluster.folder}"
        )
        environment = prepared(settings, is_paused=True) | _one_interval(delivery_time(CLUSTER_DAYS[0]))
        with running(settings, environment):
            api = AirflowApi(settings)
            wait_for("Airflow to answer", api.is_up, START_SECONDS)
            wait_for("the DAG to be parsed", lambda: api.has_dag("incremental_load"), START_SECONDS)
            announce(settings)
            api.unpause("incremental_load")
            silver = Path(settings.lake) / "silver" / "flights"
            lost = Thread(target=_lose_worker, args=(cluster, silver), daemon=True)
            lost.start()
            loaded = _follow(api, "incremental_load", lambda _, place: place == 0)
        with reading(options, "query") as work:
            rows = build_query(work.lake, SPREAD)
            print_table(rows.columns, [tuple(row) for row in rows.collect()])
    if loaded.state != "success" or lost.is_alive():
        raise HeadwaterError("the load did not end as it should", f"read the logs in {airflow_home(settings)}/logs")


def _lose_worker(cluster: Cluster, table: Path) -> None:
    """Kill the second worker as soon as silver writes its first file."""
    while not any(table.rglob("*.parquet")):
        time.sleep(POLL_SECONDS)
    cluster.kill_worker(1)
    stderr.print("silver is being written: killed the second worker and its executor")


def _one_interval(delivered_at: datetime) -> dict[str, str]:
    """Return the settings by which incremental_load is scheduled once: for the day that ends after a delivery."""
    began = format_instant(delivered_at + timedelta(minutes=30) - timedelta(days=1))
    settings = {"incremental_load": "30 11 * * *", "start_at": began, "end_at": began, "catchup": "true"}
    return {f"HEADWATER__AIRFLOW__{name.upper()}": value for name, value in settings.items()}


def _watch(api: AirflowApi) -> bool:
    """Follow the scheduled load, the retraining that its asset event starts, and one more started by hand."""
    stderr.rule("[bold]incremental_load runs by its schedule", align="left")
    loaded = _follow(api, "incremental_load", lambda _, place: place == 0)
    stderr.rule("[bold]gold changed: its asset event starts retrain", align="left")
    retrained = _follow(api, "retrain", lambda _, place: place == 0)
    stderr.rule("[bold]once more, by hand: nothing has changed since", align="left")
    again_id = api.trigger("retrain")
    again = _follow(api, "retrain", lambda run, _: run.run_id == again_id)
    states = {task.task_id: task.state for task in api.tasks(again)}
    return (loaded.state, retrained.state, again.state) == ("success",) * 3 and (
        retrained.run_type == "asset_triggered" and states["decide"] == "skipped" and states["train"] == "skipped"
    )


def _follow(api: AirflowApi, dag_id: str, is_it: Callable[[DagRun, int], bool]) -> DagRun:
    """Print a line for each task of a run as it ends, and return the run when it has ended."""
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
