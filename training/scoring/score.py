"""Scoring: what the champion says to the questions whose moment has come, written once and never rewritten.

The alias is resolved once, to a version. The features are those that were usable at each ``prediction_at`` as of one
instant. What is scored already is not asked again, so a second run writes nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from conf.errors import DataError, GrainError, NoChampion, TrainingError, UsageError
from conf.instants import format_instant, instant_to_micros, micros_to_instant
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Stamp, Target, create_table, merge_new_rows
from training.dataset.inputs import Inputs, describe_inputs
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT, build_questions, build_spine, is_unique_by
from training.dataset.training_set import check_one_row_per_key, input_names, join_features
from training.model_job import ModelJob
from training.registry.compatibility import find_obstacle
from training.registry.run_record import Version
from training.registry.tracking import Tracking, build_scores, find_champion, input_kinds, open_tracking, predict_scores

SCORE, MODEL_VERSION = "score", "model_version"
# Spark's workers take about 10 s to import a model; below this many rows one process is faster.
IN_PROCESS_ROWS = 200_000


@dataclass(frozen=True)
class Interval:
    """Questions with ``since <= prediction_at < until``, as of an instant; ``since`` None: what is not yet scored."""

    as_of: datetime
    until: datetime
    since: datetime | None


@dataclass(frozen=True)
class ScoreReport:
    """What a scoring did to ``gold.<model>_scores``; ``commit.rows_inserted`` questions were answered."""

    model: str
    table: str
    version: int
    run_id: str
    interval: Interval
    commit: Commit


@dataclass(frozen=True)
class _Scoring:
    """One version about to answer with features of pinned tables."""

    job: ModelJob
    tracking: Tracking
    version: Version
    interval: Interval
    spine: TablePin
    views: tuple[TablePin, ...]

    @property
    def table(self) -> str:
        return f"{self.job.model}_scores"

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.job.declaration.spine.key, PREDICTION_AT)


def score(
    job: ModelJob, since: datetime | None = None, until: datetime | None = None, as_of: datetime | None = None
) -> ScoreReport:
    """Score the spine rows with ``since <= prediction_at < until`` as of an instant, each version each row once.

    By default ``as_of`` is the spine table's data clock, ``until`` is ``as_of``, and what has no score of any version
    yet is scored, from the earliest question that was ever scored on; with none, from the first.

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
    scoring = _Scoring(job, tracking, champion, interval, spine, views)
    commit = _score(scoring)
    return ScoreReport(job.model, f"gold.{scoring.table}", champion.number, champion.run_id, interval, commit)


