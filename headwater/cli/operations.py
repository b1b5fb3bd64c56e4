"""The commands that keep things running: maintain, ui, airflow, doctor."""

from dataclasses import replace
from typing import Annotated

import typer

from headwater.cli.app import OPERATIONS, Json, Wait, app
from headwater.output import print_json, print_table, say


@app.command(rich_help_panel=OPERATIONS)
def maintain(context: typer.Context, wait: Wait = 0, is_json: Json = False) -> None:
    """Compact the tables that have gathered small files, and mark MLflow runs whose process is gone.

    Example: headwater maintain --json
    """
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()

    from headwater.lake_job import open_for_writing
    from headwater.reports import maintenance_json, print_maintenance
    from pipelines.delta.commit import Outcome
    from pipelines.operations.maintenance import maintain_tables
    from training.registry.runs import mark_dead_runs
    from training.registry.tracking import open_tracking

    with open_for_writing(options, project, "maintain") as job:
        say("looking at the files of each table")
        compactions = maintain_tables(project, job.lake, job.run)
        models = project.models.values()
        dead = {model.name: mark_dead_runs(open_tracking(project.settings, model)) for model in models}
        is_changed = any(dead.values()) or any(done.is_compacted for done in compactions)
        job.outcome = Outcome.APPLIED if is_changed else Outcome.UNCHANGED
    if is_json:
        print_json(maintenance_json(job.outcome, compactions, dead))
    else:
        print_maintenance(compactions, dead)


@app.command(rich_help_panel=OPERATIONS)
def ui(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="The port on 127.0.0.1; default: mlflow.port.")] = None,
) -> None:
    """Start the MLflow server on loopback and print its address; Ctrl-C stops it.

    Example: headwater --env demo ui
    """
    project = context.obj.load()

    from headwater.servers.mlflow import serve_mlflow

    serve_mlflow(project.settings, port or project.settings.mlflow.port)


@app.command(rich_help_panel=OPERATIONS, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow(context: typer.Context) -> None:
    """Run Airflow on loopback with the project's DAGs; Ctrl-C stops it and leaves no process.

    With words after it, run that command of Airflow's own in this home instead.

    Example: headwater --env local airflow
    Example: headwater airflow backfill create --dag-id incremental_load --from-date 2013-11-01 --to-date 2013-11-05
    """
    settings = context.obj.load().settings

    from headwater.servers.airflow import run_own_command, serve_airflow

    if context.args:
        raise typer.Exit(run_own_command(settings, context.args))
    serve_airflow(settings)


@app.command(rich_help_panel=OPERATIONS)
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
