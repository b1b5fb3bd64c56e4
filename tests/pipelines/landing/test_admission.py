"""What is admitted and what is not, and that what was admitted is read back exactly."""

import gzip
import io
import re
from pathlib import Path

import pyarrow as pa
import pytest

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.admission import admit
from pipelines.landing.parse import bronze_schema, parse
from tests.pipelines.landing.bad_files import CASES, HEADER, REASONS, Case, read_back, small_contract


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_file_gets_its_verdict_and_its_exact_rows(case: Case) -> None:
    name, content, status, good, bad = case
    admission, rows = read_back(content, small_contract(), name)
    assert admission.status == status, admission.reason
    assert re.search(REASONS.get(name, "^$"), admission.reason), admission.reason
    assert admission.rows == len(good) + len(bad)
    found = [(row["id"], row["name"], row["amount"]) for row in rows if row["_problem"] is None]
    assert found == good
    problems = [row for row in rows if row["_problem"] is not None]
    assert [row["_raw"] for row in problems] == bad
    assert all(row["id"] is row["name"] is row["amount"] is row["_rescued"] is None for row in problems)
    assert all(row["_raw"] is None for row in rows if row["_problem"] is None)


def test_every_expected_reason_belongs_to_a_case() -> None:
    names = [case[0] for case in CASES]
    assert len(set(names)) == len(names) >= 30
    assert REASONS.keys() == {name for name, _, status, _, _ in CASES if status != "ok"}
    ids = [row[0] for case in CASES for row in case[3] if row[0]]
    assert len(set(ids)) == len(ids)


def test_problem_says_why() -> None:
    _, rows = read_back(HEADER + b"1,a\n2,\0,\0\n", small_contract(), "a.csv")
    assert [row["_problem"] for row in rows] == ["2 fields instead of 3", "NUL character in name, amount"]


def test_extra_columns_are_rescued_as_json_with_sorted_keys() -> None:
    content = 'zone,name,"b ""q""",amount,id\neu,a,"x\n""\\",1,7\n,b,é,2,8\n'.encode()
    _, rows = read_back(content, small_contract(), "a.csv")
    assert [row["_rescued"] for row in rows] == [
        '{"b \\"q\\"":"x\\n\\"\\\\","zone":"eu"}',
        '{"b \\"q\\"":"é","zone":""}',
    ]


def test_raw_columns_are_found_by_header_and_named_by_name() -> None:
    renamed = [{"name": "order_id", "header": "Order ID"}, {"name": "a_b", "header": "a-b"}]
    contract = Contract.model_validate(small_contract().model_dump() | {"raw": renamed})
    _, rows = read_back(b"Order ID,a-b\n1,x\n", contract, "a.csv")
    assert [(row["order_id"], row["a_b"]) for row in rows] == [("1", "x")]
    text, number = pa.string(), pa.int64()
    columns = {"order_id": text, "a_b": text, "_row_number": number, "_rescued": text, "_raw": text, "_problem": text}
    assert {field.name: field.type for field in bronze_schema(contract)} == columns


def test_file_that_changed_since_it_was_admitted_is_rejected_at_the_end() -> None:
    contract, before, after = small_contract(), HEADER + b"1,a,1\n", HEADER + b"1,b,1\n"
    admission = admit(lambda: io.BytesIO(before), contract, "a.csv")
    batches = parse(lambda: io.BytesIO(after), contract, "landing/a.csv", admission.file_hash)
    assert next(batches).num_rows == 1
    with pytest.raises(FileRejected, match=r"landing/a\.csv changed while it was loaded"):
        next(batches)


def test_file_whose_two_counts_differ_fails() -> None:
    """Only a file that pyarrow may read wrongly is read again, here because of its CR."""
    before, after = HEADER + b"1,a,1\r", HEADER + b"1,a,1\r2,b,1\r"
    passes = iter([after, before])
    admission = admit(lambda: io.BytesIO(next(passes)), small_contract(), "a.csv")
    assert (admission.status, admission.rows) == ("failed", 0)
    assert "one count finds 1 records, another 2" in admission.reason


PLAIN, QUOTED = HEADER + b"1,a,1\n2,b,1\n", b'"id","name","amount"\n1,"a\n""b""",1\n"2",,""\n'


@pytest.mark.parametrize(
    ("content", "rows", "passes"),
    [
        (PLAIN, 2, 1), (QUOTED, 2, 1), (PLAIN[:-1], 2, 1), (b"\xef\xbb\xbf" + QUOTED, 2, 1), (HEADER, 0, 1),
        (HEADER + b"1,a\n2,b,\0\n", 2, 1), (PLAIN.replace(b"\n", b"\r\n"), 2, 2),
        (HEADER + b"\n1,a,1\n2,b,1\n", 2, 2), (HEADER + b"1,6\" pipe,1\n2,,\n", 2, 2),
    ],
)  # fmt: skip
def test_a_file_is_read_once_unless_only_the_csv_module_can_count_it(content: bytes, rows: int, passes: int) -> None:
    opened: list[io.BytesIO] = []

    def open_stream() -> io.BytesIO:
        opened.append(io.BytesIO(content))
        return opened[-1]

    admission = admit(open_stream, small_contract(), "a.csv")
    assert (admission.status, admission.rows) == ("ok", rows)
    assert len(opened) == passes


def test_bytes_after_what_is_parsed_count_for_the_hash() -> None:
    content = gzip.compress(HEADER + b"1,a,1\n", mtime=0)
    admission = admit(lambda: io.BytesIO(content), small_contract(), "a.csv.gz")
    with pytest.raises(FileRejected, match="changed"):
        list(parse(lambda: io.BytesIO(content + b"\0"), small_contract(), "a.csv.gz", admission.file_hash))


def test_file_on_disk_is_closed_also_when_reading_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"1,a,1\n" * 4_000_000)
    opened = []

    def open_stream() -> io.BufferedReader:
        opened.append(path.open("rb"))
        return opened[-1]

    admission = admit(open_stream, small_contract(), "a.csv")
    assert (admission.status, admission.rows) == ("ok", 4_000_000)
    batches = parse(open_stream, small_contract(), "a.csv", admission.file_hash)
    assert 0 < next(batches).num_rows < 4_000_000
    batches.close()  # type: ignore[attr-defined]
    assert all(file.closed for file in opened)


def test_what_open_stream_raises_passes_through() -> None:
    def refuse() -> io.BytesIO:
        raise PermissionError("not yours")

    with pytest.raises(PermissionError, match="not yours"):
        admit(refuse, small_contract(), "a.csv")
