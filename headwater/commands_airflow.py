"""The commands that run Airflow on this machine: airflow, and the demonstration airflow-demo."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from conf.errors import HeadwaterError, UsageError
from conf.settings import Settings
from headwater.airflow_api import FINAL, AirflowApi, DagRun, wait_for
from headwater.airflow_home import USER, airflow_environment, airflow_home, password, prepare, running
from headwater.app import app
from headwater.demo import demo
from headwater.doctor import require_port
from headwater.feeds import land_days
from headwater.output import print_table, stderr
from headwater.serve import serving
from headwater.work import Options

DAGS = ("incremental_load", "retrain", "maintenance")
MORE_DAYS = (date(2013, 11, 8), date(2013, 11, 9), date(2013, 11, 10))
START_SECONDS, RUN_SECONDS = 180.0, 1200.0


@app.command()
def airflow(context: typer.Context) -> None:
    """Run Airflow on loopback with the project's DAGs; Ctrl-C stops it and leaves no process.

    Example: headwater --env local airflow
    """
    settings = context.obj.load().settings
    environment = _prepared(settings, is_paused=True)
    with serving(settings), running(settings, environment) as server:
        _announce(settings)
        stderr.print("The DAGs begin paused: switch them on in the UI. Ctrl-C stops it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            stderr.print("stopping")
            return
        raise HeadwaterError("Airflow ended by itself", f"read {airflow_home(settings) / 'standalone.log'}")


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
    if not (Path(settings.lake) / "gold" / "late_arrival_scores").is_dir():
        demo(context)
    landed = land_days(Path(settings.landing), MORE_DAYS)
    stderr.rule("[bold]three more days land", align="left")
    stderr.print(f"landed {len(landed.files)} files: {landed.description}")
    with serving(settings), running(settings, _prepared(settings, is_paused=False)) as server:
        api = AirflowApi(settings)
        wait_for("Airflow to answer", api.is_up, START_SECONDS)
        _announce(settings)
        is_good = _watch(api)
        if keep:
            stderr.print("left up: KEEP is set. Ctrl-C stops it.")
            try:
                server.wait()
            except KeyboardInterrupt:
                stderr.print("stopping")
    if not is_good:
        raise HeadwaterError("a DAG run did not end as it should", f"read the logs in {airflow_home(settings)}/logs")


def _prepared(settings: Settings, is_paused: bool) -> dict[str, str]:
    require_port(settings.airflow, "airflow")
    environment = airflow_environment(settings, is_paused)
    with stderr.status("preparing Airflow's database"):
        prepare(settings, environment)
    return environment


def _announce(settings: Settings) -> None:
    address = f"http://{settings.airflow.host}:{settings.airflow.port}"
    stderr.print(
        f"Airflow of the environment [bold]{settings.env}[/bold]: {address}  user {USER}, password {password(settings)}"
    )


def _watch(api: AirflowApi) -> bool:
    """Follow the scheduled load, the retraining that its asset event starts, and one more started by hand."""
    before = len(api.runs("retrain")) if api.has_dag("retrain") else 0
    stderr.rule("[bold]incremental_load runs by its schedule", align="left")
    loaded = wait_for("incremental_load to end", lambda: _ended(api, "incremental_load", 0), RUN_SECONDS)
    _show(api, loaded)
    stderr.rule("[bold]gold changed: its asset event starts retrain", align="left")
    retrained = wait_for("retrain to end", lambda: _ended(api, "retrain", before), RUN_SECONDS)
    _show(api, retrained)
    stderr.rule("[bold]once more, by hand: nothing has changed since", align="left")
    again_id = api.trigger("retrain")
    again = wait_for("the second retrain to end", lambda: _ended_run(api, "retrain", again_id), RUN_SECONDS)
    _show(api, again)
    states = {task.task_id: task.state for task in api.tasks(again)}
    return (loaded.state, retrained.state, again.state) == ("success",) * 3 and (
        retrained.run_type == "asset_triggered" and states["decide"] == "skipped" and states["train"] == "skipped"
    )


def _ended(api: AirflowApi, dag_id: str, before: int) -> DagRun | None:
    """Return the first run after ``before`` others, once it and all that follow it have ended."""
    runs = api.runs(dag_id)[before:] if api.has_dag(dag_id) else []
    return runs[0] if runs and all(run.state in FINAL for run in runs) else None


def _ended_run(api: AirflowApi, dag_id: str, run_id: str) -> DagRun | None:
    return next((run for run in api.runs(dag_id) if run.run_id == run_id and run.state in FINAL), None)


def _show(api: AirflowApi, run: DagRun) -> None:
    rows = [(task.task_id, task.state, task.try_number, task.seconds) for task in api.tasks(run)]
    print_table(("task", "state", "try", "seconds"), rows, f"{run.dag_id} / {run.run_id}: {run.state} ({run.run_type})")
