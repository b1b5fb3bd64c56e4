"""The rows of a batch, counted file by file: once when they are typed, once when each key's row is chosen.

Each count is one Spark job. The same job finds the least and greatest keys and the partitions of the rows. They become
the literal conditions by which Delta skips files, so the rows need not be read again for those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from conf.contract import Contract
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Difference
from pipelines.silver.standing_row import ACCEPTED, IN_BATCH, OLD, REPEATED, SUPERSEDED

FATES = (ACCEPTED, SUPERSEDED, REPEATED)
MOST_PARTITIONS = 200


@dataclass(frozen=True)
class TypedCounts:
    """The counts of a typed batch. ``files`` has, by file hash, the broken rows and the greatest known time in µs."""

    files: dict[str, tuple[int, int | None]]
    failing: int
    failed_rules: tuple[str, ...]
    warned: int
    key_bounds: list[str]


@dataclass(frozen=True)
class StandingCounts:
    """The counts once each key's row is chosen. ``files`` has, by file hash, the rows of each fate.

    ``heaviest_key`` is the number of versions of the key with the most. ``difference`` counts the rows that will be
    written, and ``bounds`` are literal conditions that hold for all of them.
    """

    files: dict[str, dict[str, int]]
    heaviest_key: int
    difference: Difference
    bounds: list[str]


def count_typed_rows(typed: DataFrame, contract: Contract) -> TypedCounts:
    """Count a typed batch (``build_typed_rows`` with ``_in_batch``). One Spark job."""
    is_broken = F.size("_broken") > 0
    rows = typed.groupBy("_file_hash", IN_BATCH).agg(
        F.count_if(is_broken).alias("broken"),
        F.unix_micros(F.max(F.when(~is_broken, F.col("_known_at")))).alias("known"),
        F.count_if(F.size("_failed") > 0).alias("failing"),
        F.array_distinct(F.flatten(F.collect_set("_failed"))).alias("failed"),
        F.count_if(F.size("_warned") > 0).alias("warned"),
        *_edges(contract.grain, ~is_broken),
    ).collect()  # fmt: skip
    batch = [row for row in rows if row[IN_BATCH]]
    return TypedCounts(
        {row["_file_hash"]: (row["broken"], row["known"]) for row in batch},
        sum(row["failing"] for row in batch),
        tuple(sorted({rule for row in batch for rule in row["failed"]})),
        sum(row["warned"] for row in batch),
        _key_bounds(rows, contract.grain),
    )


def count_standing_rows(standing: DataFrame, contract: Contract) -> StandingCounts:
    """Count the rows of ``build_standing_rows``. One Spark job."""
    is_written, has_old = F.col("_is_written"), F.col(OLD).isNotNull()
    partitions: list[Column] = []
    for name in contract.partition_by:
        new, old = F.col(name), F.col(OLD)[name]
        has_null = new.isNull() | (has_old & old.isNull())
        partitions.append(F.collect_set(F.when(is_written, new)).alias(f"new_{name}"))
        partitions.append(F.collect_set(F.when(is_written, old)).alias(f"old_{name}"))
        partitions.append(F.bool_or(is_written & has_null).alias(f"null_{name}"))
    rows = standing.groupBy("_file_hash", IN_BATCH).agg(
        *[F.count_if(F.col("_fate") == fate).alias(fate) for fate in FATES],
        F.max("_key_rows").alias("heaviest"),
        F.count_if(is_written & ~has_old).alias("new"),
        F.count_if(is_written & has_old).alias("changed"),
        *_edges(contract.grain, is_written), *partitions,
    ).collect()  # fmt: skip
    batch = [row for row in rows if row[IN_BATCH]]
    bounds = _key_bounds(rows, contract.grain, "t.")
    bounds += [bound for name in contract.partition_by for bound in _partition_bound(rows, name)]
    return StandingCounts(
        {row["_file_hash"]: {fate: row[fate] for fate in FATES} for row in batch},
        max((row["heaviest"] for row in batch), default=0),
        Difference(sum(row["new"] for row in rows), sum(row["changed"] for row in rows)),
        bounds,
    )


def _edges(grain: Sequence[str], condition: Column) -> list[Column]:
    """Return, for each column of the grain, its least and its greatest value where the condition holds."""
    values = [(name, F.when(condition, F.col(name))) for name in grain]
    return [side(value).alias(f"{side.__name__}_{name}") for name, value in values for side in (F.min, F.max)]


def _key_bounds(rows: Sequence[Row], grain: Sequence[str], alias: str = "") -> list[str]:
    """Return ``k >= low AND k <= high`` for each column of the grain, which is never NULL; nothing without rows."""
    bounds = []
    for name in grain:
        lows = [row[f"min_{name}"] for row in rows if row[f"min_{name}"] is not None]
        highs = [row[f"max_{name}"] for row in rows if row[f"max_{name}"] is not None]
        if lows:
            low, high = sql_literal(min(lows)), sql_literal(max(highs))
            bounds.append(f"{alias}`{name}` >= {low} AND {alias}`{name}` <= {high}")
    return bounds


def _partition_bound(rows: Sequence[Row], name: str) -> list[str]:
    """Name the partitions that the written rows leave and enter. No condition where they are many, or one is NULL."""
    values: set[Any] = {value for row in rows for side in ("new", "old") for value in row[f"{side}_{name}"]}
    if any(row[f"null_{name}"] for row in rows) or not 0 < len(values) <= MOST_PARTITIONS:
        return []
    return [f"t.`{name}` IN ({', '.join(sorted(map(sql_literal, values)))})"]
