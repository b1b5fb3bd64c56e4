"""Landing → bronze: list the files, admit the new ones, merge their raw rows, enter every file into the ledger.

A file whose path, size and modification time are in the ledger is not opened. A damaged file is recorded and does not
stop the others. A row is known by (_file_hash, _row_number), so the rows of a content come in once, under whatever
name the content lands again. Bronze commits first, then the ledger. When a job is killed in between, the next one
finds bronze ahead of the ledger and enters what is missing.
"""

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.errors import FileRejected
from conf.instants import as_utc
from pipelines.bronze.hash_bounds import bound_hashes
from pipelines.bronze.judge_files import JudgedFile, admit_files, judge_files
from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Target, append_rows, merge_new_rows
from pipelines.delta.tables import create_table, require_columns
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.listing import LandedFile, find_new_files, list_landed
from pipelines.landing.open_files import map_files
from pipelines.landing.parse import bronze_schema, parse
from pipelines.ledger.file_records import DUPLICATE, FAILED, LOADED, FileRecord
from pipelines.ledger.known_files import KnownFiles
from pipelines.ledger.ledger import Ledger
from pipelines.load_report import BronzeReport
from pipelines.runtime.run_facts import RunFacts

GRAIN = ("_file_hash", "_row_number")


def load_bronze(lake: Lake, contract: Contract, ledger: Ledger, now: datetime, run: RunFacts) -> BronzeReport:
    """Bring everything that landed for one table into bronze. What became of the files is staged in the ledger.

    Raises
    ------
    FileRejected : when a file is damaged and the contract says ``on_bad_file: fail``; nothing is written then
    """
    _enter_unrecorded_loads(lake, contract, ledger)
    landed = list_landed(lake.settings.landing, contract, lake.spark)
    known = ledger.of(contract.name)
    files = KnownFiles.of(known)
    load = files.last_load + 1
    admitted = admit_files(lake.spark, contract, find_new_files(landed, files.seen), now)
    judged = judge_files(contract, admitted, known, load, now)
    loaded = [entry for entry in judged if entry.record.status == LOADED]
    to_insert = [entry for entry in loaded if entry.record.load == load]
    if to_insert:
        commit = _insert_rows(lake, contract, to_insert, now, run)
    else:
        commit = unchanged(lake.version("bronze", contract.name))
    records = [entry.record for entry in judged]
    ledger.stage(record for record in records if record.file_hash)
    failed = [record for record in records if record.status == FAILED]
    return BronzeReport(
        commit, len(landed), len(records), sum(record.status == DUPLICATE for record in records), len(failed),
        sum(entry.record.rows_in_file or 0 for entry in loaded),
        tuple(f"{record.file}: {record.reason}" for record in failed),
    )  # fmt: skip


def _insert_rows(lake: Lake, contract: Contract, files: list[JudgedFile], now: datetime, run: RunFacts) -> Commit:
    """Insert the rows of new files. All of them are of the same load, which becomes bronze's cursor."""
    (load,) = {entry.record.load for entry in files if entry.record.load is not None}
    rows = build_raw_rows(lake.spark, contract, files, load, now)
    path = lake.path("bronze", contract.name)
    create_table(lake.spark, path, require_columns(rows.schema, (*GRAIN, "_load")))
    bound, hashes = bound_hashes([entry.record.file_hash for entry in files]), {e.record.file_hash for e in files}
    stamp = Stamp(contract.name, run, lake.last_commit("bronze", contract.name).generation, load)
    if hashes & _known_hashes(lake, contract, bound):  # somebody took the file's records out of the ledger
        return merge_new_rows(lake.spark, Target(path, GRAIN, [bound]), rows, stamp)
    return append_rows(lake.spark, path, rows, stamp)


def _known_hashes(lake: Lake, contract: Contract, bound: str) -> set[str]:
    """Return, without Spark, the files within ``bound`` that bronze has. It has all rows of a file, or none."""
    sql = f"SELECT DISTINCT t._file_hash FROM bronze.{contract.name} AS t WHERE {bound}"  # noqa: S608 (hex)
    found = pa.RecordBatchReader.from_stream(lake.query([("bronze", contract.name)], sql)).read_all()
    return set(found.column(0).to_pylist())


def _enter_unrecorded_loads(lake: Lake, contract: Contract, ledger: Ledger) -> None:
    """Enter into the ledger the files that a killed job had committed to bronze and not recorded."""
    name = contract.name
    last = KnownFiles.of(ledger.of(name)).last_load
    if not lake.exists("bronze", name) or lake.last_commit("bronze", name).cursor <= last:
        return
    unrecorded = lake.read("bronze", name).where(F.col("_load") > last)
    files = unrecorded.groupBy("_file", "_file_hash", "_delivered_at", "_load", "_ingested_at").count().collect()
    ledger.stage(
        FileRecord(
            name, row["_file"], row["_file_hash"], -1, -1, as_utc(row["_delivered_at"]), LOADED, load=row["_load"],
            rows_in_file=row["count"], recorded_at=as_utc(row["_ingested_at"]),
            known_through=as_utc(row["_delivered_at"]) if contract.known_at in ("delivered", "ingestion") else None,
        )
        for row in files
    )  # fmt: skip


def build_raw_rows(
    spark: SparkSession, contract: Contract, files: list[JudgedFile], load: int, now: datetime
) -> DataFrame:
    """Return the raw rows of admitted files, lazily. Grain (_file_hash, _row_number).

    Parameters
    ----------
    load : the number of the load, which every row carries as ``_load``
    now : every row's ``_ingested_at``
    """
    records = {judged.file.uri: judged.record for judged in files}
    schema = bronze_schema(contract)
    names = [*schema.names, "_file_hash", "_file", "_delivered_at"]

    def read_file(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        record, rows = records[file.uri], 0
        for batch in parse(open_stream, contract, file.name, record.file_hash):
            rows += batch.num_rows
            origin = [pa.array([text] * batch.num_rows, pa.string()) for text in (record.file_hash, file.name)]
            delivered = pa.array([record.delivered_at] * batch.num_rows, pa.timestamp("us", "UTC"))
            yield pa.RecordBatch.from_arrays([*batch.columns, *origin, delivered], names=names)
        if rows != record.rows_in_file:
            raise FileRejected(f"{file.name} had {record.rows_in_file} rows and now has {rows}", "load again")

    kinds = {pa.string(): "string", pa.int64(): "bigint"}
    ddl = ", ".join(f"`{column.name}` {kinds[column.type]}" for column in schema)
    ddl += ", _file_hash string, _file string, _delivered_at timestamp"
    rows = map_files(spark, [judged.file for judged in files], read_file, ddl)
    content = [part for name in (*contract.raw_names, "_raw") for part in (F.col(name).isNull(), F.col(name))]
    return rows.select(
        *contract.raw_names, "_file_hash", "_row_number", "_file", "_delivered_at",
        F.lit(now).alias("_ingested_at"), F.lit(load).cast("bigint").alias("_load"),
        F.xxhash64(*content).alias("_row_hash"), "_rescued", "_raw", "_problem",
    )  # fmt: skip
