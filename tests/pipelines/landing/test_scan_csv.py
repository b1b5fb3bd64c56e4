"""The records are counted as the file is read: as the csv module counts them, however the bytes are cut."""

import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.errors import FileRejected
from pipelines.landing.count_csv import MAX_RECORD_BYTES
from pipelines.landing.scan_csv import RecordScan
from tests.pipelines.landing.bad_files import HEADER

PIECES = [
    '"', '""', '"""', ",", ";", "\n", "\n\n", "\r\n", "\r", " ", "a", "\0", "é", '"a"', '"a""b"', '"a\nb"', '","',
    '1,"x"\n',
]  # fmt: skip


def scan(content: bytes, read_size: int, delimiter: str = ",") -> RecordScan:
    found = RecordScan(io.BytesIO(content), delimiter)
    assert b"".join(iter(lambda: found.read(read_size) or b"", b"")) == content
    return found


@settings(deadline=None, max_examples=400)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=20),
    read_size=st.integers(1, 9) | st.just(1 << 20),
    delimiter=st.sampled_from(",;"),
)
@example(pieces=['"a""b"', "\n", '"', ",\n", '"'], read_size=1, delimiter=",")
def test_a_count_is_that_of_the_csv_module(pieces: list[str], read_size: int, delimiter: str) -> None:
    text = "".join(pieces) + "\n"
    found = scan(text.encode(), read_size, delimiter)
    if found.records is not None:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        expected = [record for record in reader if record]
        assert found.records == len(expected)
        assert next(csv.reader(io.StringIO(found.header.decode(), newline=""), delimiter=delimiter)) == expected[0]


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(*[st.text('a,;"\n é', max_size=4)] * 2), min_size=1, max_size=6),
    read_size=st.integers(3, 9),
    has_bom=st.booleans(),
)
def test_whatever_a_csv_writer_writes_is_counted(rows: list[tuple[str, str]], read_size: int, has_bom: bool) -> None:
    """But for blank lines within a cell."""
    rows = [(re.sub("\n+", "\n", one), re.sub("\n+", "\n", two)) for one, two in rows]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    found = scan(text.getvalue().encode("utf-8-sig" if has_bom else "utf-8"), read_size)
    assert found.records == len(rows)


def test_what_is_wrong_is_raised_at_every_read_from_there_on() -> None:
    found = RecordScan(io.BytesIO(HEADER + b"1,caf\xe9,1\n" + b"2,b,1\n" * 9), ",")
    for _ in range(3):
        with pytest.raises(FileRejected, match=r"byte 0xe9 at offset 20 \(line 2\) is not UTF-8"):
            found.read(1 << 20)


def test_a_long_record_is_left_to_the_csv_module() -> None:
    line = b"x" * 1023 + b"\n"
    for kilobytes, records in ((14 << 10, 3), (16 << 10, None)):
        record = b'1,"' + line * kilobytes + b'"\n'
        assert len(record) < MAX_RECORD_BYTES or records is None
        assert scan(HEADER + record * 2, 1 << 20).records == records
