"""The training set: labelled spine rows, each with the features that could be used at its ``prediction_at``.

What is read is decided first, as a spec of pinned tables and instants; from the spec alone the same rows follow again.
The rows have a content hash that does not depend on their order.
"""

from collections.abc import Iterator, Mapping
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
from features.spark.as_of import join_as_of
from training.dataset.inputs import Inputs, describe_inputs
from training.dataset.labels import FATE, LABEL, LABEL_KNOWN_AT, build_labelled_spine, build_labels
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT, build_spine, is_unique_by
from training.dataset.split import HOLDOUT, TRAINING, SplitBounds, place_split
from training.model_job import ModelJob

PARTS = (TRAINING, HOLDOUT)


@dataclass(frozen=True)
class TrainingSetSpec:
    """All that a training set follows from, besides the declarations. ``views`` are in the service's order.

    ``label_clock`` is the label table's data clock; an ``as_of`` after it says that nothing more was delivered.
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
    """Grain of ``frame``, which is lazy: the spine's key. ``rows`` counts the spine's rows by their fate."""

    spec: TrainingSetSpec
    frame: DataFrame
    inputs: Inputs
    rows: Mapping[str, int]

    @property
    def row_count(self) -> int:
        return sum(self.rows.get(part, 0) for part in PARTS)


def plan_training_set(job: ModelJob, as_of: datetime | None) -> TrainingSetSpec:
    """Bring the features to ``as_of``, by default the label table's data clock, and pin what is to be read."""
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
    """Return the spec that a run recorded, to read again what it read.

    Raises
    ------
    TrainingError : when the same rows cannot follow from it, because a declaration or a table is another one since
    """
    again = f"train again: `headwater train {job.model}`"
    declared, then = job.declaration.model_dump(mode="json"), document["declaration"]
    changed = [name for name in ("spine", "label", "features", "split") if declared[name] != then[name]]
    changed += [name for name, mark in job.fingerprints.items() if document["fingerprints"].get(name) != mark]
    pins = {pin.full_name: pin for pin in map(TablePin.from_json, document["tables"])}
    changed += [name for name, pin in pins.items() if job.lake.table_id(pin.layer, pin.name) != pin.table_id]
    if changed:
        raise TrainingError(f"the training set cannot be read again: {', '.join(changed)} changed since", again)
    declaration = job.declaration
    return TrainingSetSpec(
        place_split(declaration.split, parse_instant(document["as_of"])),
        parse_instant(document["label_clock"]),
        pins[f"silver.{declaration.spine.table}"],
        pins[f"silver.{declaration.label.table}"],
        tuple(pins[f"gold.{view.name}"] for view in job.views),
    )


@contextmanager
def open_training_set(job: ModelJob, spec: TrainingSetSpec) -> Iterator[TrainingSet]:
    """Make a training set whose labelled spine is kept in memory while the body runs.

    Raises
    ------
    GrainError : when the spine or the label table has a key twice
    """
    labelled = build_labelled(job, spec).persist()
    try:
        counted = labelled.groupBy(FATE).agg(
            F.count(F.lit(1)).alias("rows"),
            F.min(F.unix_micros(PREDICTION_AT)).alias("first"),
            F.max(F.unix_micros(PREDICTION_AT)).alias("last"),
        )
        by_fate = {row[FATE]: row for row in counted.collect()}
        _check_one_row_per_key(job, labelled)
        used = [by_fate[part] for part in PARTS if part in by_fate]
        span = (min(row["first"] for row in used), max(row["last"] for row in used)) if used else None
        frame, inputs = build_training_frame(job, spec, labelled, span)
        yield TrainingSet(spec, frame, inputs, {fate: row["rows"] for fate, row in sorted(by_fate.items())})
    finally:
        labelled.unpersist()


def build_labelled(job: ModelJob, spec: TrainingSetSpec) -> DataFrame:
    """Return the spine with labels and fates, lazily."""
    declaration = job.declaration
    spine = build_spine(spec.spine.read(job.lake), declaration.spine, job.join_keys)
    labels = build_labels(spec.labels.read(job.lake), declaration.label, declaration.spine.key)
    return build_labelled_spine(spine, labels, declaration.spine.key, spec.bounds)


def build_training_frame(
    job: ModelJob, spec: TrainingSetSpec, labelled: DataFrame, span: tuple[int, int] | None
) -> tuple[DataFrame, Inputs]:
    """Join the features to the rows that train and judge, lazily; ``span`` holds their prediction_at, in microseconds.

    Returns
    -------
    grain (spine key); key, prediction_at, the label, when it is known, the part, and the inputs: numbers as doubles,
    but for those that are key columns too. And what the inputs are
    """
    used = labelled.where(F.col(FATE).isin(*PARTS))
    joined = join_features(job, spec.views, used, spec.bounds.as_of, span)
    inputs = describe_inputs(joined, input_names(job))
    key = job.declaration.spine.key
    columns = [column for name, column in zip(inputs.names, inputs.columns, strict=True) if name not in key]
    return joined.select(*key, PREDICTION_AT, LABEL, LABEL_KNOWN_AT, FATE, *columns), inputs


def join_features(
    job: ModelJob, pins: tuple[TablePin, ...], spine: DataFrame, as_of: datetime, span: tuple[int, int] | None
) -> DataFrame:
    """Join the views of the model's service to spine rows as of an instant, lazily."""
    stored = [(view, pin.read(job.lake)) for view, pin in zip(job.views, pins, strict=True)]
    return join_as_of(spine, stored, instant_to_micros(as_of), bounds=span)


def input_names(job: ModelJob) -> tuple[str, ...]:
    """Name the model's inputs as they are declared: request columns, then features."""
    return (*job.declaration.spine.columns, *job.service.columns)


def check_one_row_per_key(frame: DataFrame, key: tuple[str, ...], table: str) -> None:
    """Check that a frame has no key twice, and none that is NULL, by one Spark job.

    Raises
    ------
    GrainError : naming up to three keys
    """
    is_null = reduce(or_, (F.col(name).isNull() for name in key))
    found = frame.groupBy(*key).count().where((F.col("count") > 1) | is_null).limit(3).collect()
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in key) for row in found)
        raise GrainError(f"{table} has more than one row, or no value, for the key: {keys}", "choose another spine.key")


def _check_one_row_per_key(job: ModelJob, labelled: DataFrame) -> None:
    """A table whose own key lies within the spine's needs no check; a key twice among the labels repeats the spine."""
    key, declaration = job.declaration.spine.key, job.declaration
    tables = (declaration.spine.table, declaration.label.table)
    if not all(is_unique_by(key, job.project.contract(table).key) for table in tables):
        check_one_row_per_key(labelled, key, f"silver.{tables[0]} or silver.{tables[1]}")
