"""Bronze → silver: type the unread rows, set aside those that break a rule, keep the last version of each key.

The unread rows are those of the bronze loads after the cursor in silver's own commit. Three tables are written, in
this order: quarantine, ``ops.files`` with the rows accounted for, silver with its cursor. Each write follows from the
batch and from silver as it was before. So a job that was killed anywhere in between is simply run again.
"""

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import Contract
from conf.errors import ExpectationFailed
from conf.instants import micros_to_instant
from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Target, merge_new_rows, write_difference
from pipelines.delta.tables import MARKS_ROWS, create_table, require_columns
from pipelines.ledger.file_records import FileRecord
from pipelines.ledger.ledger import Ledger
from pipelines.load_report import SilverReport
from pipelines.runtime.run_facts import RunFacts
from pipelines.silver.counts import FATES, StandingCounts, TypedCounts, count_standing_rows, count_typed_rows
from pipelines.silver.standing_row import ACCEPTED, IN_BATCH, REPEATED, SUPERSEDED, build_standing_rows
from pipelines.silver.unread_batch import UnreadBatch, build_versions, read_typed_batch

CHANGE_FEED = {"delta.enableChangeDataFeed": "true"}
GRAIN = ("_file_hash", "_row_number", "rule")


def load_silver(lake: Lake, contract: Contract, ledger: Ledger, run: RunFacts) -> SilverReport:
    """Bring every bronze load that silver has not read into silver.

    Raises
    ------
    ExpectationFailed : when rows break an expectation whose action is ``fail``; nothing is written then
    """
    name = contract.name
    version = lake.version("silver", name)
    records = ledger.of(name)
    until = max((record.load for record in records if record.load is not None), default=-1)
    last = lake.last_commit("silver", name) if version >= 0 else None
    after = last.cursor if last else -1
    if until <= after or not lake.exists("bronze", name):
        return SilverReport(unchanged(version), unchanged(lake.version("quarantine", name)))
    batch = UnreadBatch(contract, records, after, until, last.generation if last else 0)
    typed = read_typed_batch(lake, batch).persist()
    try:
        _create_silver(lake, contract, typed.schema)
        return _load_batch(lake, batch, typed, ledger, run)
    finally:
        typed.unpersist()


def _create_silver(lake: Lake, contract: Contract, typed: StructType) -> None:
    kept = (*contract.column_names, "_known_at", *[n for n in contract.grain if n not in contract.column_names])
    schema = require_columns(StructType([typed[name] for name in kept]), (*contract.grain, "_known_at"))
    path = lake.path("silver", contract.name)
    create_table(lake.spark, path, schema, contract.partition_by, MARKS_ROWS | CHANGE_FEED)


def _load_batch(lake: Lake, batch: UnreadBatch, typed: DataFrame, ledger: Ledger, run: RunFacts) -> SilverReport:
    contract, name = batch.contract, batch.contract.name
    typed_counts = count_typed_rows(typed, contract)
    if typed_counts.failing:
        rules = ", ".join(typed_counts.failed_rules)
        what = f"{name}: {typed_counts.failing} rows break {rules} (action fail); nothing was written to silver"
        raise ExpectationFailed(what, f"look at bronze.{name} with `headwater query`, fix the data or the expectation")
    rows_quarantined = sum(broken for broken, _ in typed_counts.files.values())
    versions = build_versions(lake, batch, typed, typed_counts.key_bounds)
    standing = build_standing_rows(versions, contract).persist()
    try:
        counts = count_standing_rows(standing, contract)
        if rows_quarantined:
            quarantined = merge_quarantine(lake, name, build_quarantine(typed), run)
        else:
            quarantined = unchanged(lake.version("quarantine", name))
        ledger.stage(_account(batch, typed_counts, counts))
        ledger.flush(run)
        commit = _write_silver(lake, batch, standing, counts, run)
    finally:
        standing.unpersist()
    accepted, superseded, repeated = (sum(fates[fate] for fates in counts.files.values()) for fate in FATES)
    rows = accepted + superseded + repeated
    share = counts.heaviest_key / rows if rows and contract.key else None
    warned = typed_counts.warned
    return SilverReport(commit, quarantined, accepted, rows_quarantined, superseded, repeated, warned, share)


def _account(batch: UnreadBatch, typed_counts: TypedCounts, counts: StandingCounts) -> list[FileRecord]:
    """Return the ledger's records of the batch's files, with every row of each file accounted for."""
    is_declared = batch.contract.known_at in ("delivered", "ingestion")
    accounted = []
    for record in batch.unread:
        broken, known_us = typed_counts.files[record.file_hash]
        fates = counts.files.get(record.file_hash, dict.fromkeys(FATES, 0))
        latest = None if known_us is None else micros_to_instant(known_us)
        record = replace(record, rows_quarantined=broken, rows_accepted=fates[ACCEPTED])
        record = replace(record, rows_superseded=fates[SUPERSEDED], rows_repeated=fates[REPEATED])
        accounted.append(record if is_declared else replace(record, known_through=latest))
    return accounted


def _write_silver(lake: Lake, batch: UnreadBatch, standing: DataFrame, counts: StandingCounts, run: RunFacts) -> Commit:
    contract = batch.contract
    provenance = [name for name in contract.grain if name not in contract.column_names]
    source = standing.where("_is_written").select(*contract.column_names, "_known_at", *provenance)
    target = Target(lake.path("silver", contract.name), contract.grain, counts.bounds, contract.partition_by)
    stamp = Stamp(contract.name, run, batch.generation, batch.until)
    return write_difference(lake.spark, target, source, counts.difference, stamp)


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
