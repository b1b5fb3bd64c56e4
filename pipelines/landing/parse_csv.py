"""CSV, strictly: quoting as in RFC 4180, any line end, a blank line is no record.

pyarrow reads fast but forgives much: when a quote is closed by a later one, it swallows the rows between in silence.
So a file is admitted only when another count, by ``scan_csv`` or ``count_csv``, finds the same number of records.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from conf.errors import FileRejected
from pipelines.landing.byte_stream import CHUNK_BYTES
from pipelines.landing.count_csv import MAX_RECORD_BYTES

MAX_RAGGED_IN_A_STRETCH = 1_000_000
_ESCAPE = "\ufdd1"  # followed by 0 it stands for a NUL, followed by 1 for this character itself
_ESCAPE_BYTES = _ESCAPE.encode()
ProblemRow = dict[str, object]
# Makes a batch of ``bronze_schema`` from a batch under the file's own column names and its row numbers.
Arrange = Callable[[pa.RecordBatch, pa.Array], pa.RecordBatch]
SetAside = Callable[[pacsv.InvalidRow], str]


def read_csv(file: io.BufferedReader, delimiter: str, schema: pa.Schema, arrange: Arrange) -> Iterator[pa.RecordBatch]:
    """Read the records after the header, all as text, in blocks of bounded memory. A file without a header has none.

    Records go through ``arrange``. Those that hold a NUL, or more or fewer fields than the header, do not: they come
    in batches of their own with ``_raw`` and ``_problem``.

    Raises
    ------
    FileRejected : when a record is too long, or a great many rows in a stretch do not have the header's fields
    """
    problems: deque[ProblemRow] = deque()
    ragged_numbers: deque[int] = deque()
    start = 1

    def set_aside(row: pacsv.InvalidRow) -> str:  # pyarrow calls it while it parses ahead, in a thread of its own
        if len(problems) > MAX_RAGGED_IN_A_STRETCH:
            return "error"
        reason = f"{row.actual_columns} fields instead of {row.expected_columns}"
        ragged_numbers.append(row.number - 1)
        problems.append({"_row_number": row.number - 1, "_raw": _unescape(row.text), "_problem": reason})
        return "skip"

    for batch, has_escapes in _read_blocks(file, delimiter, set_aside):
        numbers = _number_rows(start, batch.num_rows, ragged_numbers)
        start = numbers[-1].as_py() + 1 if len(numbers) else start
        if has_escapes:
            batch, numbers, with_nul = _split_off_nul(batch, numbers, delimiter)
            problems.extend(with_nul)
        yield arrange(batch, numbers)
        yield from _drained(problems, schema)
    yield from _drained(problems, schema)


def count_parsed(file: io.BufferedReader, delimiter: str, column: str) -> int:
    """Count the records that ``read_csv`` would give, which are split into fields but not all made into text.

    Parameters
    ----------
    column : the one whose text is made; it need not be there
    """
    records = in_stretch = 0

    def set_aside(_: pacsv.InvalidRow) -> str:
        nonlocal records, in_stretch
        if in_stretch > MAX_RAGGED_IN_A_STRETCH:
            return "error"
        records, in_stretch = records + 1, in_stretch + 1
        return "skip"

    parsed = 0
    for batch, _ in _read_blocks(file, delimiter, set_aside, [column]):
        parsed += batch.num_rows
        in_stretch = 0
    return parsed + records


def _read_blocks(
    file: io.BufferedReader, delimiter: str, set_aside: SetAside, columns: Sequence[str] = ()
) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Yield batches under the file's own column names, and whether NULs were escaped until then.

    Parameters
    ----------
    set_aside : called for each row with more or fewer fields than the header
    columns : only these, those that the file does not have with NULLs; all that the file has when none is named
    """
    if file.peek(3)[:3] == codecs.BOM_UTF8:
        file.read(3)
    while (ahead := file.peek(1)) and ahead[:1] in b"\r\n":
        file.read(len(ahead) - len(ahead.lstrip(b"\r\n")))
    if not ahead:
        return
    blocks = _EscapedBlocks(file)
    text = pacsv.ConvertOptions(
        default_column_type=pa.string(), strings_can_be_null=False,
        include_columns=list(columns), include_missing_columns=bool(columns),
    )  # fmt: skip
    try:
        with pacsv.open_csv(
            blocks,
            pacsv.ReadOptions(use_threads=False, block_size=MAX_RECORD_BYTES),
            pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside),
            text,
        ) as reader:
            for batch in reader:
                yield batch, blocks.has_escapes
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        hint = f"is a record longer than {MAX_RECORD_BYTES >> 20} MiB, or is the delimiter another one?"
        raise FileRejected(f"cannot be read as CSV: {error}", hint) from None


