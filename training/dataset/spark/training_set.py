"""A training set made by Spark: labelled spine rows, each with the features that could be used at its time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.instants import instant_to_micros
from features.definitions import FeatureView
from features.spark.as_of import join_as_of
from features.spark.slices import find_slices
from pipelines.delta.tables import drop_table
from training.dataset.columns import FATE, LABEL, LABEL_KNOWN_AT, PARTS, PREDICTION_AT, ROW_HASH, is_unique_by
from training.dataset.description import public_names
from training.dataset.grain import check_row_count, refuse_repeated_keys
from training.dataset.inputs import Inputs
from training.dataset.pins import TablePin
from training.dataset.rows import TrainingRows, content_hash, order_rows
from training.dataset.spark.inputs import describe_inputs, input_columns
from training.dataset.spark.labels import build_labelled_spine, build_labels
from training.dataset.spark.row_hash import build_hashed
from training.dataset.spark.spine import Questions, build_spine
from training.dataset.spec import TrainingSetSpec
from training.model_job import ModelJob

SCRATCH = "scratch"  # the folder of a lake whose tables live no longer than the job that wrote them
FEW_QUESTIONS = 10_000  # their join keys fit into every task; the rows of all other entities are then never sorted


@dataclass(frozen=True)
class TrainingSet:
    """A training set. ``frame`` is lazy, grain (spine key), with ``_row_hash``. ``fates`` counts all spine rows."""

    frame: DataFrame
    inputs: Inputs
    fates: Mapping[str, int]

    @property
    def row_count(self) -> int:
        """How many rows ``frame`` must have: the training rows and the holdout rows."""
        return sum(self.fates.get(part, 0) for part in PARTS)


@contextmanager
def open_training_set(job: ModelJob, spec: TrainingSetSpec) -> Iterator[TrainingSet]:
    """Build a training set. Its labelled spine is kept in memory while the body runs.

    Raises
    ------
    GrainError : when the spine or the label table has a key twice, or one that is NULL
    """
    labelled = build_labelled(job, spec).persist()
    try:
        at = F.unix_micros(PREDICTION_AT)
        count, first, last = F.count(F.lit(1)).alias("rows"), F.min(at).alias("first"), F.max(at).alias("last")
        by_fate = {row[FATE]: row for row in labelled.groupBy(FATE).agg(count, first, last).collect()}
        _check_labelled_spine(job, labelled)
        used = [by_fate[part] for part in PARTS if part in by_fate]
        span = (min((row["first"] for row in used), default=0), max((row["last"] for row in used), default=0))
        asked = Questions(labelled.where(F.col(FATE).isin(*PARTS)), sum(row["rows"] for row in used), span)
        frame, inputs = build_training_frame(job, spec, asked)
        yield TrainingSet(build_hashed(frame), inputs, {fate: row["rows"] for fate, row in sorted(by_fate.items())})
    finally:
        labelled.unpersist()


def build_labelled(job: ModelJob, spec: TrainingSetSpec) -> DataFrame:
    """Return the spine with labels and fates, lazily. Grain (spine key)."""
    declared, key = job.declaration, job.declaration.spine.key
    spine = build_spine(spec.spine.read(job.spark_lake), declared.spine, job.join_keys)
    labels = build_labels(spec.labels.read(job.spark_lake), declared.label, key)
    return build_labelled_spine(spine, labels, key, spec.bounds)


def build_training_frame(job: ModelJob, spec: TrainingSetSpec, asked: Questions) -> tuple[DataFrame, Inputs]:
    """Join the features to the labelled training and holdout rows (``join_features``).

    Returns
    -------
    the frame, grain (spine key): key, prediction_at, label, when it is known, part, and the inputs, with numbers as
    doubles. An input that is a key column too keeps its type. Then the description of the inputs
    """
    joined = join_features(job, spec.views, asked, spec.bounds.as_of)
    inputs = describe_inputs(joined, job.input_names)
    key = job.declaration.spine.key
    columns = [column for name, column in zip(inputs.names, input_columns(inputs), strict=True) if name not in key]
    return joined.select(*key, PREDICTION_AT, LABEL, LABEL_KNOWN_AT, FATE, *columns), inputs


def join_features(job: ModelJob, pins: Sequence[TablePin], questions: Questions, as_of: datetime) -> DataFrame:
    """Join to each question the features that were known at its time and by ``as_of``. One pin per view.

    The result is lazy. Only where the questions are many, Spark jobs look first for entities that have most of them.
    """
    tasks = job.spark_lake.spark.sparkContext.defaultParallelism
    slices = find_slices(questions.frame, job.views, questions.rows, tasks)
    stored = [(view, _read_asked(job, view, pin, questions)) for view, pin in zip(job.views, pins, strict=True)]
    return join_as_of(questions.frame, stored, instant_to_micros(as_of), bounds=questions.span, slices=slices)


def _read_asked(job: ModelJob, view: FeatureView, pin: TablePin, questions: Questions) -> DataFrame:
    """Read a view's rows; where the questions are few, only those of the entities that they ask for."""
    stored = pin.read(job.spark_lake)
    if questions.rows > FEW_QUESTIONS:
        return stored
    keys = list(view.entity.join_keys)
    return stored.join(F.broadcast(questions.frame.select(*keys)), on=keys, how="left_semi")


