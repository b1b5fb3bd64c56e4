"""The spine: the rows a model is asked about, each with the instant of its question, and their labels.

The left side defines the timeline. In come a silver table with ``_known_at`` and a model's declaration; out goes one
row per spine key with ``prediction_at``, the request columns and the join keys of the features. Nothing here runs a
Spark job.
"""

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, NumericType

from conf.errors import ConfigError, Problem
from conf.instants import instant_to_micros
from conf.model import Label, Spine
from training.dataset.split import SplitBounds, build_part

PREDICTION_AT = "prediction_at"
LABEL, LABEL_KNOWN_AT, FATE = "_label", "_label_known_at", "_fate"
NO_TIME = "without_prediction_at"
KNOWN_TOO_LATE = "known_after_prediction_at"
AFTER_AS_OF = "asked_after_as_of"
WITHOUT_LABEL = "without_label"
LABEL_NOT_KNOWN = "label_not_yet_known"


def build_spine(table: DataFrame, spine: Spine, join_keys: Sequence[str]) -> DataFrame:
    """Ask the model's question of every row of the spine's table.

    Parameters
    ----------
    table : the silver table, with ``_known_at``
    join_keys : what the features are joined by; a request column of that name, else a column of the table

    Returns
    -------
    grain (spine key); key, prediction_at, request columns, join keys, ``_known_at``

    Raises
    ------
    ConfigError : when a request column takes the name of a key column or of ``prediction_at`` for another meaning
    """
    selected: dict[str, Column] = {name: F.col(name) for name in spine.key}
    selected[PREDICTION_AT] = F.expr(spine.prediction_at).cast("timestamp")
    for name, expression in spine.columns.items():
        if name in selected:
            _check_same(spine, name, expression)
        else:
            selected[name] = F.expr(expression)
    for name in join_keys:
        selected.setdefault(name, F.col(name))
    columns = [column.alias(name) for name, column in selected.items()]
    return table.where(F.expr(spine.where)).select(*columns, F.col("_known_at"))


def build_labels(table: DataFrame, label: Label, key: Sequence[str]) -> DataFrame:
    """Read each label and the instant since when it is known; that is NULL while the thing has not happened.

    Returns
    -------
    grain (spine key); ``_label`` double, NULL or NaN left as NULL; ``_label_known_at`` timestamp

    Raises
    ------
    ConfigError : when the label is neither a number nor a truth value
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
    """Give every spine row its label and its fate: the part it plays, or why it plays none.

    A row left out for several reasons gets the first of them in the order of the code.

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


def build_questions(
    spine: DataFrame, as_of: datetime, since: datetime | None, until: datetime
) -> tuple[DataFrame, DataFrame]:
    """Take the rows to be scored at ``as_of``, those with ``since <= prediction_at < until``.

    A row that became known after ``as_of`` does not exist yet.

    Returns
    -------
    the questions, and the rows that cannot be asked: ``prediction_at`` NULL, or known only after it
    """
    asked, known = F.unix_micros(PREDICTION_AT), F.unix_micros("_known_at")
    existing = spine.where(known <= instant_to_micros(as_of))
    is_asked = asked < instant_to_micros(until)
    if since is not None:
        is_asked = is_asked & (asked >= instant_to_micros(since))
    is_wrong = asked.isNull() | (is_asked & is_known_too_late())
    return existing.where(is_asked & ~is_known_too_late()), existing.where(is_wrong)


def is_known_too_late() -> Column:
    """The row became known only after the question was to be answered."""
    return F.unix_micros("_known_at") > F.unix_micros(PREDICTION_AT)


def is_unique_by(key: Sequence[str], contract_key: Sequence[str]) -> bool:
    """Tell whether a contract's own key guarantees one row per ``key``."""
    return bool(contract_key) and set(contract_key) <= set(key)


def _check_same(spine: Spine, name: str, expression: str) -> None:
    if expression.strip() != name or name == PREDICTION_AT:
        message = f"{name} is already the name of a key column or of prediction_at"
        raise ConfigError(
            [Problem(spine.table, f"spine.columns.{name}", message, "give the request column a new name")]
        )


def _check_label_type(kind: DataType, label: Label) -> None:
    if not isinstance(kind, NumericType | BooleanType):
        message = f"the label is of type {kind.simpleString()}"
        hint = "write an expression that is a number or true and false"
        raise ConfigError([Problem(label.table, "label.expr", message, hint)])
