"""The commands about models: training-set, train, promote, score, retrain, clean-data."""

from datetime import datetime
from typing import Annotated

import typer

from conf.errors import DataNotClean, NoChampion
from headwater.cli.app import (
    AsOf,
    Engine,
    Json,
    Model,
    SkipUnchanged,
    Wait,
    app,
    exit_if_unchanged,
    instant,
    read_project,
)
from headwater.output import print_json, print_table, say

GROUP = "Models"


@app.command("training-set", rich_help_panel=GROUP)
def training_set(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    out: Annotated[str | None, typer.Option(help="Write the rows as Parquet to this new folder.")] = None,
    engine: Engine = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Build a model's point-in-time correct training set and say what it is made of.

    Example: headwater training-set late_arrival --as-of 2013-10-31T12:00Z --out /tmp/rows
    """
    options, project = read_project(context, wait, model, engine)
    from headwater import reports
    from headwater.model_commands import describe_rows, open_model_job

    with open_model_job(options, project, "training-set", model, as_of) as (_, job):
        document = describe_rows(job, as_of, out)
    print_json(document) if is_json else reports.print_training_set(document)


@app.command(rich_help_panel=GROUP)
def train(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Only register; leave the alias alone.")] = False,
    engine: Engine = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Train a model, log it to MLflow, register it, and gate it against the champion on the same holdout rows.

    Example: headwater train late_arrival --as-of 2013-10-31T12:00Z
    """
    options, project = read_project(context, wait, model, engine)
    from headwater import reports
    from headwater.model_commands import train_model

    report = train_model(options, project, model, as_of, not no_promote)
    print_json(report) if is_json else reports.print_training(report)
    exit_if_unchanged(report.outcome, skip_unchanged)


@app.command(rich_help_panel=GROUP)
def promote(
    context: typer.Context,
    model: Model,
    version: Annotated[int | None, typer.Option(help="The version to gate; default: the newest.", min=1)] = None,
    airflow_run: Annotated[str | None, typer.Option(help="Gate the version that this DAG/RUN trained.")] = None,
    engine: Engine = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Compare a registered version with the champion on the version's holdout rows. If it wins, make it champion.

    Example: headwater promote late_arrival --version 3
    """
    options, project = read_project(context, wait, model, engine)
    from headwater import lake_job, reports
    from training.registry.promote import promote as promote_version

    with lake_job.open_without_spark(options, project, "promote", [model]) as job:
        report = promote_version(job.on_model(model), version, airflow_run)
    print_json(report) if is_json else reports.print_gate(report)


@app.command(rich_help_panel=GROUP)
def score(
    context: typer.Context,
    model: Model,
    since: Annotated[datetime | None, instant("First prediction_at; default: not yet scored.", "--from")] = None,
    until: Annotated[datetime | None, instant("End of prediction_at, not included.", "--to")] = None,
    as_of: AsOf = None,
    engine: Engine = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Score, with the champion, the spine rows whose prediction_at has come. A stored score is never rewritten.

    Example: headwater score late_arrival --from 2013-11-08 --to 2013-11-09 --as-of 2013-11-09T03:00Z
    """
    options, project = read_project(context, wait, model, engine)
    from headwater import reports
    from headwater.model_commands import score_model

    try:
        report = score_model(options, project, model, since, until, as_of)
    except NoChampion as no_champion:
        if not skip_unchanged:
            raise
        say(f"nothing to do: {no_champion}")
        exit_if_unchanged(None, skip_unchanged)
        return
    print_json(reports.score_json(report)) if is_json else reports.print_score(report)
    exit_if_unchanged(report.commit.outcome, skip_unchanged)


@app.command(rich_help_panel=GROUP)
def retrain(
    context: typer.Context,
    model: Model,
    is_check: Annotated[bool, typer.Option("--check", help="Only decide; train nothing.")] = False,
    engine: Engine = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Train and gate a model again if its data has changed enough. ops.retraining keeps the decision and its reason.

    Example: headwater retrain late_arrival --check
    """
    options, project = read_project(context, wait, model, engine)
    from headwater import reports
    from headwater.model_commands import open_model_job
    from pipelines.delta.commit import Outcome
    from training.retrain import decide

    with open_model_job(options, project, "retrain", model) as (lake_job, job):
        decision = decide(job)
        lake_job.outcome = Outcome.APPLIED if decision.is_due else Outcome.UNCHANGED
        report = reports.RetrainReport(decision, None)
        if decision.is_due and not is_check:
            from training.train import train as train_version

            report = reports.RetrainReport(decision, train_version(job))
    print_json(report) if is_json else reports.print_retraining(report)
    exit_if_unchanged(lake_job.outcome, skip_unchanged)


@app.command("clean-data", rich_help_panel=GROUP)
def clean_data(context: typer.Context, model: Model, is_json: Json = False) -> None:
    """Fail unless the data is fit to train on: the last loads succeeded, and no layer lags behind its source.

    Example: headwater clean-data late_arrival
    """
    _, project = read_project(context, model=model)
    declared = project.model(model)
    views = tuple(project.service(declared.features).features)
    tables = list(dict.fromkeys((declared.spine.table, declared.label.table, *(view.source for view in views))))
    from pipelines.delta.lake import LakeTables
    from pipelines.operations.readiness import find_reasons_not_to_train

    reasons = find_reasons_not_to_train(project, LakeTables(project.settings), tables, views)
    if is_json:
        print_json({"model": model, "is_clean": not reasons, "reasons": reasons})
    if reasons:
        raise DataNotClean(
            "the data is not clean: " + "; ".join(reasons),
            'mend it, run `headwater load` and `headwater materialize`; `headwater query "select * from ops.runs"`'
            " shows the loads",
        )
    if not is_json:
        print_table(("model", "tables", "data"), [(model, ", ".join(tables), "clean")])
