"""The bronze loads that silver has not read yet, and the versions of each key that they bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.contract import Contract
from pipelines.delta.lake import Lake
from pipelines.delta.merge import JUST_CREATED
from pipelines.ledger.file_records import DUPLICATE, LOADED, FileRecord
from pipelines.silver.standing_row import IN_BATCH, IS_VERSION, OLD
from pipelines.silver.type_rows import PROVENANCE, build_typed_rows, map_column


@dataclass(frozen=True)
class UnreadBatch:
    """The bronze loads (after, until] of a table. ``records`` are the ledger's of these and of all earlier loads."""

    contract: Contract
    records: Sequence[FileRecord]
    after: int
    until: int
    generation: int

    @property
    def unread(self) -> list[FileRecord]:
        """The files whose rows silver has not read."""
        return [r for r in self.records if r.status == LOADED and r.load is not None and r.load > self.after]

    @property
    def first_delivered(self) -> Column | None:
        """When a row's content was first delivered; None when no content came again with an earlier delivery time."""
        known = {r.file_hash: r.delivered_at for r in self.records if r.status == LOADED}
        earliest: dict[str, datetime] = {}
        for record in self.records:
            first = known.get(record.file_hash)
            if record.status == DUPLICATE and record.delivered_at and first and record.delivered_at < first:
                earliest[record.file_hash] = min(record.delivered_at, earliest.get(record.file_hash, first))
        if not earliest:
            return None
        return F.coalesce(F.try_element_at(map_column(earliest), F.col("_file_hash")), F.col("_delivered_at"))

    @property
    def redelivered(self) -> list[str]:
        """The file hashes that silver has read before and that came again in this batch, delivered earlier."""
        unread = {r.file_hash for r in self.unread}
        new = [r for r in self.records if r.status == DUPLICATE and r.load is not None and r.load > self.after]
        return sorted({r.file_hash for r in new if r.file_hash not in unread})

    @property
    def has_late_files(self) -> bool:
        """Whether a file of the batch was delivered no later than the newest file that silver has read."""
        read = [r.delivered_at for r in self.records if r.load is not None and r.load <= self.after and r.delivered_at]
        unread = [r.delivered_at for r in self.unread if r.delivered_at]
        return bool(self.redelivered) or bool(read and unread and min(unread) <= max(read))


def read_typed_batch(lake: Lake, batch: UnreadBatch) -> DataFrame:
    """Type the unread rows, and those whose content was delivered again. ``_in_batch`` is true for the unread ones."""
    bronze = lake.read("bronze", batch.contract.name)
    is_unread = (F.col("_load") > batch.after) & (F.col("_load") <= batch.until)
    wanted = is_unread | F.col("_file_hash").isin(batch.redelivered) if batch.redelivered else is_unread
    typed = build_typed_rows(bronze.where(wanted), batch.contract, batch.first_delivered)
    return typed.withColumn(IN_BATCH, F.col("_load") > batch.after)


def build_versions(lake: Lake, batch: UnreadBatch, typed: DataFrame, bounds: Sequence[str]) -> DataFrame:
    """Return the versions among which each key's row is chosen, each with the row that silver has in ``_old``.

    Usually every row of the batch was delivered later than all that silver has read. Then the silver row of a key
    stands for all its earlier versions. When a file came late, it cannot: the late row may belong between them. Then
    all earlier bronze rows of the keys that silver has are typed again and take the place of the silver row.

    Parameters
    ----------
    typed : ``read_typed_batch``
    bounds : literal conditions that hold for the keys of the batch

    Returns
    -------
    the ``versions`` of ``build_standing_rows``
    """
    contract, grain = batch.contract, list(batch.contract.grain)
    columns = [*contract.column_names, "_known_at", *PROVENANCE, IN_BATCH]
    version = lake.version("silver", contract.name)
    silver = lake.read("silver", contract.name, version)
    row = F.struct(*contract.column_names, "_known_at")
    none = F.lit(None).cast(silver.select(row.alias(OLD)).schema[OLD].dataType).alias(OLD)
    is_version, is_no_version = F.lit(True).alias(IS_VERSION), F.lit(False).alias(IS_VERSION)
    accepted = typed.where(F.size("_broken") == 0).select(*columns, is_version, none)
    if version == JUST_CREATED:
        return accepted
    keys = accepted.select(*grain).distinct()
    touched = silver.where(" AND ".join(bounds) or "true").join(keys, on=grain, how="left_semi")
    unknown = {name: F.lit(None) for name in PROVENANCE if name not in grain} | {IN_BATCH: F.lit(False)}
    stands_for_all = batch.after >= 0 and not batch.has_late_files
    old = touched.withColumns(unknown)
    old = old.select(*columns, is_version if stands_for_all else is_no_version, row.alias(OLD))
    versions = accepted.unionByName(old)
    if batch.after < 0 or stands_for_all:  # all of bronze is in the batch, or nothing of it is needed
        return versions
    past = lake.read("bronze", contract.name).where(F.col("_load") <= batch.after)
    if batch.redelivered:
        past = past.where(~F.col("_file_hash").isin(batch.redelivered))
    known = build_typed_rows(past, contract, batch.first_delivered).where(F.size("_broken") == 0)
    older = known.withColumn(IN_BATCH, F.lit(False)).join(touched.select(*grain), on=grain, how="left_semi")
    return versions.unionByName(older.select(*columns, is_version, none))
