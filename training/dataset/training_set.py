"""The training set: labelled spine rows, each with the features that could be used at its ``prediction_at``.

First a spec is planned: the tables to read, each pinned at a version, and the instants of the split. From the recorded
spec of a run the same rows can be built again later.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import GrainError, TrainingError
from conf.instants import instant_to_micros, parse_instant
from conf.model import ModelDeclaration
from features.definitions import FeatureView
from features.spark.as_of import join_as_of
from features.spark.slices import find_slices
from training.dataset.inputs import Inputs, describe_inputs
from training.dataset.labels import FATE, LABEL, LABEL_KNOWN_AT, build_labelled_spine, build_labels
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT, Questions, build_spine, is_unique_by
from training.dataset.split import HOLDOUT, TRAINING, SplitBounds, place_split
from training.model_job import ModelJob

PARTS = (TRAINING, HOLDOUT)
FEW_QUESTIONS = 10_000  # their join keys fit into every task; the rows of all other entities are then never sorted


@dataclass(frozen=True)
class TrainingSetSpec:
    """What a training set is built from, besides the declarations. ``views`` are in the feature service's order.

    ``label_clock`` is the data clock of the label's table. ``as_of`` may be later: then nothing that became known
    between the two has been loaded.
    """

    bounds: SplitBounds
    label_clock: datetime
    spine: TablePin
    labels: TablePin
    views: tuple[TablePin, ...]

    @property
    def tables(self) -> tuple[TablePin, ...]:
        return tuple(dict.fromkeys((self.spine, self.labels, *self.views)))


@dataclass(frozen=True)
class TrainingSet:
    """A training set. ``frame`` is lazy, grain (spine key). ``rows`` counts all rows of the spine by their fate."""

    spec: TrainingSetSpec
    frame: DataFrame
    inputs: Inputs
    rows: Mapping[str, int]

    @property
    def row_count(self) -> int:
        """How many rows ``frame`` must have: the training rows and the holdout rows."""
        return sum(self.rows.get(part, 0) for part in PARTS)


def plan_training_set(job: ModelJob, as_of: datetime | None) -> TrainingSetSpec:
    """Complete the features up to ``as_of``, by default the label table's data clock, and pin the tables to read."""
    declaration = job.declaration
    clock = job.clock(declaration.label.table)
    bounds = place_split(declaration.split, as_of or clock)
    job.complete_features(bounds.as_of)
    return TrainingSetSpec(
        bounds,
        clock,
        TablePin.of(job.lake, "silver", declaration.spine.table),
        TablePin.of(job.lake, "silver", declaration.label.table),
        tuple(TablePin.of(job.lake, "gold", view.name) for view in job.views),
    )


def recall_training_set(job: ModelJob, document: Mapping[str, Any]) -> TrainingSetSpec:
    """Return the spec that a training run recorded, so that the rows which it read can be read again.

    Raises
    ------
    TrainingError : when they cannot be read again, because a declaration changed or a table was made anew since
    """
    declaration = job.declaration
    declared, recorded = declaration.model_dump(mode="json"), document["declaration"]
    pins = {pin.full_name: pin for pin in (TablePin(**table) for table in document["tables"])}
    changed = [name for name in ("spine", "label", "features", "split") if declared[name] != recorded[name]]
    changed += [name for name, now in job.fingerprints.items() if document["fingerprints"].get(name) != now]
    changed += [name for name, pin in pins.items() if job.lake.table_id(pin.layer, pin.name) != pin.table_id]
    if changed:
        message = f"the training set cannot be read again: {', '.join(changed)} changed since"
        raise TrainingError(message, f"train again: `headwater train {job.model}`")
    return TrainingSetSpec(
        place_split(declaration.split, parse_instant(document["as_of"])),
        parse_instant(document["label_clock"]),
        pins[f"silver.{declaration.spine.table}"],
        pins[f"silver.{declaration.label.table}"],
        tuple(pins[f"gold.{view.name}"] for view in job.views),
    )


