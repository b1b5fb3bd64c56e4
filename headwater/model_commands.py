"""The work of the commands on models: what they do follows from a plan, and Spark starts only where it is needed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headwater import lake_job
from headwater.lake_job import LakeJob
from headwater.options import Options
from headwater.output import say
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import LakeTables
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts
from training.dataset.description import describe_training_set, export_rows
from training.dataset.engine import Engine, choose_engine
from training.dataset.spec import pin_training_set, place_bounds
from training.model_job import ModelJob

if TYPE_CHECKING:
    from training.scoring.score import ScoreReport
    from training.train_report import TrainReport


def look(project: Project, command: str, model: str) -> ModelJob:
    """Return a job that only looks: it has no session and no lease."""
    return ModelJob(project, LakeTables(project.settings), model, RunFacts.begin(command))


@contextmanager
def open_model_job(
    options: Options, project: Project, command: str, model: str, as_of: datetime | None = None
) -> Iterator[tuple[LakeJob, ModelJob]]:
    """Hold the lease for a job on a model, with Spark only where features are to be completed first."""
    looking = look(project, command, model)
    with _opened_for(looking, place_bounds(looking, as_of).as_of)(options, project, command, [model]) as job:
        yield job, job.on_model(model)


def _opened_for(looking: ModelJob, through: datetime) -> Callable[..., AbstractContextManager[LakeJob]]:
    """Return how to open a job that first completes the features through an instant: with Spark only for new rows."""
    if not looking.needs_spark_for_features(through):
        return lake_job.open_without_spark
    say("features are to be completed first, by Spark")
    return lake_job.open_for_writing


def describe_rows(job: ModelJob, as_of: datetime | None, out: str | None) -> dict[str, Any]:
    """Make a training set and describe it; write its rows to the folder ``out`` if one is given."""
    bounds = place_bounds(job, as_of)
    job.complete_features(bounds.as_of)
    spec = pin_training_set(job, bounds)
    choice, label = choose_engine(job, spec), job.declaration.label.name
    say(str(choice))
    if choice.engine is Engine.LOCAL:
        from training.dataset.local.training_set import make_rows

        rows = make_rows(job, spec)
        if out is not None:
            export_rows(rows, out, label)
        return describe_training_set(job, spec, rows.inputs, rows.fates, rows.content_hash)
    from training.dataset.spark.training_set import export_rows as export_by_spark
    from training.dataset.spark.training_set import measure_content_hash, open_training_set

    with open_training_set(job, spec) as lazy:
        document = describe_training_set(job, spec, lazy.inputs, lazy.fates, measure_content_hash(lazy))
        if out is not None:
            export_by_spark(lazy, out, label)
        return document


def train_model(
    options: Options, project: Project, model: str, as_of: datetime | None, is_promoting: bool
) -> "TrainReport":
    """Train a model, unless a version was made from the same before."""
    from training.train_plan import plan_training

    looking = look(project, "train", model)
    plan = plan_training(looking, as_of)
    # Under Airflow the version is tagged with the DAG run that wanted it, so that its promotion finds it.
    if plan.version is not None and not plan.reason and not looking.run.dag_run:
        from training.train_report import report_version

        return report_version(looking, plan.tracking, plan.version, Outcome.UNCHANGED, plan.gate)
    say(f"training {model}; {plan.engine}")
    from training.train import train

    with _opened_for(looking, plan.bounds.as_of)(options, project, "train", [model]) as job:
        report = train(job.on_model(model), as_of, is_promoting)
        job.outcome = report.outcome
    return report


def score_model(
    options: Options, project: Project, model: str, since: datetime | None, until: datetime | None,
    as_of: datetime | None,
) -> "ScoreReport":  # fmt: skip
    """Score what has no score yet.

    Raises
    ------
    NoChampion : when no version has passed the gate yet
    """
    from training.scoring.plan import plan_scoring
    from training.scoring.score import count_questions, report_score, score

    looking = look(project, "score", model)
    plan = plan_scoring(looking, since, until, as_of)
    if count_questions(plan) == 0:
        return report_score(plan)
    say(f"scoring {model}; {plan.engine}")
    opened = lake_job.open_for_writing if plan.needs_spark else lake_job.open_without_spark
    with opened(options, project, "score", [model]) as job:
        report = score(job.on_model(model), since, until, as_of)
        job.outcome = report.commit.outcome
    return report