def _drained(problems: deque[ProblemRow], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Take the rows that are there now; pyarrow's thread may add others meanwhile, which come the next time."""
    rows = [problems.popleft() for _ in range(len(problems))]
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _number_rows(start: int, count: int, ragged_numbers: deque[int]) -> pa.Array:
    """Return the numbers of ``count`` rows from ``start`` on. The numbers of ragged rows are left out."""
    while ragged_numbers and ragged_numbers[0] < start:
        ragged_numbers.popleft()
    ragged = list(ragged_numbers.copy())
    numbers = np.arange(start, start + count + len(ragged), dtype=np.int64)
    return pa.array(numbers[~np.isin(numbers, ragged)][:count] if ragged else numbers)


class _EscapedBlocks(io.RawIOBase):
    """The stream that pyarrow reads, changed so that two bugs of pyarrow do no harm.

    pyarrow overlooks delimiters near a NUL, so each NUL is escaped. It drops a line feed that begins a block when the
    block before ends with CR, even inside quotes, so no block ends with CR.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._ready = bytearray()
        self._held = b""
        self.has_escapes = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._ready) <= size and (chunk := self._source.read(CHUNK_BYTES)):
            self._escape(self._held + chunk)
        if len(self._ready) <= size:
            self._ready += self._held
            self._held = b""
        block = bytes(self._ready[:size])
        if len(self._ready) > size and block.endswith(b"\r"):
            block = block[:-1]
        del self._ready[: len(block)]
        return block

    def _escape(self, data: bytes) -> None:
        """Add the bytes to ``_ready``. A last byte or two that may begin the escape character are held back."""
        self._held = next((start for start in (_ESCAPE_BYTES[:2], _ESCAPE_BYTES[:1]) if data.endswith(start)), b"")
        data = data[: len(data) - len(self._held)]
        if b"\0" in data or (_ESCAPE_BYTES[:1] in data and _ESCAPE_BYTES in data):  # one byte is found much faster
            self.has_escapes = True
            data = data.replace(_ESCAPE_BYTES, _ESCAPE_BYTES + b"1").replace(b"\0", _ESCAPE_BYTES + b"0")
        self._ready += data


def _unescape(text: str) -> str:
    return re.sub(f"{_ESCAPE}([01])", lambda match: "\0" if match[1] == "0" else _ESCAPE, text)


def _split_off_nul(
    batch: pa.RecordBatch, numbers: pa.Array, delimiter: str
) -> tuple[pa.RecordBatch, pa.Array, list[ProblemRow]]:
    """Return the rows without a NUL, their numbers, and the others as problems, written as CSV again."""
    has_nul = np.zeros(batch.num_rows, dtype=bool)
    for column in batch.columns:
        has_nul |= pc.match_substring(column, _ESCAPE + "0").to_numpy(zero_copy_only=False)
    is_bad, is_good = pa.array(has_nul), pa.array(~has_nul)
    names = [_unescape(name) for name in batch.schema.names]
    good = [pc.replace_substring(column, _ESCAPE + "1", _ESCAPE) for column in batch.filter(is_good).columns]
    rows = zip(*(column.to_pylist() for column in batch.filter(is_bad).columns), strict=True)
    problems: list[ProblemRow] = []
    for number, row in zip(numbers.filter(is_bad).to_pylist(), rows, strict=True):
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerow([_unescape(field) for field in row])
        where = ", ".join(name for name, field in zip(names, row, strict=True) if _ESCAPE + "0" in field)
        raw = text.getvalue().removesuffix("\r\n")
        problems.append({"_row_number": number, "_raw": raw, "_problem": f"NUL character in {where}"})
    return pa.RecordBatch.from_arrays(good, names=names), numbers.filter(is_good), problems
