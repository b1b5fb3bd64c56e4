"""The job ``score``: the champion answers the questions whose moment has come. A score once written is never changed.

The champion is looked up once, at the beginning. The features are those that could be used at each
``prediction_at``, as of one instant. A question that has a score is not asked again, so a second run writes nothing.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipelines.delta.commit import Commit, Stamp, unchanged
from training.dataset.engine import Engine
from training.dataset.pins import TablePin
from training.model_job import ModelJob
from training.scoring.local.answers import answer_questions
from training.scoring.local.questions import find_questions
from training.scoring.plan import MODEL_VERSION, Interval, ScoringPlan, plan_scoring


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
    plan = plan_scoring(job, since, until, as_of)
    if plan.views is None:
        job.complete_features(plan.interval.as_of)
        plan = replace(plan, views=tuple(TablePin.of(job.lake, "gold", view.name) for view in job.views))
    return report_score(plan, _answer(plan))


def report_score(plan: ScoringPlan, commit: Commit | None = None) -> ScoreReport:
    """Report a scoring; without a commit, one for which there was nothing to do."""
    commit = commit or unchanged(plan.job.lake.version("gold", plan.table))
    version = plan.version
    return ScoreReport(plan.job.model, f"gold.{plan.table}", version.number, version.run_id, plan.interval, commit)


def count_questions(plan: ScoringPlan) -> int | None:
    """Return how many questions there are to score; None where only Spark can find out."""
    return None if plan.engine.engine is Engine.SPARK else find_questions(plan).height


def _answer(plan: ScoringPlan) -> Commit:
    facts = {"model": plan.job.model, "model_version": plan.version.number, "sources": _versions_read(plan)}
    stamp = Stamp(plan.table, plan.job.run, extra=facts)
    if plan.engine.engine is Engine.SPARK:
        from training.scoring.spark.answers import answer_questions as answer_by_spark

        return answer_by_spark(plan, describe_scoring(plan, datetime.now(UTC)), stamp)
    questions = find_questions(plan)
    if not questions.height:
        return unchanged(plan.job.lake.version("gold", plan.table))
    return answer_questions(plan, questions, describe_scoring(plan, datetime.now(UTC)), stamp)


def describe_scoring(plan: ScoringPlan, now: datetime) -> dict[str, Any]:
    """Return the columns that all scores of a scoring share: which model gave them, from which tables, as of when.

    Only ``scored_at`` is wall time.
    """
    return {
        "model_name": plan.job.model,
        MODEL_VERSION: plan.version.number,
        "run_id": plan.version.run_id,
        "feature_versions": json.dumps(_versions_read(plan), sort_keys=True),
        "as_of": plan.interval.as_of,
        "scored_at": now,
    }


def _versions_read(plan: ScoringPlan) -> dict[str, int]:
    return {pin.full_name: pin.version for pin in plan.pins}
