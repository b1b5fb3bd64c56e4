"""The spine in this process: as ``spark.spine`` makes it, for expressions that Polars computes as Spark does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from conf.model import Spine
from features.local.expressions import translate
from features.local.values import INSTANT, NotLocal, Value
from training.dataset.columns import KNOWN_AT, PREDICTION_AT
from training.dataset.spine_columns import spine_expressions

Schema = Mapping[str, pl.DataType]


@dataclass(frozen=True)
class SpineExpressions:
    """A declared spine, translated: which rows are asked about, and the columns of each question."""

    where: pl.Expr
    columns: tuple[pl.Expr, ...]

    @property
    def read(self) -> list[str]:
        """The table's columns that the expressions use."""
        return columns_read([self.where, *self.columns])


def translate_spine(schema: Schema, spine: Spine, join_keys: Sequence[str]) -> SpineExpressions:
    """Translate the expressions of a spine over a table with this schema.

    Raises
    ------
    NotLocal : when one of them is left to Spark
    ConfigError : when a request column is named ``prediction_at``, or like a key column but computed otherwise
    """
    expressions = spine_expressions(spine, join_keys)
    values = {name: translate(expression, schema) for name, expression in expressions.items()}
    selected = {
        **{name: value.expr for name, value in values.items()},
        PREDICTION_AT: as_instant(values[PREDICTION_AT]),
    }
    columns = [expression.alias(name) for name, expression in selected.items()]
    where = translate(spine.where, schema)
    if where.kind != pl.Boolean():
        raise NotLocal(f"spine.where is of type {where.kind}")
    return SpineExpressions(where.expr, (*columns, pl.col(KNOWN_AT)))


def make_spine(table: pl.DataFrame, expressions: SpineExpressions) -> pl.DataFrame:
    """Turn the rows of the spine's table into questions. Grain (spine key), with ``_known_at``."""
    return table.lazy().filter(expressions.where).select(*expressions.columns).collect()


def as_instant(value: Value) -> pl.Expr:
    """Return a value as an instant; a day is its midnight in UTC."""
    if value.kind not in (INSTANT, pl.Date()):
        raise NotLocal(f"an instant is wanted, not a {value.kind}")
    if value.kind == INSTANT:
        return value.expr
    return value.expr.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def columns_read(expressions: Sequence[pl.Expr]) -> list[str]:
    """Name the columns that expressions use, each once."""
    return list(dict.fromkeys(name for expression in expressions for name in expression.meta.root_names()))


def is_known_too_late() -> pl.Expr:
    """Tell for a spine row whether it became known only after its ``prediction_at``."""
    return pl.col(KNOWN_AT) > pl.col(PREDICTION_AT)
