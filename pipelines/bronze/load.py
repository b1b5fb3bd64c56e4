"""Landing → bronze: admit the files that are new, then merge their raw rows, once each.

A file whose path, size and modification time are in the ledger is not opened. A new one is hashed, checked and
counted before anything is written; a damaged one is recorded and does not stop the others. Rows are known by
(_file_hash, _row_number), so content that came before comes in no second time, whatever its name. Bronze commits
first, then the ledger; a run killed in between leaves rows that the next run enters into the ledger.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import INGESTION, Contract
from conf.errors import FileRejected
from conf.instants import as_utc
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Stamp, Target, create_table, merge_new_rows
from pipelines.landing.admission import Admission, OpenStream, admit, bronze_schema, parse
from pipelines.landing.delivery import delivered_at
from pipelines.landing.listing import LandedFile, list_landed, map_files, open_local
from pipelines.ledger.ledger import DUPLICATE, EMPTY, FAILED, LOADED, FileRecord, Ledger

GRAIN = ("_file_hash", "_row_number")
Admitted = tuple[LandedFile, Admission, datetime | None]
ADMISSION = "uri string, file_hash string, status string, rows bigint, reason string"


@dataclass(frozen=True)
class BronzeReport:
    """What one load did to one bronze table, in files and rows."""

    commit: Commit
    files_seen: int
    files_new: int = 0
    files_duplicate: int = 0
    files_failed: int = 0
    rows: int = 0
    failures: tuple[str, ...] = ()


def load_bronze(lake: Lake, contract: Contract, ledger: Ledger, now: datetime, run: dict[str, Any]) -> BronzeReport:
    """Bring everything that landed for one table into bronze; what became of the files is staged in the ledger.

    Raises
    ------
    FileRejected : when a file is damaged and the contract says ``on_bad_file: fail``; nothing is written then
    """
    _catch_up(lake, contract, ledger)
    landed = list_landed(lake.spark, lake.settings.landing, contract)
    known = {(record.file, record.size, record.modified_ns) for record in ledger.of(contract.name)}
    fresh = [file for file in landed if (file.name, file.size, file.modified_ns) not in known]
    load = _last_load(ledger, contract) + 1
    judged = _judge(contract, _admitted(lake, contract, fresh, now), ledger.of(contract.name), load, now)
    accepted = [(file, record) for file, record in judged if record.status == LOADED and record.load == load]
    if accepted:
        commit = _merge(lake, contract, accepted, load, now, run)
    else:
        commit = unchanged(lake.version("bronze", contract.name))
    ledger.stage(record for _, record in judged if record.file_hash)
    return _report(commit, len(landed), [record for _, record in judged])


def _last_load(ledger: Ledger, contract: Contract) -> int:
    return max((record.load for record in ledger.of(contract.name) if record.load is not None), default=0)


def _judge(
    contract: Contract, admitted: list[Admitted], records: list[FileRecord], load: int, now: datetime
) -> list[tuple[LandedFile, FileRecord]]:
    """Say of each new file what it is: known, damaged, empty, the content of another, or new."""
    judged: list[tuple[LandedFile, FileRecord]] = []
    recorded = {(record.file, record.file_hash): record for record in records}
    by_content: dict[str, list[FileRecord]] = {}
    for record in records:
        by_content.setdefault(record.file_hash, []).append(record)
    for file, admission, delivered in admitted:
        same = recorded.get((file.name, admission.file_hash))
        twins = [r for r in by_content.get(admission.file_hash, []) if r.status in (LOADED, DUPLICATE)]
        clock = delivered if contract.known_at in ("delivered", "ingestion") else None
        record = FileRecord(
            contract.name, file.name, admission.file_hash, file.size, file.modified_ns, delivered, FAILED,
            rows_in_file=0, rows_accepted=0, rows_quarantined=0, rows_superseded=0, rows_repeated=0,
            known_through=clock, recorded_at=now,
        )  # fmt: skip
        if same:
            record = replace(same, size=file.size, modified_ns=file.modified_ns)
        elif admission.status == FAILED or delivered is None:
            record = replace(record, reason=admission.reason, known_through=None)
        elif admission.status == EMPTY or admission.rows == 0:
            record = replace(record, status=EMPTY, reason=admission.reason or "has no rows")
        elif twins:
            record = _repeat(record, twins, admission.rows, load)
        else:
            record = replace(
                record, status=LOADED, load=load, rows_in_file=admission.rows,
                rows_accepted=None, rows_quarantined=None, rows_superseded=None, rows_repeated=None,
            )  # fmt: skip
        judged.append((file, record))
        by_content.setdefault(record.file_hash, []).append(record)
    return judged


def _repeat(record: FileRecord, twins: list[FileRecord], rows: int, load: int) -> FileRecord:
    """A content that came before. Only an earlier delivery than all known ones is news, and gets a load number."""
    first = next(twin for twin in twins if twin.status == LOADED)
    earliest = min(twin.delivered_at for twin in twins if twin.delivered_at is not None)
    is_news = record.delivered_at is not None and record.delivered_at < earliest
    return replace(
        record, status=DUPLICATE, duplicate_of=first.file, reason=f"has the content of {first.file}",
        load=load if is_news else None, rows_in_file=rows, rows_repeated=rows,
    )  # fmt: skip


def _admitted(lake: Lake, contract: Contract, files: list[LandedFile], now: datetime) -> list[Admitted]:
    """Admit the files, earliest delivery first, so that the first name of a content is the one it came under first."""
    result = []
    for file, admission in _admit_all(lake, contract, files):
        delivered: datetime | None = now
        if contract.landing.delivered != INGESTION:
            try:
                path = file.name.removeprefix(f"{contract.landing.path}/")
                delivered = delivered_at(path, contract.landing.delivered)
            except FileRejected as error:
                admission, delivered = replace(admission, status="failed", reason=str(error)), None
        if admission.status == FAILED and contract.landing.on_bad_file == "fail":
            raise FileRejected(f"{file.name}: {admission.reason}", "mend or remove it; nothing was loaded")
        result.append((file, admission, delivered))
    return sorted(result, key=lambda entry: (entry[2] or now, entry[0].name))


def _admit_all(lake: Lake, contract: Contract, files: list[LandedFile]) -> list[tuple[LandedFile, Admission]]:
    if not files or "://" not in files[0].uri:
        return [(file, _admit_one(partial(open_local, file.uri), contract, file.name)) for file in files]

    def each(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        admission = _admit_one(open_stream, contract, file.name)
        row = {"uri": file.uri, "file_hash": admission.file_hash, "status": admission.status}
        yield pa.RecordBatch.from_pylist([{**row, "rows": admission.rows, "reason": admission.reason}])

    rows = {row["uri"]: row for row in map_files(lake.spark, files, each, ADMISSION).collect()}
    found = [(file, rows[file.uri]) for file in files]
    return [(f, Admission(r["file_hash"], r["status"], r["rows"], r["reason"])) for f, r in found]


def _admit_one(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """A file that cannot be opened now has no hash, is not recorded, and is tried again by the next load."""
    try:
        return admit(open_stream, contract, name)
    except FileRejected as error:
        return Admission("not-a-file", "failed", 0, error.what)
    except OSError as error:
        return Admission("", "failed", 0, f"cannot be read: {error.strerror or error}")


def build_raw_rows(
    lake: Lake, contract: Contract, files: list[tuple[LandedFile, FileRecord]], load: int, now: datetime
) -> DataFrame:
    """Return the raw rows of admitted files, lazily. Grain (_file_hash, _row_number)."""
    records = {file.uri: record for file, record in files}
    schema = bronze_schema(contract)

    def each(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        record, rows = records[file.uri], 0
        for batch in parse(open_stream, contract, file.name, record.file_hash):
            rows += batch.num_rows
            extra = [
                pa.array([record.file_hash] * batch.num_rows, pa.string()),
                pa.array([file.name] * batch.num_rows, pa.string()),
                pa.array([record.delivered_at] * batch.num_rows, pa.timestamp("us", "UTC")),
            ]
            names = [*schema.names, "_file_hash", "_file", "_delivered_at"]
            yield pa.RecordBatch.from_arrays([*batch.columns, *extra], names=names)
        if rows != record.rows_in_file:
            raise FileRejected(f"{file.name} had {record.rows_in_file} rows and now has {rows}", "load again")

    kinds = {pa.string(): "string", pa.int64(): "bigint"}
    ddl = ", ".join(f"`{column.name}` {kinds[column.type]}" for column in schema)
    ddl += ", _file_hash string, _file string, _delivered_at timestamp"
    rows = map_files(lake.spark, [file for file, _ in files], each, ddl)
    content = [part for name in (*contract.raw_names, "_raw") for part in (F.col(name).isNull(), F.col(name))]
    return rows.select(
        *contract.raw_names, "_file_hash", "_row_number", "_file", "_delivered_at",
        F.lit(now).alias("_ingested_at"), F.lit(load).cast("bigint").alias("_load"),
        F.xxhash64(*content).alias("_row_hash"), "_rescued", "_raw", "_problem",
    )  # fmt: skip


def _merge(
    lake: Lake,
    contract: Contract,
    files: list[tuple[LandedFile, FileRecord]],
    load: int,
    now: datetime,
    run: dict[str, Any],
) -> Commit:
    rows = build_raw_rows(lake, contract, files, load, now)
    path = lake.path("bronze", contract.name)
    create_table(lake.spark, path, _nullable(rows.schema), (), {})
    hashes = sorted({record.file_hash for _, record in files})
    bounds = [f"t._file_hash IN ({', '.join(repr(value) for value in hashes)})"] if len(hashes) <= 1000 else []
    generation = lake.standing("bronze", contract.name).generation
    return merge_new_rows(lake.spark, Target(path, GRAIN, bounds), rows, Stamp(contract.name, run, generation, load))


def _nullable(schema: StructType) -> StructType:
    for column in schema.fields:
        column.nullable = column.name not in (*GRAIN, "_load")
    return schema


def _catch_up(lake: Lake, contract: Contract, ledger: Ledger) -> None:
    """Enter into the ledger what a killed run had committed to bronze and not recorded."""
    name = contract.name
    last = _last_load(ledger, contract)
    if not lake.exists("bronze", name) or lake.standing("bronze", name).cursor <= last:
        return
    unrecorded = lake.read("bronze", name).where(F.col("_load") > last)
    grain = ("_file", "_file_hash", "_delivered_at", "_load", "_ingested_at")
    missing = [
        FileRecord(
            name, row["_file"], row["_file_hash"], -1, -1, as_utc(row["_delivered_at"]), LOADED, load=row["_load"],
            rows_in_file=row["count"], recorded_at=as_utc(row["_ingested_at"]),
            known_through=as_utc(row["_delivered_at"]) if contract.known_at in ("delivered", "ingestion") else None,
        )
        for row in unrecorded.groupBy(*grain).count().collect()
    ]  # fmt: skip
    ledger.stage(missing)


def _report(commit: Commit, seen: int, added: list[FileRecord]) -> BronzeReport:
    status = [record.status for record in added]
    return BronzeReport(
        commit, seen, len(added), status.count(DUPLICATE), status.count(FAILED),
        sum(record.rows_in_file or 0 for record in added if record.status == LOADED),
        tuple(f"{record.file}: {record.reason}" for record in added if record.status == FAILED),
    )  # fmt: skip
