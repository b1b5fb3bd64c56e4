"""The labels in this process: as ``spark.labels`` makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from conf.errors import ConfigError, Problem
from conf.model import Label
from features.local.expressions import translate
from training.dataset.columns import (
    AFTER_AS_OF,
    BETWEEN,
    FATE,
    HOLDOUT,
    KNOWN_AT,
    KNOWN_TOO_LATE,
    LABEL,
    LABEL_KNOWN_AT,
    LABEL_NOT_KNOWN,
    NO_TIME,
    PREDICTION_AT,
    TRAINING,
    WITHOUT_LABEL,
)
from training.dataset.local.doubles import as_double
from training.dataset.local.spine import Schema, as_instant, columns_read, is_known_too_late
from training.dataset.split import SplitBounds


@dataclass(frozen=True)
class LabelExpressions:
    """A declared label, translated: its value, and when the labelled thing happened."""

    value: pl.Expr
    happened_at: pl.Expr

    @property
    def read(self) -> list[str]:
        return columns_read([self.value, self.happened_at])


def translate_label(schema: Schema, label: Label) -> LabelExpressions:
    """Translate the expressions of a label over a table with this schema.

    Raises
    ------
    NotLocal : when one of them is left to Spark
    ConfigError : when the label is neither a number nor a boolean
    """
    value = translate(label.expr, schema)
    if not value.kind.is_numeric() and value.kind != pl.Boolean():
        hint = "write an expression whose value is a number or a boolean"
        raise ConfigError([Problem(label.table, "label.expr", f"the label is of type {value.kind}", hint)])
    return LabelExpressions(value.expr, as_instant(translate(label.happened_at, schema)))


def make_labels(table: pl.DataFrame, expressions: LabelExpressions, key: Sequence[str]) -> pl.DataFrame:
    """Compute each label and when it became known: the later of ``happened_at`` and of ``_known_at``.

    Returns
    -------
    grain (spine key); ``_label`` double, NULL where it was NaN; ``_label_known_at``, NULL where ``happened_at`` is
    """
    happened_at = expressions.happened_at
    known_at = pl.when(happened_at.is_not_null()).then(pl.max_horizontal(happened_at, pl.col(KNOWN_AT)))
    made = table.select(*key, expressions.value.alias(LABEL), known_at.alias(LABEL_KNOWN_AT))
    return made.with_columns(as_double(made[LABEL]).fill_nan(None))


def make_labelled_spine(
    spine: pl.DataFrame, labels: pl.DataFrame, key: Sequence[str], bounds: SplitBounds
) -> pl.DataFrame:
    """Give every spine row its label and its fate: the part that it belongs to, or why it is left out.

    Returns
    -------
    grain (spine key), exactly one row per spine row; the spine's columns, ``_label``, ``_label_known_at``, ``_fate``
    """
    asked, known = pl.col(PREDICTION_AT), pl.col(LABEL_KNOWN_AT)
    as_of = _instant(bounds.as_of)
    is_training = (asked < _instant(bounds.train_until)) & (known <= _instant(bounds.split_at))
    is_holdout = (asked >= _instant(bounds.split_at)) & (asked < _instant(bounds.holdout_until))
    fate = (
        pl.when(asked.is_null()).then(pl.lit(NO_TIME))
        .when(asked > as_of).then(pl.lit(AFTER_AS_OF))
        .when(is_known_too_late()).then(pl.lit(KNOWN_TOO_LATE))
        .when(pl.col(LABEL).is_null()).then(pl.lit(WITHOUT_LABEL))
        .when(known.is_null() | (known > as_of)).then(pl.lit(LABEL_NOT_KNOWN))
        .when(is_training).then(pl.lit(TRAINING))
        .when(is_holdout).then(pl.lit(HOLDOUT))
        .otherwise(pl.lit(BETWEEN))
    )  # fmt: skip
    joined = spine.join(labels, on=list(key), how="left", nulls_equal=False)
    return joined.select(*spine.columns, LABEL, LABEL_KNOWN_AT, fate.alias(FATE))


def _instant(instant: datetime) -> pl.Expr:
    return pl.lit(instant, pl.Datetime("us", "UTC"))
