"""JSON lines: values keep their spelling, a bad line is a problem of that line, a bad file fails."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipelines.landing.bad_files import read_back, small_contract

CONTRACT = small_contract("json")
GOOD = b'{"id":1,"name":"a","amount":1}\n'
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ('"a"', "a"),
        ('""', ""),
        ('" a\\tb\\u00e9\\ud83d\\ude00"', " a\tbé\U0001f600"),
        ("1.50", "1.50"),
        ("-0.0e05", "-0.0e05"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e400", "1e400"),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('{ "k" : [ 1.0 , "q\\"é", null, {} ] }', '{"k":[1.0,"q\\"é",null,{}]}'),
        ("[]", "[]"),
        ('"NaN"', "NaN"),
    ],
)
def test_value_becomes_its_text(spelling: str, text: str | None) -> None:
    content = GOOD + f'{{"id": 2, "name": {spelling}, "amount": 1}}'.encode()
    admission, rows = read_back(content, CONTRACT, "a.json")
    assert (admission.status, admission.rows) == ("ok", 2)
    assert (rows[1]["id"], rows[1]["name"], rows[1]["_problem"]) == ("2", text, None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id":NaN}', "NaN is not JSON"),
        (b'{"id":[-Infinity]}', "-Infinity is not JSON"),
        (b'{"id":1,"id":2}', "key 'id' stands twice"),
        (b'{"id":{"k":1,"k":1}}', "key 'k' stands twice"),
        (b'{"id":1}x', "Extra data"),
        (b'{"id":1} {"id":2}', "Extra data"),
        (b"[1]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"id,name", "Expecting value"),
        (b'{"id":1', "Expecting"),
        (b"{'id':1}", "Expecting property name"),
        (b'{"id":01}', "Expecting"),
        (b'{"id":"\\ud800"}', "lone surrogate in 'id'"),
        (b'{"\\udfff":1}', "lone surrogate in"),
        (b'{"id":["\\ud800"]}', "lone surrogate in 'id'"),
        (b'{"id":"a\0b"}', "Invalid control character"),
        (b'{"id":' + b"[" * 100_000, "nested too deep"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bad_line_is_a_problem_of_that_line_alone(line: bytes, problem: str) -> None:
    admission, rows = read_back(GOOD + line + b"\r\n" + GOOD, CONTRACT, "a.json")
    assert (admission.status, admission.rows) == ("ok", 3)
    assert [row["_problem"] is None for row in rows] == [True, False, True]
    assert problem in rows[1]["_problem"]
    assert rows[1]["_raw"] == line.decode()
    assert rows[1]["id"] is rows[1]["name"] is rows[1]["amount"] is rows[1]["_rescued"] is None


@pytest.mark.parametrize(
    ("name", "content", "status", "reason"),
    [
        ("a.json", b"", "empty", "no bytes"),
        ("a.json", b"\n \r\n\t\n", "empty", "only blank lines"),
        ("a.json", b'{"id":1,"name":"a"}\n{"Amount":1}\n', "failed", "missing column 'amount'; 'Amount' differs"),
        ("a.json", b'[\n{"id":1}]', "ok", ""),
        ("a.json", b'[{"id":1}]', "failed", "no line holds a JSON object"),
        ("a.json", b"id,name,amount\n1,a,1\n", "failed", "no line holds a JSON object; the first: Expecting value"),
        ("a.json", GOOD + '{"id":"é"}'.encode("latin-1"), "failed", "byte 0xe9 at offset 38 (line 2) is not UTF-8"),
        ("a.json", GOOD.decode().encode("utf-16"), "failed", "byte 0xff at offset 0 (line 1) is not UTF-8"),
        ("a.json", gzip.compress(GOOD, mtime=0), "failed", "must end with .gz"),
        ("a.json.gz", gzip.compress(GOOD, mtime=0)[:-9], "failed", "cut short"),
        ("a.json", GOOD + b'{"id":"' + b"x" * (17 << 20) + b'"}', "failed", "line 2 is longer than 16 MiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_file_gets_its_verdict(name: str, content: bytes, status: str, reason: str) -> None:
    admission, _ = read_back(content, CONTRACT, name)
    assert admission.status == status
    assert reason in admission.reason


def test_blank_lines_bom_and_cr_lf_are_no_content() -> None:
    content = b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n") + b"\n  \n" + GOOD.strip()
    _, rows = read_back(gzip.compress(content), CONTRACT, "a.json.gz")
    assert [row["id"] for row in rows] == ["1", "1"]


def test_absent_key_is_null_and_other_keys_are_rescued() -> None:
    content = GOOD + b'{"zone":null,"id":2,"b":{"n":1.0},"a":1.50}\n'
    _, rows = read_back(content, CONTRACT, "a.json")
    assert (rows[1]["id"], rows[1]["name"], rows[1]["amount"]) == ("2", None, None)
    assert [row["_rescued"] for row in rows] == [None, '{"a":"1.50","b":"{\\"n\\":1.0}","zone":null}']


@settings(deadline=None, max_examples=150)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8), is_ascii=st.booleans())
def test_texts_that_are_written_come_back(rows: list[tuple[str | None, ...]], is_ascii: bool) -> None:
    lines = [json.dumps(dict(zip(CONTRACT.raw_names, row, strict=True)), ensure_ascii=is_ascii) for row in rows]
    admission, found = read_back("\n".join(lines).encode(), CONTRACT, "a.json")
    assert (admission.status, admission.reason) == ("ok", "")
    assert [tuple(row[name] for name in CONTRACT.raw_names) for row in found] == rows


def test_many_lines_come_in_several_batches_with_their_numbers() -> None:
    lines = [b'{"id":%d,"name":"a","amount":1}' % i if i % 7 else b"{bad %d" % i for i in range(1, 50_001)]
    admission, rows = read_back(b"\n".join(lines), CONTRACT, "a.json")
    assert admission.rows == 50_000
    assert all(row["id"] == str(row["_row_number"]) or row["_raw"] == f"{{bad {row['_row_number']}" for row in rows)
