"""Whether both engines give the same answers: the training set of a model, or the values of a view, made by each.

Every cell is compared. A view is asked, for each of its stored rows, just before the row may be used, from that moment
on, and half a hop later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from conf.errors import NotFound
from conf.instants import format_instant, instant_to_micros, parse_instant
from features.definitions import FeatureView
from features.join_keys import PREDICTION_AT
from features.local.as_of import INSTANT
from features.local.as_of import join_as_of as join_locally
from features.local.values import NotLocal
from pipelines.delta.lake import Lake
from training.dataset.columns import ROW_HASH
from training.dataset.local.training_set import make_rows
from training.dataset.rows import TrainingRows
from training.dataset.spec import pin_training_set, place_bounds
from training.model_job import ModelJob

SHOWN = 3
MOST_POINTS = 100_000
_ROW, _MADE, _BY_SPARK = "_row", "_made", "_by_spark"


@dataclass(frozen=True)
class Difference:
    """One cell in which the engines differ. ``where`` names the row by its key."""

    where: str
    column: str
    local: str
    spark: str


@dataclass(frozen=True)
class Comparison:
    """What the comparison of one model or view found.

    Parameters
    ----------
    differing : how many cells differ; a row that one engine lacks counts as one cell
    examples : up to three of them
    not_compared : why there is nothing to compare; '' when there was
    """

    name: str
    rows: int = 0
    columns: int = 0
    differing: int = 0
    examples: tuple[Difference, ...] = ()
    not_compared: str = ""


def compare_model(job: ModelJob) -> Comparison:
    """Make a model's training set as of now by both engines, and compare every cell.

    Raises
    ------
    NotFound : when the features are not complete as of now
    """
    bounds = place_bounds(job, None)
    if not job.has_features(bounds.as_of):
        message = f"the features of {job.model} are not complete through {format_instant(bounds.as_of)}"
        raise NotFound(message, "run `headwater materialize`")
    spec = pin_training_set(job, bounds)
    try:
        local = make_rows(job, spec)
    except NotLocal as reason:
        return Comparison(job.model, not_compared=f"only Spark can make it: {reason}")
    from training.dataset.spark.training_set import collect_rows, open_training_set

    with open_training_set(job, spec) as training_set:
        spark = collect_rows(job, training_set)
    key = [*job.declaration.spine.key, PREDICTION_AT]
    return compare_frames(job.model, _as_frame(local), _as_frame(spark), key)


def compare_view(lake: Lake, view: FeatureView) -> Comparison:
    """Ask a view by both engines at the moments where its values change.

    Raises
    ------
    NotFound : when the view has no table
    """
    from features.spark.as_of import join_as_of as join_by_spark

    through = lake.last_commit("gold", view.name).metadata.get("through")
    if through is None:
        raise NotFound(f"the view {view.name} has no table yet", "run `headwater materialize`")
    stored = pl.DataFrame(pl.from_arrow(lake.rows("gold", view.name)))
    spine, as_of_us = make_questions(stored, view), instant_to_micros(parse_instant(through))
    local = join_locally(spine, [(view, stored)], as_of_us, with_times=True)
    asked = lake.spark.createDataFrame(spine.to_arrow())
    joined = join_by_spark(asked, [(view, lake.read("gold", view.name))], as_of_us, with_times=True)
    return compare_frames(view.name, local, pl.DataFrame(pl.from_arrow(joined.toArrow())), [_ROW])


def make_questions(stored: pl.DataFrame, view: FeatureView) -> pl.DataFrame:
    """Ask about each stored row's entity round the moment from which the row may be used, and about no entity.

    Returns
    -------
    grain (_row): the join keys, prediction_at
    """
    keys, after_us = list(view.entity.join_keys), view.available_after_micros
    moments = pl.col("feature_at").dt.epoch("us") + after_us
    points = stored.sort("feature_at", *keys, descending=True).head(MOST_POINTS)
    shifts = (-1, 0, view.hop_micros // 2)
    asked = [points.select(*keys, (moments + shift).cast(INSTANT).alias(PREDICTION_AT)) for shift in shifts]
    nobody = asked[0].head(1).with_columns(pl.lit(None, stored.schema[keys[0]]).alias(keys[0]))
    never = asked[0].head(1).with_columns(pl.lit(None, INSTANT).alias(PREDICTION_AT))
    return pl.concat([*asked, nobody, never]).with_row_index(_ROW).with_columns(pl.col(_ROW).cast(pl.Int64))


def compare_frames(name: str, local: pl.DataFrame, spark: pl.DataFrame, key: Sequence[str]) -> Comparison:
    """Compare two frames of the same grain cell by cell. NULL equals NULL and NaN equals NaN."""
    columns = [column for column in local.columns if column not in key]
    types = [
        Difference("all rows", column, f"of type {local.schema[column]}", f"of type {spark.schema[column]}")
        for column in local.columns
        if local.schema[column] != spark.schema[column]
    ]
    if types:
        return Comparison(name, local.height, len(columns), len(types) * local.height, tuple(types[:SHOWN]))
    both = local.with_columns(pl.lit(True).alias(_MADE)).join(
        spark.with_columns(pl.lit(True).alias(_MADE)), on=list(key), how="full", suffix=_BY_SPARK, nulls_equal=True
    )
    differing, examples = 0, list[Difference]()
    for column in [_MADE, *columns]:
        found = both.filter(pl.col(column).ne_missing(pl.col(f"{column}{_BY_SPARK}")))
        differing += found.height
        for row in found.head(SHOWN - len(examples)).to_dicts():
            values = ((row[part], row[f"{part}{_BY_SPARK}"]) for part in key)
            where = ", ".join(f"{part}={a if b is None else b}" for part, (a, b) in zip(key, values, strict=True))
            examples.append(Difference(where, column, str(row[column]), str(row[f"{column}{_BY_SPARK}"])))
    return Comparison(name, local.height, len(columns), differing, tuple(examples))


def _as_frame(rows: TrainingRows) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(rows.table)).drop(ROW_HASH)
