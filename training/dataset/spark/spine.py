"""The spine: the rows that a model is asked about, each with the instant of its question.

In come a silver table with ``_known_at`` and a model's declaration. Out goes one row for each spine key, with
``prediction_at``, the request columns and the join keys of the features. Nothing here runs a Spark job.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.model import Spine
from training.dataset.columns import KNOWN_AT, PREDICTION_AT
from training.dataset.spine_columns import spine_expressions


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
    selected = {name: F.expr(expression) for name, expression in spine_expressions(spine, join_keys).items()}
    selected[PREDICTION_AT] = selected[PREDICTION_AT].cast("timestamp")
    columns = [column.alias(name) for name, column in selected.items()]
    return table.where(F.expr(spine.where)).select(*columns, KNOWN_AT)


def is_known_too_late() -> Column:
    """Tell for a spine row whether it became known only after its ``prediction_at``."""
    return F.unix_micros(KNOWN_AT) > F.unix_micros(PREDICTION_AT)
