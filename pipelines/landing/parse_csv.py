"""CSV, strictly: RFC 4180 quoting, any line end, blank lines are no records.

pyarrow reads fast but forgives much: a quote closed by a later one swallows rows in silence. So the records are also
counted in another way, by newlines where a file has nothing but plain lines, else by ``csv.reader(strict=True)``, and
a file is admitted only when both counts agree. The bytes that come in end in a line end; that they are UTF-8 is found
out by the first look at them.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from conf.errors import FileRejected

MAX_RECORD_BYTES = 16 << 20
MAX_RAGGED_IN_A_STRETCH = 1_000_000
_CHUNK = 1 << 20
_QUOTE_HINT = "a quoted field begins and ends with a quote, and a quote inside it is written twice"

_SIGNATURES = {b"\x1f\x8b": "gzip: its name must end with .gz", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_MARK = "\ufdd1"
_MARK_BYTES = _MARK.encode()

Problem = dict[str, object]
Fit = Callable[[pa.RecordBatch, pa.Array], pa.RecordBatch]


def scan_lines(stream: BinaryIO) -> int | None:
    """Read a file to its end; return the number of lines, header included, if each is a record for certain.

    They are where there is no quote, CR or blank line.

    Raises
    ------
    FileRejected : when a byte is not UTF-8 or a line is longer than ``MAX_RECORD_BYTES``; names offset or line
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    count, offset, is_plain, run, last, head = 0, 0, True, 0, b"\n", b""
    while chunk := stream.read(_CHUNK):
        offset += len(chunk)
        head = head or chunk[:4]
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            _reject_byte(error, head, offset, count)
        if offset == len(chunk):
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        has_cr = b"\r" in chunk
        is_plain = is_plain and not (has_cr or b'"' in chunk or b"\n\n" in chunk or last + chunk[:1] == b"\n\n")
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r") if has_cr else -1)
        run = run + len(chunk) if end < 0 else len(chunk) - 1 - end
        count += chunk.count(b"\n")
        if run > MAX_RECORD_BYTES:
            _reject_long(count + 1)
        last = chunk[-1:]
    return count if is_plain else None


def _reject_byte(error: UnicodeDecodeError, head: bytes, chunk_end: int, lines_before: int) -> NoReturn:
    data = bytes(error.object)
    line = lines_before + data.count(b"\n", 0, error.start) + 1
    offset = chunk_end - len(data) + error.start
    kinds = [kind for start, kind in _SIGNATURES.items() if head.startswith(start)]
    what = f"byte {data[error.start]:#04x} at offset {offset} (line {line}) is not UTF-8"
    raise FileRejected(what, f"the content is {kinds[0]}" if kinds else "save it as UTF-8; Latin-1 is not") from None


def read_header(stream: BinaryIO, delimiter: str) -> list[str]:
    """Return the names in the first record; none when there is no record."""
    for record in _records(stream, delimiter):
        return record
    return []


def count_records(stream: BinaryIO, delimiter: str) -> int:
    """Count the records after the header, without pyarrow.

    Raises
    ------
    FileRejected : when quotes are not closed or text follows a closing quote; names the line
    """
    return max(0, sum(1 for _ in _records(stream, delimiter)) - 1)


def _records(stream: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), delimiter=delimiter, strict=True)
    line = 0
    try:
        for record in reader:
            if record:
                yield record
            line = reader.line_num
    except csv.Error as error:
        if "field larger" in str(error):
            _reject_long(line + 1)
        raise FileRejected(f"the record that begins at line {line + 1} is not CSV: {error}", _QUOTE_HINT) from None


def read_csv(stream: io.BufferedReader, delimiter: str, schema: pa.Schema, fit: Fit) -> Iterator[pa.RecordBatch]:
    """Read the records after the header, all as text, in blocks of bounded memory.

    ``fit`` brings rows under the file's own headers, with their record numbers, into ``schema``. Rows that hold a NUL
    or cannot be split into the header's fields come in batches of their own with ``_raw`` and ``_problem``. Nothing
    comes from a file without a header.

    Raises
    ------
    FileRejected : when a record is too long, or a great many rows in a stretch do not have the header's fields
    """
    problems: deque[Problem] = deque()
    skipped: deque[int] = deque()
    start = 1

    def keep(row: pacsv.InvalidRow) -> str:  # called while pyarrow parses ahead, in a thread of its own
        if len(problems) > MAX_RAGGED_IN_A_STRETCH:
            return "error"
        reason = f"{row.actual_columns} fields instead of {row.expected_columns}"
        skipped.append(row.number - 1)
        problems.append({"_row_number": row.number - 1, "_raw": _unescape(row.text), "_problem": reason})
        return "skip"

    if stream.peek(3)[:3] == codecs.BOM_UTF8:
        stream.read(3)
    while (ahead := stream.peek(1)) and ahead[:1] in b"\r\n":
        stream.read(len(ahead) - len(ahead.lstrip(b"\r\n")))
    if not ahead:
        return
    blocks = _Blocks(stream)
    try:
        with _open_csv(blocks, delimiter, keep) as reader:
            for batch in reader:
                numbers = _number(start, batch.num_rows, skipped)
                start = numbers[-1].as_py() + 1 if len(numbers) else start
                if blocks.has_escapes:
                    batch, numbers, with_nul = _split_off_nul(batch, numbers, delimiter)
                    problems.extend(with_nul)
                yield fit(batch, numbers)
                yield from _drained(problems, schema)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        hint = f"is a record longer than {MAX_RECORD_BYTES >> 20} MiB, or is the delimiter another one?"
        raise FileRejected(f"cannot be read as CSV: {error}", hint) from None
    yield from _drained(problems, schema)


