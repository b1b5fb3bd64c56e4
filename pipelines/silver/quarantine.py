"""Rows that broke a rule, set aside with their text, the rule and the reason."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.delta.commit import Stamp
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Target, merge_new_rows
from pipelines.delta.outcome import Commit
from pipelines.delta.tables import create_table, require_columns
from pipelines.runtime.run_facts import RunFacts
from pipelines.silver.standing_row import IN_BATCH

GRAIN = ("_file_hash", "_row_number", "rule")


def build_quarantine(typed: DataFrame) -> DataFrame:
    """Return one row for each row of the batch and rule that it broke, lazily. Grain (_file_hash, _row_number, rule).

    Parameters
    ----------
    typed : ``build_typed_rows`` with ``_in_batch``
    """
    return (
        typed.where(F.col(IN_BATCH) & (F.size("_broken") > 0))
        .select("*", F.explode("_broken").alias("_rule"))
        .groupBy("_file_hash", "_row_number", F.col("_rule.rule").alias("rule"), "_file", "_delivered_at", "_load")
        .agg(F.min("_rule.reason").alias("reason"), F.first("_text").alias("raw"))
        .select("_file_hash", "_row_number", "rule", "reason", "raw", "_file", "_delivered_at", "_load")
    )


def merge_quarantine(lake: Lake, table: str, rows: DataFrame, run: RunFacts) -> Commit:
    """Insert the rows that are not in ``quarantine.<table>`` yet."""
    path = lake.path("quarantine", table)
    create_table(lake.spark, path, require_columns(rows.schema, GRAIN))
    return merge_new_rows(lake.spark, Target(path, GRAIN), rows, Stamp(table, run))
