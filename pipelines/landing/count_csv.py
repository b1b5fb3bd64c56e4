"""The records of a CSV file, counted without pyarrow, so that two independent counts can be compared.

A file of plain lines is counted by its line ends, any other file by ``csv.reader(strict=True)``. Every stream that
comes in ends with a line end. ``scan_lines``, which sees each file first, also checks that it is UTF-8.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from conf.errors import FileRejected
from pipelines.landing.byte_stream import CHUNK_BYTES

MAX_RECORD_BYTES = 16 << 20
_QUOTE_HINT = "a quoted field begins and ends with a quote, and a quote inside it is written twice"
_SIGNATURES = {b"\x1f\x8b": "gzip: its name must end with .gz", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def scan_lines(stream: BinaryIO) -> int | None:
    """Read a file to its end. Return its number of lines, the header included, if each line is surely one record.

    That is so when the file has no quote, no CR and no blank line. For any other file, return None.

    Raises
    ------
    FileRejected : when a byte is not UTF-8 or a line is longer than ``MAX_RECORD_BYTES``; names offset or line
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, offset, is_plain, unended_bytes, last_byte, first_bytes = 0, 0, True, 0, b"\n", b""
    while chunk := stream.read(CHUNK_BYTES):
        offset += len(chunk)
        first_bytes = first_bytes or chunk[:4]
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            _reject_byte(error, first_bytes, offset, lines)
        if offset == len(chunk):
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        starts_blank = last_byte + chunk[:1] == b"\n\n"
        is_plain = is_plain and not (starts_blank or b"\r" in chunk or b'"' in chunk or b"\n\n" in chunk)
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        unended_bytes = unended_bytes + len(chunk) if end < 0 else len(chunk) - 1 - end
        lines += chunk.count(b"\n")
        if unended_bytes > MAX_RECORD_BYTES:
            _reject_long(lines + 1)
        last_byte = chunk[-1:]
    return lines if is_plain else None


def _reject_byte(error: UnicodeDecodeError, first_bytes: bytes, chunk_end: int, lines_before: int) -> NoReturn:
    data = bytes(error.object)
    line = lines_before + data.count(b"\n", 0, error.start) + 1
    offset = chunk_end - len(data) + error.start
    kinds = [kind for start, kind in _SIGNATURES.items() if first_bytes.startswith(start)]
    hint = f"the content is {kinds[0]}" if kinds else "save the file as UTF-8; it may be Latin-1"
    raise FileRejected(f"byte {data[error.start]:#04x} at offset {offset} (line {line}) is not UTF-8", hint) from None


def read_header(stream: BinaryIO, delimiter: str) -> list[str]:
    """Return the column names in the first record; none when there is no record."""
    return next(_records(stream, delimiter), [])


def count_records(stream: BinaryIO, delimiter: str) -> int:
    """Count the records after the header.

    Raises
    ------
    FileRejected : when a quote is not closed or text follows a closing quote; names the line
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


def _reject_long(line: int) -> NoReturn:
    what = f"the record that begins at line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB"
    raise FileRejected(what, f"is a quote not closed? {_QUOTE_HINT}")
