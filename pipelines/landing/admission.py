"""Admit a landed file, or say what is wrong with it; then read it again as raw text rows.

Nothing is written here. ``admit`` reads a file to its end: hash, encoding, columns by name, records counted twice.
``parse`` reads an admitted file into bronze's raw columns and hashes it again, so that what was admitted is what is
loaded. Both are functions of the bytes alone. A file that cannot be trusted as a whole fails; a row that cannot be
split or parsed is kept with its text and the reason.
"""

import gzip
import hashlib
import io
import json
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.parse_csv import Fit, count_records, read_csv, read_header, scan_lines
from pipelines.landing.parse_json import read_json, to_json_strings
from pipelines.landing.parse_parquet import read_parquet

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_UNZIPPED_BYTES = 64 << 30
MAX_UNZIP_RATIO = 200
RATIO_COUNTS_FROM_BYTES = 64 << 20
_CHUNK = 1 << 20
_IN_MEMORY = 32 << 20
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

OpenStream = Callable[[], BinaryIO]
Reopen = Callable[[], AbstractContextManager["tuple[io.BufferedReader, _Hashed]"]]


@dataclass(frozen=True)
class Admission:
    """The verdict on one file. ``file_hash`` is the SHA-256 (hex) of the bytes as landed.

    ``rows`` counts every record, also those that could not be split or parsed; ``reason`` is '' if ok.
    """

    file_hash: str
    status: Literal["ok", "empty", "failed"]
    rows: int
    reason: str


def bronze_schema(contract: Contract) -> pa.Schema:
    """Return the raw columns as text, then what is known of the row. Grain ``_row_number``, 1 being the first record.

    ``_rescued`` holds columns that the contract does not name, as a JSON object. Where ``_problem`` says why a row is
    unusable, ``_raw`` is its text and the raw columns are NULL.
    """
    fields = [pa.field(name, pa.string()) for name in contract.raw_names]
    fields.append(pa.field("_row_number", pa.int64()))
    return pa.schema([*fields, *(pa.field(name, pa.string()) for name in ("_rescued", "_raw", "_problem"))])


