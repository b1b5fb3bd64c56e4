"""Literal bounds of a batch, so that Delta prunes the files of the table it is merged into.

Equality of keys never prunes; literals do. A key is never NULL, so bounds on it never lose a row; a row's partition
may change with its content, so both the old and the new one are named.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.instants import format_instant

MOST_PARTITIONS = 200


def sql_literal(value: Any) -> str:
    """Write a value as Spark SQL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case datetime():
            return f"TIMESTAMP '{format_instant(value)}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case int() | Decimal():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
    raise TypeError(f"no literal for {value!r}")


def key_bounds(rows: DataFrame, contract: Contract, alias: str = "") -> list[str]:
    """Return ``k >= lo AND k <= hi`` for each column of the grain; none when there are no rows. One Spark job."""
    grain = contract.grain
    sides = [side(name).alias(f"{side.__name__}_{name}") for name in grain for side in (F.min, F.max)]
    found = rows.agg(*sides).first()
    if found is None or any(value is None for value in found):
        return []
    bounds = []
    for name in grain:
        low, high = sql_literal(found[f"min_{name}"]), sql_literal(found[f"max_{name}"])
        bounds.append(f"{alias}`{name}` >= {low} AND {alias}`{name}` <= {high}")
    return bounds


def partition_bounds(written: DataFrame, contract: Contract, alias: str = "") -> list[str]:
    """Return ``p IN (…)`` with the old and new partitions of the rows to write. One Spark job for each column."""
    bounds = []
    for name in contract.partition_by:
        new = written.select(F.col(name))
        old = written.where(F.col("_old").isNotNull()).select(F.col("_old")[name].alias(name))
        values = [row[0] for row in new.union(old).distinct().limit(MOST_PARTITIONS + 1).collect()]
        if 0 < len(values) <= MOST_PARTITIONS and None not in values:
            bounds.append(f"{alias}`{name}` IN ({', '.join(sorted(map(sql_literal, values)))})")
    return bounds
