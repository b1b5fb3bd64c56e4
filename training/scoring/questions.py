"""The questions to be scored: spine rows whose moment has come and that have no score yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import DataError, UsageError
from conf.instants import format_instant, instant_to_micros, micros_to_instant
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT, Questions, build_spine, is_known_too_late, is_unique_by
from training.dataset.training_set import check_one_row_per_key
from training.model_job import ModelJob
from training.registry.tracking import Tracking
from training.registry.versions import Version

SCORE, MODEL_VERSION = "score", "model_version"


@dataclass(frozen=True)
class Interval:
    """The questions with ``since <= prediction_at < until`` as of an instant; no ``since``: all that have no score."""

    as_of: datetime
    until: datetime
    since: datetime | None


@dataclass(frozen=True)
class ScoringPlan:
    """One version is to answer the questions of an interval. ``spine`` and ``views`` are the tables to read."""

    job: ModelJob
    tracking: Tracking
    version: Version
    interval: Interval
    spine: TablePin
    views: tuple[TablePin, ...]

    @property
    def table(self) -> str:
        """The name of the table of scores in gold."""
        return f"{self.job.model}_scores"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a question."""
        return (*self.job.declaration.spine.key, PREDICTION_AT)

    @property
    def pins(self) -> tuple[TablePin, ...]:
        return (self.spine, *self.views)


def build_questions(
    spine: DataFrame, as_of: datetime, since: datetime | None, until: datetime
) -> tuple[DataFrame, DataFrame]:
    """Take the spine rows with ``since <= prediction_at < until``, lazily.

    A row that became known after ``as_of`` does not exist yet at that instant.

    Returns
    -------
    the questions, and the rows that cannot be asked: ``prediction_at`` is NULL, or the row was known only after it
    """
    asked, known = F.unix_micros(PREDICTION_AT), F.unix_micros("_known_at")
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
    spine = build_spine(plan.spine.read(job.lake), declared, job.join_keys)
    scored = job.lake.read("gold", plan.table) if job.lake.exists("gold", plan.table) else None
    since = interval.since or _first_prediction_at(scored)
    asked, wrong = build_questions(spine, interval.as_of, since, interval.until)
    _check_all_can_be_asked(_leave_out_scored(plan, wrong, scored), plan)
    frame = _leave_out_scored(plan, asked, scored).drop("_known_at").persist()
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


def _check_all_can_be_asked(wrong: DataFrame, plan: ScoringPlan) -> None:
    found = wrong.select(*plan.key, "_known_at").limit(3).collect()
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in (*plan.key, "_known_at")) for row in found)
        raise DataError(
            f"{plan.spine.full_name} has rows without prediction_at, or known only after it: {keys}",
            "mend spine.prediction_at or spine.where, or begin after them with --from",
        )


def place_interval(as_of: datetime, since: datetime | None, until: datetime | None) -> Interval:
    """Make an interval of the instants that were asked for. Without an end it ends at ``as_of``.

    Raises
    ------
    UsageError : when the interval ends before it begins, or after ``as_of``
    """
    until = until or as_of
    if until > as_of:
        hint = "a row is scored once its moment has come; give a later --as-of"
        raise UsageError(f"--to {format_instant(until)} is after as-of {format_instant(as_of)}", hint)
    if since is not None and since > until:
        hint = "the interval is half-open: --from A --to B takes A <= prediction_at < B"
        raise UsageError(f"--from {format_instant(since)} is after --to {format_instant(until)}", hint)
    return Interval(as_of, until, since)
