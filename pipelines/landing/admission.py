"""Admission: may a landed file be loaded, and if not, what is wrong with it?

The whole file is read, once: its hash, its encoding, its columns by name, and its records, which are counted in two
independent ways. Only a CSV file with CR, blank lines or odd quotes is read a second time, for the second count. A file
that cannot be trusted as a whole is refused. A single row that cannot be split or parsed does not spoil its file: it is
kept with its text and the reason. The verdict follows from the bytes alone.
"""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.byte_stream import CHUNK_BYTES, LandedStreams, OpenStream, open_landed
from pipelines.landing.count_csv import read_csv_records
from pipelines.landing.parse import check_columns, read_batches
from pipelines.landing.parse_csv import count_parsed
from pipelines.landing.scan_csv import RecordScan

Reopen = Callable[[], AbstractContextManager[LandedStreams]]


@dataclass(frozen=True)
class Admission:
    """The verdict on one file.

    Parameters
    ----------
    file_hash : SHA-256 of the bytes as they landed, hex
    rows : the number of records, those included that could not be split or parsed
    reason : why the file is empty or failed; '' when it is ok
    """

    file_hash: str
    status: Literal["ok", "empty", "failed"]
    rows: int
    reason: str


def admit(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """Judge one file by its contract. Bad content is a verdict: only what ``open_stream`` raises is passed on."""
    reopen = partial(open_landed, open_stream, contract, name)
    with reopen() as (stream, hashed):
        try:
            rows, reason = _judge(stream, contract, reopen)
        except FileRejected as error:
            reason = f"{error.what}; {error.hint}" if error.hint else error.what
            return Admission(hashed.digest(), "failed", 0, reason)
        return Admission(hashed.digest(), "empty" if reason else "ok", rows, reason)


def _judge(stream: io.BufferedReader, contract: Contract, reopen: Reopen) -> tuple[int, str]:
    """Return the number of rows, and why there is nothing to load ('' when there is)."""
    if not stream.peek(1):
        return 0, "has no bytes"
    if contract.landing.format == "csv":
        return _judge_csv(stream, contract, reopen)
    rows = sum(batch.num_rows for batch in read_batches(stream, contract, lambda batch, _: batch))
    return rows, "has only blank lines" if not rows and contract.landing.format == "json" else ""


def _judge_csv(stream: io.BufferedReader, contract: Contract, reopen: Reopen) -> tuple[int, str]:
    """Count by pyarrow and, as it reads, by ``RecordScan``; where these do not agree, read again by ``csv.reader``."""
    delimiter, problem = contract.landing.delimiter, None
    scan = RecordScan(stream, delimiter)
    scanned: io.BufferedReader = io.BufferedReader(scan, CHUNK_BYTES)
    try:
        parsed = count_parsed(scanned, delimiter, contract.raw[0].header)
    except FileRejected as error:
        parsed, problem = 0, error
    while scanned.read(CHUNK_BYTES):  # what pyarrow did not read is checked too
        pass
    if problem is None and scan.records == parsed + 1:
        check_columns(contract, next(read_csv_records(io.BytesIO(scan.header), delimiter)))
        return parsed, ""
    with reopen() as (again, _):
        records = read_csv_records(again, delimiter)
        header = next(records, None)
        if header is None:
            return 0, "has only blank lines"
        check_columns(contract, header)
        counted = sum(1 for _ in records)
    if problem is not None:
        raise problem
    if counted != parsed:
        hint = "a quote is probably not closed where it should be, or the file changed meanwhile"
        raise FileRejected(f"one count finds {counted} records, another {parsed}", hint)
    return parsed, ""
