"""The spine: the rows that a model is asked about, each with the instant of its question.

In come a silver table with ``_known_at`` and a model's declaration. Out goes one row for each spine key, with
``prediction_at``, the request columns and the join keys of the features. Nothing here runs a Spark job.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import ConfigError, Problem
from conf.model import Spine
from training.dataset.columns import KNOWN_AT, PREDICTION_AT


@dataclass(frozen=True)
class Questions:
    """Rows that features are joined to: ``prediction_at``, the join keys, and any other columns.

    ``rows`` is their number, ``span`` their least and greatest prediction_at in microseconds.
    """

    frame: DataFrame
    rows: int
    span: tuple[int, int]


def build_spine(table: DataFrame, spine: Spine, join_keys: Sequence[str]) -> DataFrame:
    """Turn the rows of the spine's table into the questions that a model is asked, lazily.

    Parameters
    ----------
    table : the silver table, with ``_known_at``
    join_keys : the join keys of the features; each is the request column of its name, else the table's column

    Returns
    -------
    grain (spine key); key, prediction_at, request columns, join keys, ``_known_at``

    Raises
    ------
    ConfigError : when a request column is named ``prediction_at``, or like a key column but computed otherwise
    """
    selected: dict[str, Column] = {name: F.col(name) for name in spine.key}
    selected[PREDICTION_AT] = F.expr(spine.prediction_at).cast("timestamp")
    for name, expression in spine.columns.items():
        if name not in selected:
            selected[name] = F.expr(expression)
        elif expression.strip() != name or name == PREDICTION_AT:
            message = f"{name} is already the name of a key column or of prediction_at"
            hint = "give the request column a new name"
            raise ConfigError([Problem(spine.table, f"spine.columns.{name}", message, hint)])
    for name in join_keys:
        selected.setdefault(name, F.col(name))
    columns = [column.alias(name) for name, column in selected.items()]
    return table.where(F.expr(spine.where)).select(*columns, KNOWN_AT)


def is_known_too_late() -> Column:
    """Tell for a spine row whether it became known only after its ``prediction_at``."""
    return F.unix_micros(KNOWN_AT) > F.unix_micros(PREDICTION_AT)
