"""The commands that keep things running: maintain, ui, airflow, doctor."""

from typing import Annotated

import typer

from headwater.cli.app import Json, Wait, app, read_project
from headwater.output import print_json, print_table, say

GROUP = "Operations"


@app.command(rich_help_panel=GROUP)
def maintain(context: typer.Context, wait: Wait = 0, is_json: Json = False) -> None:
    """Compact the tables that have gathered small files, and mark as KILLED the MLflow runs whose process is gone.

    Example: headwater maintain --json
    """
    options, project = read_project(context, wait)
    from headwater import lake_job, reports
    from pipelines.delta.commit import Outcome
    from pipelines.operations.maintenance import maintain_tables
    from training.registry.runs import mark_dead_runs
    from training.registry.tracking import open_tracking

    with lake_job.open_for_writing(options, project, "maintain") as job:
        say("looking at the files of each table")
        done = maintain_tables(project, job.spark_lake, job.run)
        models = project.models.values()
        killed = {model.name: mark_dead_runs(open_tracking(project.settings, model)) for model in models}
        compacted = [table for table in done if table.is_compacted]
        job.outcome = Outcome.APPLIED if compacted or any(killed.values()) else Outcome.UNCHANGED
    if is_json:
        print_json({"outcome": job.outcome, "compacted": compacted, "killed_runs": killed})
    else:
        reports.print_maintenance(done, killed)


@app.command(rich_help_panel=GROUP)
def ui(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="The port on 127.0.0.1; default: mlflow.port.")] = None,
) -> None:
    """Start the MLflow server on loopback and print its address; Ctrl-C stops it.

    Example: headwater --env demo ui
    """
    settings = context.obj.load().settings
    from headwater.servers.mlflow import serve_mlflow

    serve_mlflow(settings, port or settings.mlflow.port)


@app.command(rich_help_panel=GROUP, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow(context: typer.Context) -> None:
    """Run Airflow on loopback with the project's DAGs; Ctrl-C stops it and leaves no process.

    Words after `airflow` are run instead as a command of Airflow itself, on this environment's Airflow database.

    Example: headwater --env local airflow
    Example: headwater airflow backfill create --dag-id incremental_load --from-date 2013-11-01 --to-date 2013-11-05
    """
    settings = context.obj.load().settings
    from headwater.servers.airflow import run_own_command, serve_airflow

    if context.args:
        raise typer.Exit(run_own_command(settings, context.args))
    serve_airflow(settings)


@app.command(rich_help_panel=GROUP)
def doctor(context: typer.Context, is_json: Json = False) -> None:
    """Check Java, jars, versions, paths, ports and time zone, and say how to mend what is wrong.

    Example: headwater doctor --json
    """
    settings = context.obj.settings()
    from headwater.doctor import diagnose

    diagnosis = diagnose(settings)
    if is_json:
        print_json(diagnosis.to_json())
    else:
        rows = [("ok" if check.ok else "WRONG", check.name, check.detail, check.fix) for check in diagnosis.checks]
        print_table(("", "check", "found", "what to do"), rows)
    if not diagnosis.ok:
        raise typer.Exit(1)
