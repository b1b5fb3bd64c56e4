"""The questions to be scored: spine rows whose moment has come and that have no score yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.instants import instant_to_micros, micros_to_instant
from training.dataset.columns import KNOWN_AT, PREDICTION_AT, is_unique_by
from training.dataset.spark.spine import Questions, build_spine, is_known_too_late
from training.dataset.spark.training_set import check_one_row_per_key
from training.scoring.checks import refuse_questions
from training.scoring.plan import MODEL_VERSION, ScoringPlan


def build_questions(
    spine: DataFrame, as_of: datetime, since: datetime | None, until: datetime
) -> tuple[DataFrame, DataFrame]:
    """Take the spine rows with ``since <= prediction_at < until``, lazily.

    A row that became known after ``as_of`` does not exist yet at that instant.

    Returns
    -------
    the questions, and the rows that cannot be asked: ``prediction_at`` is NULL, or the row was known only after it
    """
    asked, known = F.unix_micros(PREDICTION_AT), F.unix_micros(KNOWN_AT)
    existing = spine.where(known <= instant_to_micros(as_of))
    is_asked = asked < instant_to_micros(until)
    if since is not None:
        is_asked = is_asked & (asked >= instant_to_micros(since))
    is_wrong = asked.isNull() | (is_asked & is_known_too_late())
    return existing.where(is_asked & ~is_known_too_late()), existing.where(is_wrong)


@contextmanager
def open_questions(plan: ScoringPlan) -> Iterator[Questions]:
    """Find the questions of a plan and keep them in memory while the body runs.

    Raises
    ------
    DataError : when a row cannot be asked; names up to three
    GrainError : when the spine has a key twice
    """
    job, interval = plan.job, plan.interval
    declared = job.declaration.spine
    spine = build_spine(plan.spine.read(job.spark_lake), declared, job.join_keys)
    scored = job.spark_lake.read("gold", plan.table) if job.lake.exists("gold", plan.table) else None
    since = interval.since or _first_prediction_at(scored)
    asked, wrong = build_questions(spine, interval.as_of, since, interval.until)
    unaskable = _leave_out_scored(plan, wrong, scored).select(*plan.key, KNOWN_AT).limit(3).collect()
    refuse_questions(plan, [row.asDict() for row in unaskable])
    frame = _leave_out_scored(plan, asked, scored).drop(KNOWN_AT).persist()
    try:
        at = F.unix_micros(PREDICTION_AT)
        found = frame.agg(F.count(at).alias("rows"), F.min(at).alias("first"), F.max(at).alias("last")).collect()[0]
        if found["rows"] and not is_unique_by(declared.key, job.project.contract(declared.table).key):
            check_one_row_per_key(frame, declared.key, plan.spine.full_name)
        yield Questions(frame, found["rows"], (found["first"] or 0, found["last"] or 0))
    finally:
        frame.unpersist()


def _first_prediction_at(scored: DataFrame | None) -> datetime | None:
    """Return the time of the earliest question that was ever scored. Questions before it were never asked for."""
    if scored is None:
        return None
    first = scored.agg(F.min(F.unix_micros(PREDICTION_AT))).collect()[0][0]
    return None if first is None else micros_to_instant(first)


def _leave_out_scored(plan: ScoringPlan, rows: DataFrame, scored: DataFrame | None) -> DataFrame:
    """Leave out rows with a score: of any version by default, of this version where an interval was asked for."""
    if scored is None:
        return rows
    if plan.interval.since is not None:
        scored = scored.where(F.col(MODEL_VERSION) == plan.version.number)
    return rows.join(scored.select(*plan.key), on=list(plan.key), how="left_anti")
