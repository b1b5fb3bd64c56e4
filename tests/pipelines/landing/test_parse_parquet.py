"""Parquet: typed values become the text that Spark's cast to string gives, damaged files fail."""

import io
import random
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.landing.parse_parquet import to_text
from tests.pipelines.landing.bad_files import read_back, small_contract

CONTRACT = small_contract("parquet")
NEW_YEAR = datetime(2013, 1, 1)
POINT = pa.struct([("x", pa.float64()), ("at", pa.timestamp("us", "Asia/Tokyo"))])


def written(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def small(**columns: pa.Array) -> pa.Table:
    return pa.table({"id": pa.array([1, None]), "name": ["a", ""], "amount": [1.0, 2.5]} | columns)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([1.0, -2.5, 100.0, 0.001, 9999999.5]), ["1.0", "-2.5", "100.0", "0.001", "9999999.5"]),
        (pa.array([1e7, 1e10, 9.99e-4, 123456789.25]), ["1.0E7", "1.0E10", "9.99E-4", "1.2345678925E8"]),
        (pa.array([0.0, -0.0, 1e-7, -1.5e300, None]), ["0.0", "-0.0", "1.0E-7", "-1.5E300", None]),
        (pa.array([float("nan"), float("inf"), -float("inf")]), ["NaN", "Infinity", "-Infinity"]),
        (pa.array([0.1, 1e7, 1.5e-5], pa.float32()), ["0.1", "1.0E7", "1.5E-5"]),
        (pa.array([Decimal("0.00000001"), Decimal(0)], pa.decimal128(20, 10)), ["0.0000000100", "0.0000000000"]),
        (pa.array([Decimal("-12.50"), None], pa.decimal256(60, 2)), ["-12.50", None]),
        (pa.array([date(2013, 1, 1), date(1, 1, 1)]), ["2013-01-01", "0001-01-01"]),
        (pa.array([NEW_YEAR, None], pa.timestamp("us")), ["2013-01-01 00:00:00", None]),
        (pa.array([datetime(2013, 7, 1, 10, 20, 30, 500)], pa.timestamp("us")), ["2013-07-01 10:20:30.0005"]),
        (pa.array([datetime(2013, 7, 1, tzinfo=UTC)], pa.timestamp("ms", "America/New_York")), ["2013-07-01 00:00:00"]),
        (pa.array([1999, -1], pa.timestamp("ns")), ["1970-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999"]),
        (pa.array([time(1, 2, 3), time(1, 2, 3, 500000)]), ["01:02:03", "01:02:03.5"]),
        (pa.array([b"a", "é".encode()]), ["a", "é"]),
        (pa.array([b"ab", None], pa.binary(2)), ["ab", None]),
        (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        (pa.array([None, None], pa.null()), [None, None]),
        (
            pa.array([{"x": 1.0, "at": NEW_YEAR}, None, {"x": float("nan"), "at": None}], POINT),
            ['{"x":1.0,"at":"2013-01-01 00:00:00"}', None, '{"x":"NaN","at":null}'],
        ),
        (pa.array([[1, None], [], None], pa.list_(pa.int32())), ["[1,null]", "[]", None]),
        (pa.array([["a"], ['q"\n']], pa.large_list(pa.string())), ['["a"]', '["q\\"\\n"]']),
        (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), ["[1,2]", None]),
        (
            pa.array([[("a", Decimal("1.50")), ("b", None)], None, []], pa.map_(pa.string(), pa.decimal128(5, 2))),
            ['{"a":1.50,"b":null}', None, "{}"],
        ),
        (pa.array([[{"k": [True]}], [None]]), ['[{"k":[true]}]', "[null]"]),
        (pa.array([[0], [1], [2, 3]]).slice(1), ["[1]", "[2,3]"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_typed_value_becomes_its_canonical_text(column: pa.Array, texts: list[str | None]) -> None:
    assert to_text(column).to_pylist() == texts
    assert to_text(column).type == pa.string()


def test_rows_come_back_with_numbers_and_extra_columns_as_json() -> None:
    table = small(zone=pa.array(["eu", None]), at=pa.array([NEW_YEAR, NEW_YEAR])).select(
        ["zone", "amount", "id", "name", "at"]
    )
    admission, rows = read_back(written(table), CONTRACT, "a.parquet")
    assert (admission.status, admission.rows, admission.reason) == ("ok", 2, "")
    assert [(row["id"], row["name"], row["amount"]) for row in rows] == [("1", "a", "1.0"), (None, "", "2.5")]
    assert [row["_rescued"] for row in rows] == [
        '{"at":"2013-01-01 00:00:00","zone":"eu"}',
        '{"at":"2013-01-01 00:00:00","zone":null}',
    ]


def test_old_int96_timestamps_are_utc_instants_of_any_year() -> None:
    instants = [datetime(1, 1, 1), datetime(9999, 12, 31, 1, 2, 3, 4)]
    content = written(small(id=pa.array(instants, pa.timestamp("us"))), use_deprecated_int96_timestamps=True)
    _, rows = read_back(content, CONTRACT, "a.parquet")
    assert [row["id"] for row in rows] == ["0001-01-01 00:00:00", "9999-12-31 01:02:03.000004"]


def test_row_groups_and_batches_are_numbered_through() -> None:
    count = 200_000
    table = pa.table({"id": range(count), "name": [[{"k": i}] for i in range(count)], "amount": [0] * count})
    admission, rows = read_back(written(table, row_group_size=90_000), CONTRACT, "a.parquet")
    assert admission.rows == count
    assert all(row["id"] == str(i) and row["name"] == f'[{{"k":{i}}}]' for i, row in enumerate(rows))


WHOLE = written(small())


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", "empty", "no bytes"),
        (b"id,name,amount\n1,a,1\n", "failed", "is not Parquet"),
        (WHOLE[: len(WHOLE) // 2], "failed", "is not Parquet, or is damaged"),
        (WHOLE[:4] + b"\0" * 40 + WHOLE[44:], "failed", "is damaged"),
        (written(small().drop(["amount"])), "failed", "missing column 'amount'; the file has: 'id', 'name'"),
        (written(small().rename_columns(["id", "Name", "amount"])), "failed", "missing column 'name'; 'Name' differs"),
        (written(pa.table([[1], [2]], names=["id", "id"])), "failed", "'id' stands twice"),
        (written(small(name=pa.array([b"\xff", b"a"]))), "failed", "column 'name' of type binary: Invalid UTF8"),
        (written(small(name=pa.array([b"\xff", b"a"]).view(pa.string()))), "failed", "'name' of type string: Invalid"),
        (written(small(name=pa.array([1, 2], pa.duration("s")))), "failed", "column 'name' of type duration[s]"),
        (written(small().slice(0, 0)), "ok", ""),
    ],
    ids=range(11),
)
def test_file_gets_its_verdict(content: bytes, status: str, reason: str) -> None:
    admission, _ = read_back(content, CONTRACT, "a.parquet")
    assert admission.status == status, admission.reason
    assert reason in admission.reason


def test_damaged_bytes_never_raise_anything_but_a_verdict() -> None:
    chance, content = random.Random(7), written(small(), write_page_checksum=True)
    found: Counter[str] = Counter()
    for _ in range(300):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        found[read_back(bytes(damaged), CONTRACT, "a.parquet")[0].status] += 1
    assert found["failed"] > 50
