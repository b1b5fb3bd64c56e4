"""Which of the landed files are new, and what each is: new content, damaged, empty, or a repeat."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.contract import INGESTION, Contract
from conf.errors import FileRejected
from pipelines.landing.admission import Admission, admit
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.delivery import delivered_at
from pipelines.landing.listing import LandedFile, map_files, open_local
from pipelines.ledger.file_records import DUPLICATE, EMPTY, FAILED, LOADED, FileRecord

ADMISSION = "uri string, file_hash string, status string, rows bigint, reason string"


@dataclass(frozen=True)
class JudgedFile:
    """A landed file and the row that the ledger gets for it."""

    file: LandedFile
    record: FileRecord


@dataclass(frozen=True)
class AdmittedFile:
    """A landed file, the verdict on it, and when it was delivered; None when its path does not say."""

    file: LandedFile
    admission: Admission
    delivered_at: datetime | None


def judge_files(
    contract: Contract, admitted: list[AdmittedFile], known: list[FileRecord], load: int, now: datetime
) -> list[JudgedFile]:
    """Say of each admitted file what it is.

    Parameters
    ----------
    admitted : in the order of their delivery
    known : the ledger's records of the table
    load : the number of the load that is under way
    """
    judged: list[JudgedFile] = []
    recorded = {(record.file, record.file_hash): record for record in known}
    by_content: dict[str, list[FileRecord]] = {}
    for record in known:
        by_content.setdefault(record.file_hash, []).append(record)
    for entry in admitted:
        same = recorded.get((entry.file.name, entry.admission.file_hash))
        if same is not None:  # the same content under the same name: the file was only touched
            record = replace(same, size=entry.file.size, modified_ns=entry.file.modified_ns)
        else:
            record = _judge(contract, entry, by_content.get(entry.admission.file_hash, []), load, now)
        judged.append(JudgedFile(entry.file, record))
        by_content.setdefault(record.file_hash, []).append(record)
    return judged


def _judge(
    contract: Contract, entry: AdmittedFile, same_content: list[FileRecord], load: int, now: datetime
) -> FileRecord:
    file, admission, delivered = entry.file, entry.admission, entry.delivered_at
    clock = delivered if contract.known_at in ("delivered", "ingestion") else None
    record = FileRecord(
        contract.name, file.name, admission.file_hash, file.size, file.modified_ns, delivered, FAILED,
        rows_in_file=0, rows_accepted=0, rows_quarantined=0, rows_superseded=0, rows_repeated=0,
        known_through=clock, recorded_at=now,
    )  # fmt: skip
    if admission.status == FAILED or delivered is None:
        return replace(record, reason=admission.reason, known_through=None)
    if admission.status == EMPTY or admission.rows == 0:
        return replace(record, status=EMPTY, reason=admission.reason or "has no rows")
    copies = [other for other in same_content if other.status in (LOADED, DUPLICATE)]
    if copies:
        return _judge_repeat(record, copies, admission.rows, load)
    return replace(
        record, status=LOADED, load=load, rows_in_file=admission.rows,
        rows_accepted=None, rows_quarantined=None, rows_superseded=None, rows_repeated=None,
    )  # fmt: skip


def _judge_repeat(record: FileRecord, copies: list[FileRecord], rows: int, load: int) -> FileRecord:
    """Record a repeated file.

    It matters only if it was delivered earlier than every copy we know: then ``_known_at`` moves back. Only such a
    repeat gets a load number, by which silver finds it.
    """
    first = next(copy for copy in copies if copy.status == LOADED)
    earliest = min(copy.delivered_at for copy in copies if copy.delivered_at is not None)
    is_earlier = record.delivered_at is not None and record.delivered_at < earliest
    return replace(
        record, status=DUPLICATE, duplicate_of=first.file, reason=f"has the content of {first.file}",
        load=load if is_earlier else None, rows_in_file=rows, rows_repeated=rows,
    )  # fmt: skip


def admit_files(spark: SparkSession, contract: Contract, files: list[LandedFile], now: datetime) -> list[AdmittedFile]:
    """Judge files one by one and return them in the order of their delivery.

    So the first file with a content is the one that was delivered first, and later ones are its repeats.

    Raises
    ------
    FileRejected : when a file is damaged and the contract says ``on_bad_file: fail``
    """
    result = []
    for file, admission in _read_and_admit(spark, contract, files):
        delivered: datetime | None = now
        if contract.landing.delivered != INGESTION:
            try:
                path = file.name.removeprefix(f"{contract.landing.path}/")
                delivered = delivered_at(path, contract.landing.delivered)
            except FileRejected as error:
                admission, delivered = replace(admission, status="failed", reason=str(error)), None
        if admission.status == FAILED and contract.landing.on_bad_file == "fail":
            raise FileRejected(f"{file.name}: {admission.reason}", "mend or remove it; nothing was loaded")
        result.append(AdmittedFile(file, admission, delivered))
    return sorted(result, key=lambda admitted: (admitted.delivered_at or now, admitted.file.name))


def _read_and_admit(
    spark: SparkSession, contract: Contract, files: list[LandedFile]
) -> list[tuple[LandedFile, Admission]]:
    """Admit local files in this process, and those on object storage in Spark's tasks."""
    if not files or "://" not in files[0].uri:
        return [(file, _admit_one(partial(open_local, file.uri), contract, file.name)) for file in files]

    def each(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        admission = _admit_one(open_stream, contract, file.name)
        row = {"uri": file.uri, "file_hash": admission.file_hash, "status": admission.status}
        yield pa.RecordBatch.from_pylist([{**row, "rows": admission.rows, "reason": admission.reason}])

    rows = {row["uri"]: row for row in map_files(spark, files, each, ADMISSION).collect()}
    found = [(file, rows[file.uri]) for file in files]
    return [(f, Admission(r["file_hash"], r["status"], r["rows"], r["reason"])) for f, r in found]


def _admit_one(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """Admit one file. One that cannot be opened has no hash: it is not recorded, and the next load tries it again."""
    try:
        return admit(open_stream, contract, name)
    except FileRejected as error:
        return Admission("not-a-file", "failed", 0, error.what)
    except OSError as error:
        return Admission("", "failed", 0, f"cannot be read: {error.strerror or error}")
