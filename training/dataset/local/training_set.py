"""A training set made in this process: labelled spine rows, each with the features that could be used at its time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from conf.instants import instant_to_micros
from pipelines.delta.lake import LakeTables
from pipelines.reading.point_in_time import join_stored
from training.dataset.columns import FATE, KNOWN_AT, LABEL, LABEL_KNOWN_AT, PARTS, PREDICTION_AT, is_unique_by
from training.dataset.grain import refuse_repeated_keys
from training.dataset.inputs import NUMBER, TEXT, Inputs, make_inputs
from training.dataset.local.doubles import as_double
from training.dataset.local.labels import LabelExpressions, make_labelled_spine, make_labels, translate_label
from training.dataset.local.row_hash import add_row_hash
from training.dataset.local.spine import SpineExpressions, make_spine, translate_spine
from training.dataset.pins import TablePin
from training.dataset.rows import TrainingRows, order_rows
from training.dataset.spec import TrainingSetSpec
from training.model_job import ModelJob


@dataclass(frozen=True)
class Translated:
    """The expressions of a model, translated for the tables of a spec."""

    spine: SpineExpressions
    label: LabelExpressions


def translate_model(job: ModelJob, spec: TrainingSetSpec) -> Translated:
    """Translate the expressions of a model's spine and label.

    Raises
    ------
    NotLocal : when one of them is left to Spark
    """
    declaration = job.declaration
    spine, label = (schema_of(job.lake, pin) for pin in (spec.spine, spec.labels))
    return Translated(
        translate_spine(spine, declaration.spine, job.join_keys), translate_label(label, declaration.label)
    )


def make_rows(job: ModelJob, spec: TrainingSetSpec) -> TrainingRows:
    """Make a training set.

    Raises
    ------
    GrainError : when the spine or the label table has a key twice, or one that is NULL
    NotLocal : when an expression of the model is left to Spark
    """
    labelled = make_labelled(job, spec)
    fates = dict(sorted(labelled[FATE].value_counts().iter_rows()))
    used = labelled.filter(pl.col(FATE).is_in(PARTS))
    joined = join_features(job, spec.views, used, spec.bounds.as_of)
    inputs = describe_inputs(joined, job)
    key = job.declaration.spine.key
    columns = [input_column(joined[name], kind) for name, kind in inputs.kinds.items() if name not in key]
    rows = joined.select(*key, PREDICTION_AT, LABEL, LABEL_KNOWN_AT, FATE).with_columns(columns)
    return order_rows(add_row_hash(rows).to_arrow(), inputs, fates)


def make_labelled(job: ModelJob, spec: TrainingSetSpec) -> pl.DataFrame:
    """Return the spine with labels and fates. Grain (spine key)."""
    translated, key = translate_model(job, spec), job.declaration.spine.key
    spine = make_spine(read_pin(job.lake, spec.spine, translated.spine.read), translated.spine)
    read = list(dict.fromkeys((*key, *translated.label.read, KNOWN_AT)))
    labels = make_labels(read_pin(job.lake, spec.labels, read), translated.label, key)
    labelled = make_labelled_spine(spine, labels, key, spec.bounds)
    tables = (job.declaration.spine.table, job.declaration.label.table)
    if not all(is_unique_by(key, job.project.contract(table).key) for table in tables):
        check_one_row_per_key(labelled, key, f"silver.{tables[0]} or silver.{tables[1]}")
    return labelled


def join_features(job: ModelJob, pins: tuple[TablePin, ...], spine: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Join to each spine row the features that were known at its time and by ``as_of``. One pin per view."""
    versions = zip(job.views, (pin.version for pin in pins), strict=True)
    return join_stored(job.lake, spine, list(versions), instant_to_micros(as_of))


def describe_inputs(frame: pl.DataFrame, job: ModelJob) -> Inputs:
    """Find out from the column types of a frame which inputs are numbers and which are texts.

    Raises
    ------
    ConfigError : names every column whose type a model cannot take as it is
    """
    types = {name: frame.schema[name] for name in job.input_names}
    kinds = {name: _kind_of(kind) for name, kind in types.items()}
    return make_inputs(kinds, {name: str(kind) for name, kind in types.items()})


def input_column(column: pl.Series, kind: str) -> pl.Series:
    return column if kind == TEXT else as_double(column)


def check_one_row_per_key(frame: pl.DataFrame, key: tuple[str, ...], table: str) -> None:
    """Raise a GrainError, which names up to three keys, when a key comes twice or is NULL."""
    has_null = pl.any_horizontal(pl.col(name).is_null() for name in key)
    found = frame.group_by(*key).len().filter((pl.col("len") > 1) | has_null).sort(*key).head(3)
    refuse_repeated_keys(found.to_dicts(), key, table)


def schema_of(lake: LakeTables, pin: TablePin) -> Mapping[str, pl.DataType]:
    """Return the columns of a pinned table with their types."""
    empty = pl.from_arrow(lake.schema(pin.layer, pin.name, pin.version).empty_table())
    return empty.schema if isinstance(empty, pl.DataFrame) else {}


def read_pin(lake: LakeTables, pin: TablePin, columns: list[str], where: str = "true") -> pl.DataFrame:
    """Read some columns of a pinned table."""
    table = lake.rows(pin.layer, pin.name, where, columns=columns, version=pin.version)
    return pl.DataFrame(pl.from_arrow(table))


def _kind_of(kind: pl.DataType) -> str | None:
    if isinstance(kind, pl.String):
        return TEXT
    return NUMBER if kind.is_numeric() or isinstance(kind, pl.Boolean) else None
