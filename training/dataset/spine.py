"""The spine: the rows a model is asked about, each with the instant of its question, and their labels.

The left side defines the timeline. In come a silver table with ``_known_at`` and a model's declaration; out goes one
row per spine key with ``prediction_at``, the request columns and the join keys of the features. Nothing here runs a
Spark job.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import ConfigError, Problem
from conf.model import Spine

PREDICTION_AT = "prediction_at"


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
