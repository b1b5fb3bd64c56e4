"""What each new file is, compared with all files that are known: new, damaged, empty, or a repeat. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from conf.contract import Contract
from pipelines.bronze.admit_files import AdmittedFile
from pipelines.landing.listing import LandedFile
from pipelines.ledger.file_records import DUPLICATE, EMPTY, FAILED, LOADED, FileRecord


@dataclass(frozen=True)
class JudgedFile:
    """A landed file and the row that the ledger gets for it."""

    file: LandedFile
    record: FileRecord


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
