"""The label of each spine row, and the row's fate: it trains the model, judges it, or is left out for a reason."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, NumericType

from conf.errors import ConfigError, Problem
from conf.instants import instant_to_micros
from conf.model import Label
from training.dataset.spine import PREDICTION_AT, is_known_too_late
from training.dataset.split import SplitBounds, build_part

LABEL, LABEL_KNOWN_AT, FATE = "_label", "_label_known_at", "_fate"
NO_TIME = "without_prediction_at"
KNOWN_TOO_LATE = "known_after_prediction_at"
AFTER_AS_OF = "asked_after_as_of"
WITHOUT_LABEL = "without_label"
LABEL_NOT_KNOWN = "label_not_yet_known"


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

    Where several reasons apply to a row, its fate is the first of them in the order of the code.

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


def _check_label_type(kind: DataType, label: Label) -> None:
    if not isinstance(kind, NumericType | BooleanType):
        message = f"the label is of type {kind.simpleString()}"
        hint = "write an expression whose value is a number or a boolean"
        raise ConfigError([Problem(label.table, "label.expr", message, hint)])