def place_interval(as_of: datetime, since: datetime | None, until: datetime | None) -> Interval:
    """Check the instants of a scoring against each other.

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


def _score(scoring: _Scoring) -> Commit:
    lake = scoring.job.lake
    with _questions(scoring) as (questions, rows, span):
        if not rows:
            return unchanged(lake.version("gold", scoring.table))
        joined = join_features(scoring.job, scoring.views, questions, scoring.interval.as_of, span)
        inputs = describe_inputs(joined, input_names(scoring.job))
        obstacle = find_obstacle(scoring.job, scoring.tracking, scoring.version, inputs)
        if obstacle:
            hint = f"run `headwater train {scoring.job.model}`"
            raise TrainingError(f"champion v{scoring.version.number} cannot score: {obstacle}", hint)
        scored = _answer(scoring, joined, inputs, is_small=rows <= IN_PROCESS_ROWS).persist()
        try:
            _check_scores(scored, scoring, rows)
            return _write(scoring, scored, span)
        finally:
            scored.unpersist()


@contextmanager
def _questions(scoring: _Scoring) -> Iterator[tuple[DataFrame, int, tuple[int, int]]]:
    """Yield the rows to be scored, kept in memory, with their number and the span of their prediction_at."""
    job, interval = scoring.job, scoring.interval
    declared = job.declaration.spine
    spine = build_spine(scoring.spine.read(job.lake), declared, job.join_keys)
    since = interval.since or _first_scored(scoring)
    asked, wrong = build_questions(spine, interval.as_of, since, interval.until)
    _check_questions(_unscored(scoring, wrong), scoring)
    questions = _unscored(scoring, asked).drop("_known_at").persist()
    try:
        at = F.unix_micros(PREDICTION_AT)
        found = questions.agg(F.count(at).alias("rows"), F.min(at).alias("first"), F.max(at).alias("last")).collect()[0]
        if found["rows"] and not is_unique_by(declared.key, job.project.contract(declared.table).key):
            check_one_row_per_key(questions, declared.key, scoring.spine.full_name)
        yield questions, found["rows"], (found["first"] or 0, found["last"] or 0)
    finally:
        questions.unpersist()


def _first_scored(scoring: _Scoring) -> datetime | None:
    """Return the earliest question that was ever scored: what lies before it was never asked for."""
    lake = scoring.job.lake
    if not lake.exists("gold", scoring.table):
        return None
    first = lake.read("gold", scoring.table).agg(F.min(F.unix_micros(PREDICTION_AT))).collect()[0][0]
    return None if first is None else micros_to_instant(first)


def _unscored(scoring: _Scoring, rows: DataFrame) -> DataFrame:
    """Leave out what has a score: of any version by default, of this version where an interval was asked for."""
    lake = scoring.job.lake
    if not lake.exists("gold", scoring.table):
        return rows
    scored = lake.read("gold", scoring.table)
    if scoring.interval.since is not None:
        scored = scored.where(F.col(MODEL_VERSION) == scoring.version.number)
    return rows.join(scored.select(*scoring.key), on=list(scoring.key), how="left_anti")


def _check_questions(wrong: DataFrame, scoring: _Scoring) -> None:
    found = wrong.select(*scoring.key, "_known_at").limit(3).collect()
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in (*scoring.key, "_known_at")) for row in found)
        raise DataError(
            f"{scoring.spine.full_name} has rows without prediction_at, or known only after it: {keys}",
            "mend spine.prediction_at or spine.where, or begin after them with --from",
        )


def _answer(scoring: _Scoring, joined: DataFrame, inputs: Inputs, is_small: bool) -> DataFrame:
    """Add each row's score. The same function answers in this process or, for many rows, in Spark's workers."""
    spark, tracking, number = joined.sparkSession, scoring.tracking, scoring.version.number
    wanted = list(input_kinds(tracking, number))
    kinds = dict(zip(inputs.names, inputs.columns, strict=True))
    taken = [kinds[name] for name in wanted]
    if not is_small:
        return joined.select(*scoring.key, build_scores(spark, tracking, number, taken).alias(SCORE))
    places = [f"_input_{n}" for n in range(len(taken))]
    columns = [column.alias(place) for column, place in zip(taken, places, strict=True)]
    table = joined.select(*scoring.key, *columns).toArrow()
    asked = table.select(places).rename_columns(wanted).to_pandas()
    scores = pa.array(predict_scores(tracking, number, asked))
    return spark.createDataFrame(table.select(list(scoring.key)).append_column(SCORE, scores))


def _check_scores(scored: DataFrame, scoring: _Scoring, rows: int) -> None:
    value = F.col(SCORE)
    is_number = value.isNotNull() & ~F.isnan(value) & (F.abs(value) != float("inf"))
    found = scored.agg(F.count(F.lit(1)).alias("rows"), F.count_if(is_number).alias("numbers")).collect()[0]
    if found["rows"] != rows:
        raise GrainError(
            f"the point-in-time join made {found['rows']} rows out of {rows}",
            "a feature table repeats its key; run `headwater materialize --full`",
        )
    if found["numbers"] != rows:
        version = f"champion v{scoring.version.number} of {scoring.job.model}"
        raise DataError(f"{version} gave no number for {rows - found['numbers']} rows", "train it again")


def _write(scoring: _Scoring, scored: DataFrame, span: tuple[int, int]) -> Commit:
    lake = scoring.job.lake
    path = lake.path("gold", scoring.table)
    frame = _finish(scoring, scored)
    schema = StructType([StructField(field.name, field.dataType) for field in frame.schema])
    create_table(lake.spark, path, schema, (), {})
    first, last = (sql_literal(micros_to_instant(micros)) for micros in span)
    bounds = [f"t.{PREDICTION_AT} >= {first} AND t.{PREDICTION_AT} <= {last}"]
    target = Target(path, (*scoring.key, MODEL_VERSION), bounds)
    sources = {pin.full_name: pin.version for pin in (scoring.spine, *scoring.views)}
    facts = {"model": scoring.job.model, "model_version": scoring.version.number, "sources": sources}
    return merge_new_rows(lake.spark, target, frame, Stamp(scoring.table, scoring.job.run, extra=facts))


def _instant(instant: datetime) -> Column:
    return F.timestamp_micros(F.lit(instant_to_micros(instant)))


def _finish(scoring: _Scoring, scored: DataFrame) -> DataFrame:
    """Add to every score which model gave it, from which tables, as of when. ``scored_at`` alone is wall time."""
    pins = (scoring.spine, *scoring.views)
    versions = json.dumps({pin.full_name: pin.version for pin in pins}, sort_keys=True)
    return scored.select(
        *scoring.key,
        SCORE,
        F.lit(scoring.job.model).alias("model_name"),
        F.lit(scoring.version.number).alias(MODEL_VERSION),
        F.lit(scoring.version.run_id).alias("run_id"),
        F.lit(versions).alias("feature_versions"),
        _instant(scoring.interval.as_of).alias("as_of"),
        _instant(datetime.now(UTC)).alias("scored_at"),
    )