@contextmanager
def open_training_set(job: ModelJob, spec: TrainingSetSpec) -> Iterator[TrainingSet]:
    """Build a training set. Its labelled spine is kept in memory while the body runs.

    Raises
    ------
    GrainError : when the spine or the label table has a key twice, or one that is NULL
    """
    spine, labels = spec.spine.read(job.lake), spec.labels.read(job.lake)
    labelled = build_labelled(spine, labels, job.declaration, job.join_keys, spec.bounds).persist()
    try:
        at = F.unix_micros(PREDICTION_AT)
        count, first, last = F.count(F.lit(1)).alias("rows"), F.min(at).alias("first"), F.max(at).alias("last")
        by_fate = {row[FATE]: row for row in labelled.groupBy(FATE).agg(count, first, last).collect()}
        _check_labelled_spine(job, labelled)
        used = [by_fate[part] for part in PARTS if part in by_fate]
        span = (min((row["first"] for row in used), default=0), max((row["last"] for row in used), default=0))
        asked = Questions(labelled.where(F.col(FATE).isin(*PARTS)), sum(row["rows"] for row in used), span)
        frame, inputs = build_training_frame(job, spec, asked)
        yield TrainingSet(spec, frame, inputs, {fate: row["rows"] for fate, row in sorted(by_fate.items())})
    finally:
        labelled.unpersist()


def build_labelled(
    spine: DataFrame, labels: DataFrame, declaration: ModelDeclaration, join_keys: Sequence[str], bounds: SplitBounds
) -> DataFrame:
    """Return the spine with labels and fates, lazily. ``spine`` and ``labels`` are the declared silver tables."""
    key = declaration.spine.key
    return build_labelled_spine(
        build_spine(spine, declaration.spine, join_keys), build_labels(labels, declaration.label, key), key, bounds
    )


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
    columns = [column for name, column in zip(inputs.names, inputs.columns, strict=True) if name not in key]
    return joined.select(*key, PREDICTION_AT, LABEL, LABEL_KNOWN_AT, FATE, *columns), inputs


def join_features(job: ModelJob, pins: Sequence[TablePin], questions: Questions, as_of: datetime) -> DataFrame:
    """Join to each question the features that were known at its time and by ``as_of``. One pin per view.

    The result is lazy. Only where the questions are many, Spark jobs look first for entities that have most of them.
    """
    tasks = job.lake.spark.sparkContext.defaultParallelism
    slices = find_slices(questions.frame, job.views, questions.rows, tasks)
    stored = [(view, _read_asked(job, view, pin, questions)) for view, pin in zip(job.views, pins, strict=True)]
    return join_as_of(questions.frame, stored, instant_to_micros(as_of), bounds=questions.span, slices=slices)


def _read_asked(job: ModelJob, view: FeatureView, pin: TablePin, questions: Questions) -> DataFrame:
    """Read a view's rows; where the questions are few, only those of the entities that they ask for."""
    stored = pin.read(job.lake)
    if questions.rows > FEW_QUESTIONS:
        return stored
    keys = list(view.entity.join_keys)
    return stored.join(F.broadcast(questions.frame.select(*keys)), on=keys, how="left_semi")


def check_row_count(rows: int, expected: int) -> None:
    """Raise a GrainError when the point-in-time join made another number of rows than it was given."""
    if rows != expected:
        message = f"the point-in-time join made {rows} rows out of {expected}"
        raise GrainError(message, "a feature table repeats its key; run `headwater materialize --full`")


def check_one_row_per_key(frame: DataFrame, key: tuple[str, ...], table: str) -> None:
    """Raise a GrainError, which names up to three keys, when a key comes twice or is NULL. Runs one Spark job."""
    is_null = reduce(or_, (F.col(name).isNull() for name in key))
    found = frame.groupBy(*key).count().where((F.col("count") > 1) | is_null).limit(3).collect()
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in key) for row in found)
        raise GrainError(f"{table} has more than one row, or no value, for the key: {keys}", "choose another spine.key")


def _check_labelled_spine(job: ModelJob, labelled: DataFrame) -> None:
    """Check the keys, unless both contracts rule repeated keys out. A label that comes twice repeats its spine row."""
    key = job.declaration.spine.key
    tables = (job.declaration.spine.table, job.declaration.label.table)
    if not all(is_unique_by(key, job.project.contract(table).key) for table in tables):
        check_one_row_per_key(labelled, key, f"silver.{tables[0]} or silver.{tables[1]}")
