"""The commands about models: training-set, train, promote, score, and the tracking server's ui."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from conf.errors import NoChampion
from conf.instants import parse_instant
from headwater.cli.app import Json, SkipUnchanged, Wait, app, exit_if_unchanged
from headwater.doctor import diagnose
from headwater.lake_job import Work, writing
from headwater.output import print_json, print_table, stderr
from headwater.servers.mlflow import serve_tracking
from pipelines.delta.commit import Outcome
from training.dataset.description import describe_training_set, export_training_set, measure_content_hash
from training.dataset.training_set import open_training_set, plan_training_set
from training.model_job import ModelJob
from training.registry.promote import PromoteReport, promote
from training.scoring.score import ScoreReport, score
from training.train import TrainReport, train

Model = Annotated[str, typer.Argument(help="The model, declared in conf/models/MODEL.yml.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The instant to pretend it is (UTC).")]


def job_of(work: Work, model: str) -> ModelJob:
    """Return the job on one model; a model that is not declared is an error at once."""
    work.project.model(model)
    work.tables = [model]
    return ModelJob(work.project, work.lake, model, work.run)


@app.command("training-set")
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
    with writing(replace(context.obj, wait_seconds=wait), "training-set") as work:
        job = job_of(work, model)
        work.say("completing features, joining them to the labelled spine")
        spec = plan_training_set(job, parse_instant(as_of) if as_of else None)
        with open_training_set(job, spec) as rows:
            document = describe_training_set(job, rows, measure_content_hash(rows))
            if out is not None:
                export_training_set(rows, out, job.declaration.label.name)
    if is_json:
        print_json(document)
        return
    shown = {name: document[name] for name in ("as_of", "split_at", "train_until", "holdout_until", "content_hash")}
    tables = {f"{pin['layer']}.{pin['name']}": f"version {pin['version']}" for pin in document["tables"]}
    counts = {f"rows: {fate}": count for fate, count in document["rows"].items()}
    print_table(("training set", model), [*shown.items(), *counts.items(), *tables.items()])


@app.command("train")
def train_command(
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
    with writing(replace(context.obj, wait_seconds=wait), "train") as work:
        work.say(f"training {model}")
        report = train(job_of(work, model), parse_instant(as_of) if as_of else None, not no_promote)
        work.outcome = report.outcome
    print_json(report) if is_json else print_training(report)


@app.command("promote")
def promote_command(
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
    with writing(replace(context.obj, wait_seconds=wait), "promote") as work:
        report = promote(job_of(work, model), version, airflow_run)
    print_json(report) if is_json else print_gate(report)


@app.command("score")
def score_command(
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
    with writing(replace(context.obj, wait_seconds=wait), "score") as work:
        work.say(f"scoring {model}")
        report: ScoreReport | None
        try:
            report = score(job_of(work, model), *asked)
        except NoChampion as nobody:
            if not skip_unchanged:
                raise
            work.say(f"nothing to do: {nobody}")
            work.outcome, report = Outcome.UNCHANGED, None
        else:
            work.outcome = report.commit.outcome
    if report is not None:
        print_json(score_json(report)) if is_json else print_score(report)
    exit_if_unchanged(work.outcome, skip_unchanged)


@app.command()
def ui(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="The port on 127.0.0.1; default: mlflow.port.")] = None,
) -> None:
    """Start the MLflow server on loopback and print its address; Ctrl-C stops it.

    Example: headwater --env demo ui
    """
    project = context.obj.load()
    serve_tracking(project.settings, port or project.settings.mlflow.port)


@app.command()
def doctor(context: typer.Context, is_json: Json = False) -> None:
    """Check Java, jars, versions, paths, ports and time zone, and say how to mend what is wrong.

    Example: headwater doctor --json
    """
    diagnosis = diagnose(context.obj.settings())
    if is_json:
        print_json(diagnosis.to_json())
    else:
        rows = [("ok" if check.ok else "WRONG", check.name, check.detail, check.fix) for check in diagnosis.checks]
        print_table(("", "check", "found", "what to do"), rows)
    if not diagnosis.ok:
        raise typer.Exit(1)


def score_json(report: ScoreReport) -> dict[str, Any]:
    """Return what a scoring did."""
    commit, interval = report.commit, report.interval
    return {
        "model": report.model, "outcome": commit.outcome, "version": report.version, "run_id": report.run_id,
        "from": interval.since, "to": interval.until, "as_of": interval.as_of, "rows_scored": commit.rows_inserted,
        "tables": {
            report.table: {
                "version_before": commit.version_before, "version_after": commit.version_after,
                "outcome": commit.outcome,
            }
        },
    }  # fmt: skip


def print_training(report: TrainReport) -> None:
    """Print a training: rows, metrics of holdout, baseline and champion side by side, and the gate's word."""
    sides = ("holdout", "baseline", "champion")
    names = [name.removeprefix("holdout_") for name in report.metrics if name.startswith("holdout_")]
    rows = [(name, *[report.metrics.get(f"{side}_{name}") for side in sides]) for name in names if name != "rows"]
    counts = ", ".join(f"{count} {fate}" for fate, count in report.rows.items())
    print_table(("metric", *sides), rows, f"{report.model} version {report.version}: {counts}")
    if report.gate is not None:
        print_gate(report.gate)


def print_gate(report: PromoteReport) -> None:
    """Print what the gate decided, and why."""
    reason = f": {report.verdict.reason}" if report.verdict else ""
    rows = [(report.model, report.version, report.step, report.champion, reason.removeprefix(": "))]
    print_table(("model", "version", "gate", "champion now", "reason"), rows)


def print_score(report: ScoreReport) -> None:
    """Print a scoring in one row."""
    commit, interval = report.commit, report.interval
    row = (report.table, report.version, interval.since, interval.until, interval.as_of, commit.rows_inserted)
    print_table(("table", "champion", "from", "to", "as of", "scored", "outcome"), [(*row, commit.outcome)])
    if commit.rows_inserted == 0:
        stderr.print("nothing to score that was not scored already")
