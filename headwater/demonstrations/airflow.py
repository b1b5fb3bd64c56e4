"""``headwater airflow-demo``: three more days land, Airflow loads them and, because gold changed, retrains."""

import shutil
from pathlib import Path

from conf.errors import HeadwaterError, UsageError
from headwater.demonstrations.dag_runs import START_SECONDS, follow_run, one_interval
from headwater.demonstrations.feeds import delivery_time, land_days, next_days
from headwater.demonstrations.flights import run_demo
from headwater.options import Options
from headwater.output import stderr
from headwater.servers.airflow import announce_airflow, make_airflow, running_airflow
from headwater.servers.airflow_api import AirflowApi
from headwater.servers.airflow_home import airflow_home
from headwater.servers.in_use import mark_in_use
from headwater.servers.ports import require_port
from headwater.servers.wait_for import wait_for

MORE_DAYS = 3


def run_airflow_demo(options: Options, is_kept_up: bool) -> None:
    """Run the demonstration in the environment ``demo``. If `headwater demo` has not run there yet, it runs first."""
    if options.env != "demo":
        raise UsageError("the demonstration runs only in its own environment", "use --env demo")
    settings = options.load().settings
    require_port(settings.airflow, "airflow")
    shutil.rmtree(airflow_home(settings), ignore_errors=True)
    if not (Path(settings.lake) / "gold" / "late_arrival_scores").is_dir():
        run_demo(options)
    days = next_days(Path(settings.landing), MORE_DAYS)
    landed = land_days(Path(settings.landing), days)
    stderr.rule("[bold]three more days land", align="left")
    stderr.print(f"landed {len(landed.files)} files: {landed.description}", soft_wrap=True)
    environment = make_airflow(settings, is_paused=False) | one_interval(delivery_time(days[-1]))
    with mark_in_use(settings), running_airflow(settings, environment) as server:
        api = AirflowApi(settings)
        wait_for("Airflow to answer", api.is_up, START_SECONDS)
        announce_airflow(settings)
        is_good = _watch(api)
        if is_kept_up:
            stderr.print("left up: KEEP is set. Ctrl-C stops it.")
            try:
                server.wait()
            except KeyboardInterrupt:
                stderr.print("stopping")
    if not is_good:
        raise HeadwaterError("a DAG run did not end as it should", f"read the logs in {airflow_home(settings)}/logs")


def _watch(api: AirflowApi) -> bool:
    """Follow the scheduled load, the retraining that gold's asset event starts, and a retraining started by hand.

    Returns whether all three succeeded, and the last one skipped its tasks because nothing had changed.
    """
    stderr.rule("[bold]incremental_load runs by its schedule", align="left")
    loaded = follow_run(api, "incremental_load")
    stderr.rule("[bold]gold changed: its asset event starts retrain", align="left")
    retrained = follow_run(api, "retrain")
    stderr.rule("[bold]once more, by hand: nothing has changed since", align="left")
    by_hand = follow_run(api, "retrain", api.trigger("retrain"))
    states = {task.task_id: task.state for task in api.tasks(by_hand)}
    return (loaded.state, retrained.state, by_hand.state) == ("success",) * 3 and (
        retrained.run_type == "asset_triggered" and states["decide"] == "skipped" and states["train"] == "skipped"
    )