def check_one_row_per_key(frame: DataFrame, key: tuple[str, ...], table: str) -> None:
    """Raise a GrainError, which names up to three keys, when a key comes twice or is NULL. Runs one Spark job."""
    is_null = reduce(or_, (F.col(name).isNull() for name in key))
    found = frame.groupBy(*key).count().where((F.col("count") > 1) | is_null).limit(3).collect()
    refuse_repeated_keys([row.asDict() for row in found], key, table)


def measure_content_hash(training_set: TrainingSet) -> str:
    """Compute the content hash of a training set by one Spark job.

    Raises
    ------
    GrainError : when the point-in-time join has lost or repeated rows
    """
    total = F.sum(F.col(ROW_HASH).cast("decimal(38,0)"))
    counted = training_set.frame.agg(F.count(F.lit(1)).alias("rows"), total.alias("total")).collect()[0]
    check_row_count(counted["rows"], training_set.row_count)
    return content_hash(counted["rows"], int(counted["total"] or 0))


def collect_rows(job: ModelJob, training_set: TrainingSet) -> TrainingRows:
    """Read a training set into memory, from files that Spark writes below the lake and that are removed afterwards.

    So the rows do not pass through the driver's JVM, whose heap would have to hold them too.

    Raises
    ------
    GrainError : when the point-in-time join has lost or repeated rows
    """
    lake, name = job.spark_lake, f"training_set_{job.run.run}"
    path = lake.path(SCRATCH, name)
    try:
        training_set.frame.write.format("delta").save(path)
        rows = pl.DataFrame(pl.from_arrow(lake.rows(SCRATCH, name)))  # with texts of a type that pyarrow can sort
        return order_rows(rows.to_arrow(), training_set.inputs, training_set.fates)
    finally:
        drop_table(lake.spark, path)


def export_rows(training_set: TrainingSet, path: str, label: str) -> None:
    """Write a training set as Parquet to a path where nothing is yet. Its label column is then named ``label``."""
    exported = training_set.frame.withColumnsRenamed(public_names(label))
    exported.write.mode("errorifexists").parquet(path)


def _check_labelled_spine(job: ModelJob, labelled: DataFrame) -> None:
    """Check the keys, unless both contracts rule repeated keys out. A label that comes twice repeats its spine row."""
    key = job.declaration.spine.key
    tables = (job.declaration.spine.table, job.declaration.label.table)
    if not all(is_unique_by(key, job.project.contract(table).key) for table in tables):
        check_one_row_per_key(labelled, key, f"silver.{tables[0]} or silver.{tables[1]}")