def _open_csv(blocks: "_Blocks", delimiter: str, keep: Callable[[pacsv.InvalidRow], str]) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        blocks,
        pacsv.ReadOptions(use_threads=False, block_size=MAX_RECORD_BYTES),
        pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep),
        pacsv.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False),
    )


def _drained(problems: deque[Problem], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    rows = [problems.popleft() for _ in range(len(problems))]
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _number(start: int, count: int, skipped: deque[int]) -> pa.Array:
    """Return the numbers of ``count`` records from ``start`` on, without those that are skipped."""
    while skipped and skipped[0] < start:
        skipped.popleft()
    others = list(skipped.copy())
    numbers = np.arange(start, start + count + len(others), dtype=np.int64)
    return pa.array(numbers[~np.isin(numbers, others)][:count] if others else numbers)


class _Blocks(io.RawIOBase):
    """What pyarrow reads, arranged around two of its faults.

    It overlooks delimiters near a NUL, so NUL is spelled with a noncharacter (and so is that one). It drops a line
    feed that begins a block when the block before ends with CR, inside quotes too, so no block ends with CR.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._ready = bytearray()
        self._held = b""
        self.has_escapes = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._ready) <= size and (chunk := self._source.read(_CHUNK)):
            self._add(self._held + chunk)
        if len(self._ready) <= size:
            self._ready += self._held
            self._held = b""
        block = bytes(self._ready[:size])
        if len(self._ready) > size and block.endswith(b"\r"):
            block = block[:-1]
        del self._ready[: len(block)]
        return block

    def _add(self, data: bytes) -> None:
        self._held = next((start for start in (_MARK_BYTES[:2], _MARK_BYTES[:1]) if data.endswith(start)), b"")
        data = data[: len(data) - len(self._held)]
        if b"\0" in data or _MARK_BYTES in data:
            self.has_escapes = True
            data = data.replace(_MARK_BYTES, _MARK_BYTES + b"1").replace(b"\0", _MARK_BYTES + b"0")
        self._ready += data


def _unescape(text: str) -> str:
    return re.sub(f"{_MARK}([01])", lambda match: "\0" if match[1] == "0" else _MARK, text)


def _split_off_nul(
    batch: pa.RecordBatch, numbers: pa.Array, delimiter: str
) -> tuple[pa.RecordBatch, pa.Array, list[Problem]]:
    """Return the rows without a NUL, and the others as problems, their text written anew."""
    has_nul = np.zeros(batch.num_rows, dtype=bool)
    for column in batch.columns:
        has_nul |= pc.match_substring(column, _MARK + "0").to_numpy(zero_copy_only=False)
    is_bad, is_good = pa.array(has_nul), pa.array(~has_nul)
    names = [_unescape(name) for name in batch.schema.names]
    good = [pc.replace_substring(column, _MARK + "1", _MARK) for column in batch.filter(is_good).columns]
    rows = zip(*(column.to_pylist() for column in batch.filter(is_bad).columns), strict=True)
    problems: list[Problem] = []
    for number, row in zip(numbers.filter(is_bad).to_pylist(), rows, strict=True):
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerow([_unescape(field) for field in row])
        where = ", ".join(name for name, field in zip(names, row, strict=True) if _MARK + "0" in field)
        raw = text.getvalue().removesuffix("\r\n")
        problems.append({"_row_number": number, "_raw": raw, "_problem": f"NUL character in {where}"})
    return pa.RecordBatch.from_arrays(good, names=names), numbers.filter(is_good), problems


def _reject_long(line: int) -> NoReturn:
    raise FileRejected(
        f"the record that begins at line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB",
        f"is a quote not closed? {_QUOTE_HINT}",
    )