def admit(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """Judge one file by its contract, reading it to its end; bad content is a verdict, never an exception.

    What ``open_stream`` raises passes through.
    """
    reopen = partial(_opened, open_stream, contract, name)
    with reopen() as (stream, hashed):
        try:
            rows, reason = _judge(stream, contract, reopen)
        except FileRejected as error:
            reason = f"{error.what}; {error.hint}" if error.hint else error.what
            return Admission(hashed.digest(), "failed", 0, reason)
        return Admission(hashed.digest(), "empty" if reason else "ok", rows, reason)


def parse(open_stream: OpenStream, contract: Contract, name: str, file_hash: str) -> Iterator[pa.RecordBatch]:
    """Read an admitted file into batches of ``bronze_schema``, in bounded memory.

    Raises
    ------
    FileRejected : at the end, when the bytes are not those with ``file_hash``
    """
    with _opened(open_stream, contract, name) as (stream, hashed):
        try:
            yield from _batches(stream, contract, partial(_fit, contract))
        except FileRejected as error:
            raise FileRejected(f"{name}: {error.what}", error.hint) from None
        if hashed.digest() != file_hash:
            raise FileRejected(f"{name} changed while it was loaded", "run again; land new content under a new name")


def _judge(stream: io.BufferedReader, contract: Contract, reopen: Reopen) -> tuple[int, str]:
    """Return the number of rows, and why there is nothing to load if so."""
    if not stream.peek(1):
        return 0, "has no bytes"
    if contract.landing.format == "csv":
        return _judge_csv(stream, contract, reopen)
    rows = sum(batch.num_rows for batch in _batches(stream, contract, lambda batch, _: batch))
    return rows, "has only blank lines" if not rows and contract.landing.format == "json" else ""


def _judge_csv(stream: io.BufferedReader, contract: Contract, reopen: Reopen) -> tuple[int, str]:
    lines, delimiter = scan_lines(stream), contract.landing.delimiter
    with reopen() as (again, _):
        header = read_header(again, delimiter)
    if not header:
        return 0, "has only blank lines"
    _check_columns(contract, header)
    with reopen() as (again, _):
        counted = count_records(again, delimiter) if lines is None else lines - 1
    with reopen() as (again, _):
        parsed = sum(batch.num_rows for batch in _batches(again, contract, lambda batch, _: batch))
    if counted != parsed:
        hint = "a quote is probably not closed where it should be, or the file changed meanwhile"
        raise FileRejected(f"one count finds {counted} records, another {parsed}", hint)
    return parsed, ""


def _batches(stream: io.BufferedReader, contract: Contract, fit: Fit) -> Iterator[pa.RecordBatch]:
    check, schema = partial(_check_columns, contract), bronze_schema(contract)
    if contract.landing.format == "csv":
        yield from read_csv(stream, contract.landing.delimiter, schema, fit)
    elif contract.landing.format == "json":
        yield from read_json(stream, [column.header for column in contract.raw], schema, check)
    elif stream.peek(1):
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            shutil.copyfileobj(stream, file, _CHUNK)
            yield from read_parquet(file, check, fit)


def _fit(contract: Contract, batch: pa.RecordBatch, numbers: pa.Array) -> pa.RecordBatch:
    """Arrange text columns, found by header, in the order of the schema; what is extra becomes JSON."""
    headers = [column.header for column in contract.raw]
    extra = sorted(set(batch.schema.names) - set(headers))
    nulls = rescued = pa.nulls(batch.num_rows, pa.string())
    if extra:
        parts: list[str | pa.Array] = []
        for name in extra:
            parts += [f"{',' if parts else '{'}{_ENCODE(name)}:", to_json_strings(batch.column(name))]
        rescued = pc.binary_join_element_wise(*parts, "}", "")
    columns = [*(batch.column(header) for header in headers), numbers, rescued, nulls, nulls]
    return pa.RecordBatch.from_arrays(columns, schema=bronze_schema(contract))


def _check_columns(contract: Contract, found: Sequence[str]) -> None:
    """Raise FileRejected when a column stands twice or one of the contract's is missing."""
    counts = Counter(found)
    twice = [name for name in counts if counts[name] > 1]
    if twice:
        raise FileRejected(f"column {_listed(twice)} stands twice", "a column name may stand once in a file")
    missing = [column.header for column in contract.raw if column.header not in counts]
    if not missing:
        return
    folded = {name.strip().casefold(): name for name in counts}
    like = [folded[key] for key in (name.strip().casefold() for name in missing) if key in folded]
    hint = f"the file has: {_listed(found)}"
    if like:
        hint = f"{_listed(like)} differs only in case or blanks"
    elif len(found) == 1:
        others = [mark for mark in ";\t|,:" if set(missing) <= set(found[0].split(mark))]
        hint = f"delimiter {others[0]!r}? the contract says {contract.landing.delimiter!r}" if others else hint
    raise FileRejected(f"missing column {_listed(missing)}", hint)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


class _Hashed(io.RawIOBase):
    """The bytes as landed, hashed as they pass."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._sha = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        view = memoryview(target).cast("B")
        data = self._source.read(len(view))
        self._sha.update(data)
        self.size += len(data)
        view[: len(data)] = data
        return len(data)

    def digest(self) -> str:
        """Return the hash of the whole file, reading what is left of it."""
        while self.read(_CHUNK):
            pass
        return self._sha.hexdigest()


class _Unzipped(io.RawIOBase):
    """The bytes to parse, bounded; text gets a line end where its last line has none."""

    def __init__(self, source: "io.BufferedReader[_Hashed] | gzip.GzipFile", hashed: _Hashed, is_text: bool) -> None:
        self._source = source
        self._hashed = hashed
        self._last = b"\n"
        self._is_text = is_text
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        view = memoryview(target).cast("B")
        try:
            data = self._source.read(min(len(view), _CHUNK))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            what = f"is not whole gzip after {self._size} unzipped bytes: {error}"
            raise FileRejected(what, "is the file cut short, or not gzip in spite of its name?") from None
        self._size += len(data)
        self._check_size()
        if self._is_text and not data and self._last not in b"\r\n":
            data = b"\n"
        self._last = data[-1:] or self._last
        view[: len(data)] = data
        return len(data)

    def _check_size(self) -> None:
        is_bomb = self._size > max(RATIO_COUNTS_FROM_BYTES, MAX_UNZIP_RATIO * self._hashed.size)
        if isinstance(self._source, gzip.GzipFile) and (is_bomb or self._size > MAX_UNZIPPED_BYTES):
            limit = f"{MAX_UNZIP_RATIO} times its size" if is_bomb else f"{MAX_UNZIPPED_BYTES >> 30} GiB"
            raise FileRejected(f"unzips to more than {limit}", "is it a gzip bomb? land it unzipped, or in parts")


@contextmanager
def _opened(open_stream: OpenStream, contract: Contract, name: str) -> Iterator[tuple[io.BufferedReader, _Hashed]]:
    """Open a file as a stream of what is to be parsed, and the hash of what is read of it."""
    is_text = contract.landing.format != "parquet"
    with open_stream() as source:
        hashed = _Hashed(source)
        landed = io.BufferedReader(hashed, _CHUNK)
        plain = gzip.GzipFile(fileobj=landed) if name.endswith(".gz") else landed
        stream: io.BufferedReader = io.BufferedReader(_Unzipped(plain, hashed, is_text), _CHUNK)
        yield stream, hashed
