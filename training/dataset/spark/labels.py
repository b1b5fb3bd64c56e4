"""The label of each spine row, and the row's fate: it trains the model, judges it, or is left out for a reason."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, NumericType

from conf.errors import ConfigError, Problem
from conf.instants import instant_to_micros
from conf.model import Label
from training.dataset.columns import (
    AFTER_AS_OF,
    BETWEEN,
    FATE,
    HOLDOUT,
    KNOWN_TOO_LATE,
    LABEL,
    LABEL_KNOWN_AT,
    LABEL_NOT_KNOWN,
    NO_TIME,
    PREDICTION_AT,
    TRAINING,
    WITHOUT_LABEL,
)
from training.dataset.spark.spine import is_known_too_late
from training.dataset.split import SplitBounds


def build_labels(table: DataFrame, label: Label, key: Sequence[str]) -> DataFrame:
    """Compute each label and when it became known: the later of ``happened_at`` and of ``_known_at``, lazily.

    Returns
    -------
    grain (spine key); ``_label`` double, NULL where it was NaN; ``_label_known_at`` timestamp, NULL where
    ``happened_at`` is NULL, because the labelled thing has not happened yet

    Raises
    ------
    ConfigError : when the label is neither a number nor a boolean
    """
    happened_at = F.expr(label.happened_at).cast("timestamp")
    known_at = F.when(happened_at.isNotNull(), F.greatest(happened_at, F.col("_known_at")))
    value = F.expr(label.expr)
    _check_label_type(table.select(value).schema[0].dataType, label)
    number = value.cast("double")
    return table.select(
        *(F.col(name) for name in key),
        F.when(~F.isnan(number), number).alias(LABEL),
        known_at.alias(LABEL_KNOWN_AT),
    )


def build_labelled_spine(spine: DataFrame, labels: DataFrame, key: Sequence[str], bounds: SplitBounds) -> DataFrame:
    """Give every spine row its label and its fate: the part that it belongs to, or why it is left out.

    Where several reasons apply to a row, its fate is the first of them in the order of ``columns``.

    Parameters
    ----------
    spine, labels : grain (spine key)

    Returns
    -------
    grain (spine key), exactly one row per spine row; the spine's columns, ``_label``, ``_label_known_at``, ``_fate``
    """
    as_of = instant_to_micros(bounds.as_of)
    asked, known = F.unix_micros(PREDICTION_AT), F.unix_micros(LABEL_KNOWN_AT)
    fate = (
        F.when(asked.isNull(), NO_TIME)
        .when(asked > as_of, AFTER_AS_OF)
        .when(is_known_too_late(), KNOWN_TOO_LATE)
        .when(F.col(LABEL).isNull(), WITHOUT_LABEL)
        .when(known.isNull() | (known > as_of), LABEL_NOT_KNOWN)
        .otherwise(build_part(bounds, F.col(PREDICTION_AT), F.col(LABEL_KNOWN_AT)))
    )
    joined = spine.join(labels, on=list(key), how="left")
    return joined.select(*spine.columns, LABEL, LABEL_KNOWN_AT, fate.alias(FATE))


def build_part(bounds: SplitBounds, prediction_at: Column, label_known_at: Column) -> Column:
    """Return ``training``, ``holdout`` or ``between`` for a row whose label is known by ``as_of``."""
    asked, known = F.unix_micros(prediction_at), F.unix_micros(label_known_at)
    split_at = instant_to_micros(bounds.split_at)
    is_training = (asked < instant_to_micros(bounds.train_until)) & (known <= split_at)
    is_holdout = (asked >= split_at) & (asked < instant_to_micros(bounds.holdout_until))
    return F.when(is_training, TRAINING).when(is_holdout, HOLDOUT).otherwise(BETWEEN)


def _check_label_type(kind: DataType, label: Label) -> None:
    if not isinstance(kind, NumericType | BooleanType):
        message = f"the label is of type {kind.simpleString()}"
        hint = "write an expression whose value is a number or a boolean"
        raise ConfigError([Problem(label.table, "label.expr", message, hint)])
