"""What each new file in the landing folder is: new content, damaged, empty, or a repeat of content that came before."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.contract import INGESTION, Contract
from conf.errors import FileRejected
from pipelines.landing.admission import Admission
from pipelines.landing.admit_local import admit_local, admit_one
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.delivery import delivered_at
from pipelines.landing.listing import LandedFile
from pipelines.landing.open_files import map_files
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
    by_content: defaultdict[str, list[FileRecord]] = defaultdict(list)
    for record in known:
        by_content[record.file_hash].append(record)
    for entry in admitted:
        touched = recorded.get((entry.file.name, entry.admission.file_hash))
        if touched is not None:  # the same content under the same name with another size or modification time
            record = replace(touched, size=entry.file.size, modified_ns=entry.file.modified_ns)
        else:
            record = _judge(contract, entry, by_content[entry.admission.file_hash], load, now)
        judged.append(JudgedFile(entry.file, record))
        by_content[record.file_hash].append(record)
    return judged


def _judge(contract: Contract, entry: AdmittedFile, same: list[FileRecord], load: int, now: datetime) -> FileRecord:
    """Judge a file that is not recorded yet. ``same`` are the records of files with the same content."""
    file, admission, delivered = entry.file, entry.admission, entry.delivered_at
    record = FileRecord(
        contract.name, file.name, admission.file_hash, file.size, file.modified_ns, delivered, FAILED,
        rows_in_file=0, rows_accepted=0, rows_quarantined=0, rows_superseded=0, rows_repeated=0,
        known_through=delivered if contract.known_at in ("delivered", "ingestion") else None, recorded_at=now,
    )  # fmt: skip
    if admission.status == FAILED or delivered is None:
        return replace(record, reason=admission.reason, known_through=None)
    if admission.status == EMPTY or admission.rows == 0:
        return replace(record, status=EMPTY, reason=admission.reason or "has no rows")
    copies = [other for other in same if other.status in (LOADED, DUPLICATE)]
    if copies:
        return _judge_repeat(record, copies, admission.rows, load)
    return replace(
        record, status=LOADED, load=load, rows_in_file=admission.rows,
        rows_accepted=None, rows_quarantined=None, rows_superseded=None, rows_repeated=None,
    )  # fmt: skip


def _judge_repeat(record: FileRecord, copies: list[FileRecord], rows: int, load: int) -> FileRecord:
    """Record a repeated file. It matters only if it was delivered earlier than every copy we know.

    Then ``_known_at`` of its rows moves back. Only such a repeat gets a load number, by which silver finds it.
    """
    first = next(copy for copy in copies if copy.status == LOADED)
    earliest = min(copy.delivered_at for copy in copies if copy.delivered_at is not None)
    is_earlier = record.delivered_at is not None and record.delivered_at < earliest
    return replace(
        record, status=DUPLICATE, duplicate_of=first.file, reason=f"has the content of {first.file}",
        load=load if is_earlier else None, rows_in_file=rows, rows_repeated=rows,
    )  # fmt: skip


def admit_files(spark: SparkSession, contract: Contract, files: list[LandedFile], now: datetime) -> list[AdmittedFile]:
    """Judge each file alone, by its content and path, and return the files in the order of their delivery.

    So the first file with a content is the one that was delivered first, and later ones are its repeats.

    Raises
    ------
    FileRejected : when a file is damaged and the contract says ``on_bad_file: fail``
    """
    admitted = []
    for file, admission in zip(files, _admit_all(spark, contract, files), strict=True):
        delivered: datetime | None = now
        if contract.landing.delivered != INGESTION:
            try:
                path = file.name.removeprefix(f"{contract.landing.path}/")
                delivered = delivered_at(path, contract.landing.delivered)
            except FileRejected as error:
                admission, delivered = replace(admission, status="failed", reason=str(error)), None
        if admission.status == FAILED and contract.landing.on_bad_file == "fail":
            raise FileRejected(f"{file.name}: {admission.reason}", "fix or remove it; nothing was loaded")
        admitted.append(AdmittedFile(file, admission, delivered))
    return sorted(admitted, key=lambda entry: (entry.delivered_at or now, entry.file.name))


def _admit_all(spark: SparkSession, contract: Contract, files: list[LandedFile]) -> list[Admission]:
    """Admit local files in this process, and those on object storage in Spark's tasks."""
    if not files or "://" not in files[0].uri:
        return admit_local(files, contract)

    def read_file(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        admission = admit_one(open_stream, contract, file.name)
        yield pa.RecordBatch.from_pylist([{"uri": file.uri, **asdict(admission)}])

    verdicts = {uri: Admission(*facts) for uri, *facts in map_files(spark, files, read_file, ADMISSION).collect()}
    return [verdicts[file.uri] for file in files]
