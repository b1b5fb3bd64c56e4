"""The records of a CSV file as ``csv.reader(strict=True)`` reads them, so that they can be counted without pyarrow."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from conf.errors import FileRejected

MAX_RECORD_BYTES = 16 << 20
_QUOTE_HINT = "a quoted field begins and ends with a quote, and a quote inside it is written twice"


def read_csv_records(stream: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    """Yield the records of a UTF-8 stream, the header first. Blank lines are no records.

    Raises
    ------
    FileRejected : when a quote is not closed or text follows a closing quote; names the line
    """
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
            reject_long(line + 1)
        raise FileRejected(f"the record that begins at line {line + 1} is not CSV: {error}", _QUOTE_HINT) from None


def reject_long(line: int) -> NoReturn:
    """Refuse a file because a record is longer than ``MAX_RECORD_BYTES``."""
    what = f"the record that begins at line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB"
    raise FileRejected(what, f"is a quote not closed? {_QUOTE_HINT}")
