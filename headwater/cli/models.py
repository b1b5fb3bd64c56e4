"""The commands about models: training-set, train, promote, score, retrain, clean-data."""

from dataclasses import replace
from typing import Annotated

import typer

from conf.errors import DataNotClean, NoChampion
from conf.instants import parse_instant
from headwater.cli.app import MODELS, AsOf, Json, Model, SkipUnchanged, Wait, app, exit_if_unchanged
from headwater.output import print_json, print_table, say


@app.command("training-set", rich_help_panel=MODELS)
def training_set(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    out: Annotated[str | None, typer.Option(help="Write the rows as Parquet to this path.")] = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Build a model's point-in-time correct training set and say what it is made of.

    Example: headwater training-set late_arrival --as-of 2013-10-31T12:00Z --out /tmp/rows
    """
    asked = parse_instant(as_of) if as_of else None
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    label = project.model(model).label.name

    from headwater.lake_job import open_model_job
    from headwater.reports import print_training_set
    from training.dataset.description import describe_training_set, export_training_set, measure_content_hash
    from training.dataset.training_set import open_training_set, plan_training_set

    with open_model_job(options, project, model, "training-set") as (_, job):
        say("completing features, joining them to the labelled spine")
        with open_training_set(job, plan_training_set(job, asked)) as rows:
            document = describe_training_set(job, rows, measure_content_hash(rows))
            if out is not None:
                export_training_set(rows, out, label)
    print_json(document) if is_json else print_training_set(document)


@app.command(rich_help_panel=MODELS)
def train(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Only register; leave the alias alone.")] = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Train a model, log it to MLflow, register it, and gate it against the champion on the same holdout rows.

    Example: headwater train late_arrival --as-of 2013-10-31T12:00Z
    """
    asked = parse_instant(as_of) if as_of else None
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    project.model(model)

    from headwater.lake_job import open_model_job
    from headwater.reports import print_training
    from training.train import train as train_model

    with open_model_job(options, project, model, "train") as (lake_job, job):
        say(f"training {model}")
        report = train_model(job, asked, not no_promote)
        lake_job.outcome = report.outcome
    print_json(report) if is_json else print_training(report)


@app.command(rich_help_panel=MODELS)
def promote(
    context: typer.Context,
    model: Model,
    version: Annotated[int | None, typer.Option(help="The version to gate; default: the newest.", min=1)] = None,
    airflow_run: Annotated[str | None, typer.Option(help="Gate the version that this DAG/RUN trained.")] = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Gate a registered version on its holdout and, if it wins, make it champion.

    Example: headwater promote late_arrival --version 3
    """
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    project.model(model)

    from headwater.lake_job import open_model_job
    from headwater.reports import print_gate
    from training.registry.promote import promote as promote_version

    with open_model_job(options, project, model, "promote") as (_, job):
        report = promote_version(job, version, airflow_run)
    print_json(report) if is_json else print_gate(report)


@app.command(rich_help_panel=MODELS)
def score(
    context: typer.Context,
    model: Model,
    since: Annotated[str | None, typer.Option("--from", help="First prediction_at; default: not yet scored.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="End of prediction_at, not included.")] = None,
    as_of: AsOf = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Score the questions whose moment has come, with the champion; a score once given is never rewritten.

    Example: headwater score late_arrival --from 2013-11-08 --to 2013-11-09 --as-of 2013-11-09T03:00Z
    """
    asked = [parse_instant(text) if text else None for text in (since, until, as_of)]
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    project.model(model)

    from headwater.lake_job import open_model_job
    from headwater.reports import print_score, score_json
    from pipelines.delta.commit import Outcome
    from training.scoring.score import ScoreReport
    from training.scoring.score import score as score_questions

    with open_model_job(options, project, model, "score") as (lake_job, job):
        say(f"scoring {model}")
        report: ScoreReport | None = None
        try:
            report = score_questions(job, *asked)
            lake_job.outcome = report.commit.outcome
        except NoChampion as nobody:
            if not skip_unchanged:
                raise
            say(f"nothing to do: {nobody}")
            lake_job.outcome = Outcome.UNCHANGED
    if report is not None:
        print_json(score_json(report)) if is_json else print_score(report)
    exit_if_unchanged(lake_job.outcome, skip_unchanged)


@app.command(rich_help_panel=MODELS)
def retrain(
    context: typer.Context,
    model: Model,
    is_check: Annotated[bool, typer.Option("--check", help="Only decide; train nothing.")] = False,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Train a model again, and gate it, when its data has moved enough; the reason is kept in ops.retraining.

    Example: headwater retrain late_arrival --check
    """
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    project.model(model)

    from headwater.lake_job import open_model_job
    from headwater.reports import RetrainReport, print_retraining
    from pipelines.delta.commit import Outcome
    from training.retrain import decide
    from training.train import train as train_model

    with open_model_job(options, project, model, "retrain") as (lake_job, job):
        decision = decide(job)
        lake_job.outcome = Outcome.APPLIED if decision.is_due else Outcome.UNCHANGED
        report = RetrainReport(decision, train_model(job) if decision.is_due and not is_check else None)
    print_json(report) if is_json else print_retraining(report)
    exit_if_unchanged(lake_job.outcome, skip_unchanged)


@app.command("clean-data", rich_help_panel=MODELS)
def clean_data(context: typer.Context, model: Model, is_json: Json = False) -> None:
    """Fail unless the data is fit to train on: the last loads succeeded, and no layer lags behind its source.

    Example: headwater clean-data late_arrival
    """
    project = context.obj.load()
    declared = project.model(model)
    views = tuple(project.service(declared.features).features)
    tables = list(dict.fromkeys((declared.spine.table, declared.label.table, *(view.source for view in views))))

    from headwater.lake_job import open_for_reading
    from pipelines.operations.readiness import find_reasons_not_to_train

    with open_for_reading(context.obj, project, "clean-data") as job:
        reasons = find_reasons_not_to_train(project, job.lake, tables, views)
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
