"""Bronze → silver: type what is unread, set aside what breaks a rule, let the last version of each key stand.

The unread loads are a range of ``_load``, from the cursor in silver's own commit. Order of writes: quarantine, then
the accounting in ``ops.files``, then silver with its cursor. Each is a function of the batch and of silver as it
stood, so a run killed anywhere in between is simply run again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import Contract
from conf.errors import ExpectationFailed
from conf.instants import micros_to_instant
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.merge import MARKS_ROWS, Stamp, Target, create_table, merge_new_rows, merge_rows
from pipelines.ledger.ledger import DUPLICATE, LOADED, FileRecord, Ledger
from pipelines.silver.counts import FATES, ResolvedTally, TypedTally, tally_resolved, tally_typed
from pipelines.silver.standing_row import ACCEPTED, IN_BATCH, REPEATED, SUPERSEDED, build_standing
from pipelines.silver.type_rows import PROVENANCE, build_typed

QUARANTINE_GRAIN = ("_file_hash", "_row_number", "rule")


@dataclass(frozen=True)
class SilverReport:
    """What one load did to one silver table, in rows of the batch."""

    commit: Commit
    quarantine: Commit
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_superseded: int = 0
    rows_repeated: int = 0
    rows_warned: int = 0
    heaviest_key_share: float | None = None


@dataclass(frozen=True)
class _Batch:
    """The unread loads (after, until] of a table, and the contents that turn out to have come earlier."""

    contract: Contract
    records: Sequence[FileRecord]
    after: int
    until: int
    generation: int

    @property
    def unread(self) -> list[FileRecord]:
        return [r for r in self.records if r.status == LOADED and r.load is not None and r.load > self.after]

    @property
    def first_delivered(self) -> dict[str, datetime]:
        """The earliest delivery of each content that came under several names, where bronze has a later one."""
        known = {r.file_hash: r.delivered_at for r in self.records if r.status == LOADED}
        earliest: dict[str, datetime] = {}
        for record in self.records:
            first = known.get(record.file_hash)
            if record.status == DUPLICATE and record.delivered_at and first and record.delivered_at < first:
                earliest[record.file_hash] = min(record.delivered_at, earliest.get(record.file_hash, first))
        return earliest

    @property
    def redelivered(self) -> list[str]:
        """Contents read before, of which an earlier delivery has been recorded since."""
        unread = {r.file_hash for r in self.unread}
        new = [r for r in self.records if r.status == DUPLICATE and r.load is not None and r.load > self.after]
        return sorted({r.file_hash for r in new if r.file_hash not in unread})

    @property
    def has_late_files(self) -> bool:
        """Whether a file was delivered no later than the newest read before: its keys are derived anew."""
        read = [r.delivered_at for r in self.records if r.load is not None and r.load <= self.after and r.delivered_at]
        newest = max(read, default=None)
        return bool(self.redelivered) or any(
            newest and r.delivered_at and r.delivered_at <= newest for r in self.unread
        )


def load_silver(lake: Lake, contract: Contract, ledger: Ledger, run: dict[str, Any]) -> SilverReport:
    """Bring every bronze load that silver has not read into silver.

    Raises
    ------
    ExpectationFailed : when rows break an expectation whose action is ``fail``; nothing is written then
    """
    name = contract.name
    version = lake.version("silver", name)
    records = ledger.of(name)
    until = max((record.load for record in records if record.load is not None), default=-1)
    standing = lake.standing("silver", name) if version >= 0 else None
    after = standing.cursor if standing else -1
    if until <= after or not lake.exists("bronze", name):
        return SilverReport(unchanged(version), unchanged(lake.version("quarantine", name)))
    batch = _Batch(contract, records, after, until, standing.generation if standing else 0)
    typed = _read_batch(lake, batch).persist()
    try:
        _create(lake, contract, typed.schema)
        return _apply(lake, batch, typed, ledger, run)
    finally:
        typed.unpersist()


def _apply(lake: Lake, batch: _Batch, typed: DataFrame, ledger: Ledger, run: dict[str, Any]) -> SilverReport:
    contract = batch.contract
    read = tally_typed(typed, contract)
    _stop_if_failing(contract, read)
    versions, silver = _build_versions(lake, batch, typed, read.key_bounds)
    resolved = build_standing(versions, silver, contract).persist()
    try:
        found = tally_resolved(resolved, contract)
        accounting = _account(batch, read, found)
        quarantined = _quarantine(lake, batch, typed, read.broken, run)
        ledger.stage(accounting)
        ledger.flush(run)
        commit = _merge(lake, batch, resolved, found.bounds, run)
    finally:
        resolved.unpersist()
    accepted, superseded, repeated = (sum(fates[fate] for fates in found.files.values()) for fate in FATES)
    share = found.heaviest_key / found.rows if found.rows and contract.key else None
    return SilverReport(commit, quarantined, accepted, read.broken, superseded, repeated, read.warned, share)


def _stop_if_failing(contract: Contract, read: TypedTally) -> None:
    if read.failing:
        raise ExpectationFailed(
            f"{contract.name}: {read.failing} rows break {', '.join(read.failed_rules)} (action fail); nothing was"
            " written to silver",
            f"look at bronze.{contract.name} with `headwater query`, mend the data or the expectation",
        )


def _read_batch(lake: Lake, batch: _Batch) -> DataFrame:
    """Type the unread rows and the rows of redelivered contents."""
    bronze = lake.read("bronze", batch.contract.name)
    is_unread = (F.col("_load") > batch.after) & (F.col("_load") <= batch.until)
    wanted = is_unread | F.col("_file_hash").isin(batch.redelivered) if batch.redelivered else is_unread
    typed = build_typed(bronze.where(wanted), batch.contract, _first_delivered(batch))
    return typed.withColumn(IN_BATCH, F.col("_load") > batch.after)


def _first_delivered(batch: _Batch) -> Column | None:
    earliest = batch.first_delivered
    if not earliest:
        return None
    known = F.create_map(*[F.lit(part) for pair in earliest.items() for part in pair])
    return F.coalesce(F.try_element_at(known, F.col("_file_hash")), F.col("_delivered_at"))


def _build_versions(lake: Lake, batch: _Batch, typed: DataFrame, bounds: Sequence[str]) -> tuple[DataFrame, DataFrame]:
    """Return the versions to rank and the silver rows of their keys.

    A key that comes later than everything read before folds onto its silver row, which is the oldest version then.
    Where a file came late, the batch's keys that silver has are derived anew from all their bronze rows.
    """
    contract, grain = batch.contract, list(batch.contract.grain)
    columns = [*contract.column_names, "_known_at", *PROVENANCE, IN_BATCH]
    accepted = typed.where(F.size("_broken") == 0).select(*columns)
    silver = lake.read("silver", contract.name).where(" AND ".join(bounds) or "true")
    if batch.after < 0:
        return accepted, silver
    keys = accepted.select(*grain).distinct()
    touched = silver.join(keys, on=grain, how="left_semi")
    if batch.has_late_files:
        past = lake.read("bronze", contract.name).where(F.col("_load") <= batch.after)
        if batch.redelivered:
            past = past.where(~F.col("_file_hash").isin(batch.redelivered))
        known = build_typed(past, contract, _first_delivered(batch)).where(F.size("_broken") == 0)
        older = known.withColumn(IN_BATCH, F.lit(False)).join(touched.select(*grain), on=grain, how="left_semi")
    else:
        unknown = [name for name in PROVENANCE if name not in grain]
        older = touched.withColumns({name: F.lit(None) for name in unknown} | {IN_BATCH: F.lit(False)})
    return accepted.unionByName(older.select(*columns)), touched


def _create(lake: Lake, contract: Contract, typed: StructType) -> None:
    kept = (*contract.column_names, "_known_at", *[n for n in contract.grain if n not in contract.column_names])
    schema = StructType([replace_nullable(typed, name, name in (*contract.grain, "_known_at")) for name in kept])
    properties = {**MARKS_ROWS, "delta.enableChangeDataFeed": "true"}
    create_table(lake.spark, lake.path("silver", contract.name), schema, contract.partition_by, properties)


def replace_nullable(schema: StructType, name: str, is_required: bool) -> Any:
    """Return a field of the schema as required or not."""
    column = schema[name]
    column.nullable = not is_required
    return column


def _quarantine(lake: Lake, batch: _Batch, typed: DataFrame, broken: int, run: dict[str, Any]) -> Commit:
    """Merge the rows that broke a rule, one row a rule. None broken, no commit."""
    name = batch.contract.name
    path = lake.path("quarantine", name)
    if not broken:
        return unchanged(lake.version("quarantine", name))
    rows = (
        typed.where(F.col(IN_BATCH) & (F.size("_broken") > 0))
        .select("*", F.explode("_broken").alias("_rule"))
        .groupBy("_file_hash", "_row_number", F.col("_rule.rule").alias("rule"), "_file", "_delivered_at", "_load")
        .agg(F.min("_rule.reason").alias("reason"), F.first("_text").alias("raw"))
        .select("_file_hash", "_row_number", "rule", "reason", "raw", "_file", "_delivered_at", "_load")
    )
    create_table(lake.spark, path, _required(rows.schema, QUARANTINE_GRAIN), (), {})
    return merge_new_rows(lake.spark, Target(path, QUARANTINE_GRAIN), rows, Stamp(name, run))


def _required(schema: StructType, grain: Sequence[str]) -> StructType:
    return StructType([replace_nullable(schema, name, name in grain) for name in schema.names])


def _account(batch: _Batch, read: TypedTally, found: ResolvedTally) -> list[FileRecord]:
    """Return the ledger's rows of the batch with every row of their files accounted for."""
    is_declared = batch.contract.known_at in ("delivered", "ingestion")
    nothing = dict.fromkeys(FATES, 0)
    accounted = []
    for record in batch.unread:
        broken, known = read.files[record.file_hash]
        fates = found.files.get(record.file_hash, nothing)
        latest = None if known is None else micros_to_instant(known)
        known_through = record.known_through if is_declared else latest
        accounted.append(
            replace(
                record,
                known_through=known_through,
                rows_accepted=fates[ACCEPTED],
                rows_quarantined=broken,
                rows_superseded=fates[SUPERSEDED],
                rows_repeated=fates[REPEATED],
            )
        )
    return accounted


def _merge(lake: Lake, batch: _Batch, resolved: DataFrame, bounds: Sequence[str], run: dict[str, Any]) -> Commit:
    contract = batch.contract
    provenance = [name for name in contract.grain if name not in contract.column_names]
    source = resolved.where("_is_written").select(*contract.column_names, "_known_at", *provenance)
    target = Target(lake.path("silver", contract.name), contract.grain, bounds, contract.partition_by)
    return merge_rows(lake.spark, target, source, Stamp(contract.name, run, batch.generation, batch.until))
