"""A translated expression with its type, and the types that Spark and Polars share."""

from dataclasses import dataclass

import polars as pl
from sqlglot import exp

INSTANT = pl.Datetime("us", "UTC")
INTEGERS = (pl.Int32(), pl.Int64())


class NotLocal(Exception):
    """This expression is not translated; the message says which part of it."""


@dataclass(frozen=True)
class Value:
    """A translated expression and its type, which is the type that Spark gives it."""

    expr: pl.Expr
    kind: pl.DataType


def refuse(node: exp.Expr, *kinds: pl.DataType) -> NotLocal:
    """Return why a node is not translated; with ``kinds``, the types for which it is not."""
    of = f" of {' and '.join(str(kind) for kind in kinds)}" if kinds else ""
    return NotLocal(f"{node.sql(dialect='spark')}{of} is left to Spark")
