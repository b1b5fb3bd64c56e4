"""The job ``score``: the champion answers the questions whose moment has come. A score once written is never changed.

The champion is looked up once, at the beginning. The features are those that could be used at each
``prediction_at``, as of one instant. A question that has a score is not asked again, so a second run writes nothing.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import NoChampion, TrainingError
from conf.instants import instant_to_micros, micros_to_instant
from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Target, merge_new_rows
from pipelines.delta.tables import create_table, require_columns
from training.dataset.inputs import describe_inputs
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT
from training.dataset.training_set import join_features
from training.model_job import ModelJob
from training.registry.compatibility import find_incompatibility
from training.registry.tracking import open_tracking
from training.registry.versions import find_champion
from training.scoring.answers import build_answers, check_answers
from training.scoring.questions import MODEL_VERSION, SCORE, Interval, ScoringPlan, open_questions, place_interval


@dataclass(frozen=True)
class ScoreReport:
    """What a scoring did to ``gold.<model>_scores``; it answered ``commit.rows_inserted`` questions."""

    model: str
    table: str
    version: int
    run_id: str
    interval: Interval
    commit: Commit


def score(
    job: ModelJob, since: datetime | None = None, until: datetime | None = None, as_of: datetime | None = None
) -> ScoreReport:
    """Score the spine rows with ``since <= prediction_at < until`` as of an instant, each with each version once.

    Parameters
    ----------
    since : by default the earliest question that was ever scored, or the first of all; then rows that have a score
        of any version are left out
    until : by default ``as_of``
    as_of : by default the data clock of the spine's table

    Raises
    ------
    NoChampion : when no version has passed the gate yet
    NotFound : when a table has not been loaded
    DataError : when a row has no prediction_at, or became known only after it; names up to three
    TrainingError : when the champion cannot answer with the features as they are declared now
    """
    tracking = open_tracking(job.project.settings, job.declaration)
    champion = find_champion(tracking)
    if champion is None:
        raise NoChampion(f"the model {job.model} has no champion yet", f"run `headwater train {job.model}`")
    interval = place_interval(as_of or job.clock(job.declaration.spine.table), since, until)
    job.complete_features(interval.as_of)
    spine = TablePin.of(job.lake, "silver", job.declaration.spine.table)
    views = tuple(TablePin.of(job.lake, "gold", view.name) for view in job.views)
    plan = ScoringPlan(job, tracking, champion, interval, spine, views)
    commit = _answer_questions(plan)
    return ScoreReport(job.model, f"gold.{plan.table}", champion.number, champion.run_id, interval, commit)


def _answer_questions(plan: ScoringPlan) -> Commit:
    job = plan.job
    with open_questions(plan) as questions:
        if not questions.rows:
            return unchanged(job.lake.version("gold", plan.table))
        joined = join_features(job, plan.views, questions, plan.interval.as_of)
        inputs = describe_inputs(joined, job.input_names)
        reason = find_incompatibility(job.fingerprints, plan.tracking, plan.version, inputs)
        if reason:
            hint = f"run `headwater train {job.model}`"
            raise TrainingError(f"champion v{plan.version.number} cannot score: {reason}", hint)
        answers = build_answers(plan, joined, inputs, questions.rows).persist()
        try:
            check_answers(plan, answers, questions.rows)
            return _write(plan, answers, questions.span)
        finally:
            answers.unpersist()


def _write(plan: ScoringPlan, answers: DataFrame, span: tuple[int, int]) -> Commit:
    lake = plan.job.lake
    path = lake.path("gold", plan.table)
    rows = _build_score_rows(plan, answers, datetime.now(UTC))
    create_table(lake.spark, path, require_columns(rows.schema, ()))
    first, last = (sql_literal(micros_to_instant(micros)) for micros in span)
    bounds = [f"t.{PREDICTION_AT} >= {first} AND t.{PREDICTION_AT} <= {last}"]
    target = Target(path, (*plan.key, MODEL_VERSION), bounds)
    sources = {pin.full_name: pin.version for pin in plan.pins}
    facts = {"model": plan.job.model, "model_version": plan.version.number, "sources": sources}
    return merge_new_rows(lake.spark, target, rows, Stamp(plan.table, plan.job.run, extra=facts))


def _build_score_rows(plan: ScoringPlan, answers: DataFrame, now: datetime) -> DataFrame:
    """Add to each score which model gave it, from which tables, and as of when. Only ``scored_at`` is wall time."""
    versions = json.dumps({pin.full_name: pin.version for pin in plan.pins}, sort_keys=True)
    return answers.select(
        *plan.key,
        SCORE,
        F.lit(plan.job.model).alias("model_name"),
        F.lit(plan.version.number).alias(MODEL_VERSION),
        F.lit(plan.version.run_id).alias("run_id"),
        F.lit(versions).alias("feature_versions"),
        _instant(plan.interval.as_of).alias("as_of"),
        _instant(now).alias("scored_at"),
    )


def _instant(instant: datetime) -> Column:
    return F.timestamp_micros(F.lit(instant_to_micros(instant)))
