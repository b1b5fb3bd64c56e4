"""The row that stands for a key in silver. It follows from the set of the key's accepted versions.

The last version stands, by a total order: ``order_by`` with NULL as the oldest, then the delivery time, then a hash
of the row. Its ``_known_at`` is the least among all versions of the key. So the order in which they came is no matter.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.contract import Contract

IN_BATCH, IS_VERSION, OLD = "_in_batch", "_is_version", "_old"
ACCEPTED, SUPERSEDED, REPEATED = "accepted", "superseded", "repeated"


def build_standing_rows(versions: DataFrame, contract: Contract) -> DataFrame:
    """Choose the version of each key that stands, and compare it with the row that silver has.

    Parameters
    ----------
    versions : accepted versions, one row for each; the contract's columns, ``_known_at``, where the version came from;
        ``_in_batch``, true for the rows that this load brings; ``_is_version``; and ``_old``, the row that silver has
        for the key (struct), in at most one row of each key. A row with ``_is_version`` false only brings ``_old``

    Returns
    -------
    the versions, with ``_known_at`` the least of their key, and: ``_fate`` (accepted, superseded, or repeated when the
    content is that of the version that stands); ``_is_written``, true for a row that silver must take; ``_old``, the
    row that silver has (struct, NULL when none); ``_key_rows``, the number of versions of the key
    """
    grain, columns = list(contract.grain), list(contract.column_names)
    by_key = Window.partitionBy(*grain)
    ranked = by_key.orderBy(F.col(IS_VERSION).desc(), *_total_order(contract))
    content = F.xxhash64(*[part for name in columns for part in (F.col(name).isNull(), F.col(name))])
    is_version = F.col(IS_VERSION)
    frame = versions.withColumn("_hash", content).withColumns(
        {
            "_last_hash": F.first("_hash").over(ranked),
            "_rank": F.row_number().over(ranked),
            "_known_at": F.min(F.when(is_version, F.col("_known_at"))).over(by_key),
            "_key_rows": F.count_if(is_version).over(by_key),
            OLD: F.first(OLD, ignorenulls=True).over(by_key),
        }
    )
    is_same_as_old = F.col(OLD).isNotNull()
    for name in columns:
        is_same_as_old &= F.col(name).eqNullSafe(F.col(OLD)[name])
    is_known_earlier = F.col("_known_at") < F.col(OLD)["_known_at"]
    is_last = F.col("_rank") == 1
    is_repeat = F.col("_hash") == F.col("_last_hash")
    fate = F.when(is_last & ~is_same_as_old, ACCEPTED).when(is_repeat, REPEATED).otherwise(SUPERSEDED)
    is_written = is_last & (~is_same_as_old | F.coalesce(is_known_earlier, F.lit(False)))
    provenance = [name for name in ("_file_hash", "_row_number") if name not in grain]
    return frame.where(is_version).select(
        *columns, "_known_at", *[name for name in grain if name not in columns], *provenance, IN_BATCH,
        fate.alias("_fate"), is_written.alias("_is_written"), OLD, "_key_rows",
    )  # fmt: skip


def _total_order(contract: Contract) -> list[Column]:
    latest = [F.col(name).desc_nulls_last() for name in (*contract.order_by, "_delivered_at", "_row_hash")]
    return [*latest, F.col("_file_hash").asc(), F.col("_row_number").asc()]
