"""CSV: what is written comes back, and nothing is admitted that the csv module reads in another way."""

import csv
import io
from collections import deque

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.landing.count_csv import MAX_RECORD_BYTES
from pipelines.landing.parse import bronze_schema
from pipelines.landing.parse_csv import _drained
from tests.pipelines.landing.bad_files import HEADER, read_back, small_contract

NAMES = ("id", "name", "amount")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SPECIAL_CELLS = CELLS | st.text(',;\t"\r\n \ufeff\ufdd10', max_size=6)
PIECES = [
    b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\n\n", b" ", b"a", b"\0", b"\0", b"\t", b"'", b"\\", b"1,x,2\n",
    b'1,"x",2\n', b'x,"a\nb",y\r\n', "é".encode(), "\ufeff".encode(), "\ufdd1".encode(), "\u2028".encode(),
]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(SPECIAL_CELLS, SPECIAL_CELLS, SPECIAL_CELLS), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    has_bom=st.booleans(),
)
def test_cells_that_are_written_come_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, has_bom: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerows([NAMES, *rows])  # type: ignore[arg-type]
    content = text.getvalue().encode("utf-8-sig" if has_bom else "utf-8")
    admission, found = read_back(content, small_contract(delimiter=delimiter), "a.csv")
    assert (admission.status, admission.reason) == ("ok", "")
    assert [tuple(row[name] for name in NAMES) for row in found] == rows
    assert all(row["_problem"] is row["_raw"] is row["_rescued"] is None for row in found)


def strict_csv(content: bytes) -> list[list[str]] | None:
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    try:
        return [record for record in csv.reader(text, strict=True) if record][1:]
    except csv.Error:
        return None


@settings(deadline=None, max_examples=400)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30), width=st.sampled_from([1, 3]))
@example(pieces=[b'x,"a\nb",y\r\n', b'"', b"1,x,2\n", b'"', b"a"], width=3)
def test_what_is_admitted_is_what_the_csv_module_reads(pieces: list[bytes], width: int) -> None:
    content = ",".join(NAMES[:width]).encode() + b"\n" + b"".join(pieces)
    expected = strict_csv(content)
    admission, rows = read_back(content, small_contract(raw=NAMES[:width]), "a.csv")
    wanted = "failed" if expected is None else "ok"
    assert admission.status == wanted, admission.reason
    for row, record in zip(rows, expected or [], strict=True):
        if len(record) != width or any("\0" in text for text in record):
            assert row["_problem"] is not None
            assert next(csv.reader(io.StringIO(row["_raw"], newline=""))) == record
        else:
            assert [row[name] for name in NAMES[:width]] == record


def test_ragged_rows_keep_their_numbers_over_many_blocks() -> None:
    lines = [b"%d,%s,1" % (i, b"x" * 200) if i % 3 else b"%d,ragged" % i for i in range(1, 300_001)]
    admission, rows = read_back(HEADER + b"\n".join(lines), small_contract(), "a.csv")
    assert admission.rows == 300_000
    assert all((row["_raw"] or row["id"]).split(",")[0] == str(row["_row_number"]) for row in rows)
    assert all((row["_problem"] is None) == (row["_row_number"] % 3 > 0) for row in rows)


def test_problems_found_while_a_batch_is_used_are_not_lost() -> None:
    first: dict[str, object] = {"_row_number": 1, "_raw": "a", "_problem": "1 fields instead of 3"}
    problems, schema = deque([first]), bronze_schema(small_contract())
    batches = _drained(problems, schema)
    assert next(batches).num_rows == 1
    problems.append(first | {"_row_number": 2})
    assert list(batches) == []
    assert [batch.column("_row_number").to_pylist() for batch in _drained(problems, schema)] == [[2]]


def test_delimiters_beside_nul_are_seen_in_long_blocks() -> None:
    lines = [b"%d,%s,%d" % (i, b"x" * 30, i) if i % 1000 else b'%d,\0,"\0"' % i for i in range(1, 100_001)]
    admission, rows = read_back(HEADER + b"\n".join(lines), small_contract(), "a.csv")
    assert (admission.status, admission.rows) == ("ok", 100_000)
    assert [row["_row_number"] for row in rows if row["_problem"]] == list(range(1000, 100_001, 1000))
    assert all(row["amount"] == str(row["_row_number"]) for row in rows if not row["_problem"])


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_line_end_in_quotes_survives_the_end_of_a_block(shift: int) -> None:
    filler = b"1," + b"x" * 1_000_000 + b",1\n"
    before = HEADER + filler * (MAX_RECORD_BYTES // len(filler))
    row = b'2,"' + b"y" * (MAX_RECORD_BYTES - len(before) - 4 + shift) + b'\r\nz",1\n'
    content = before + row
    assert content.index(b"\r\n") == MAX_RECORD_BYTES - 1 + shift
    _, rows = read_back(content, small_contract(), "a.csv")
    assert rows[-1]["name"].endswith("y\r\nz")


def test_a_record_is_bounded_and_the_reason_names_it() -> None:
    line = b"x" * 1023 + b"\n"
    fits = b'1,"' + line * (MAX_RECORD_BYTES // 1024 - 1) + b'",1\n'
    admission, _ = read_back(HEADER + fits, small_contract(), "a.csv")
    assert admission.status == "ok", admission.reason
    rows = b"2,b,1\n" * 100 + b"".join(b'3,"%s","%s"\n' % ((line * (16 << 10),) * 2) for _ in range(2))
    admission, _ = read_back(HEADER + rows, small_contract(), "a.csv")
    assert admission.status == "failed"
    assert "longer than 16 MiB" in admission.reason
