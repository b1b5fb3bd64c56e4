"""Each translated Spark SQL expression gives what Spark gives, for values at the edges; any other is left to Spark."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.local.expressions import translate
from features.local.values import INSTANT, NotLocal
from training.consistency import compare_frames

SCHEMA = {
    "row": pl.Int64(), "i": pl.Int32(), "j": pl.Int32(), "b": pl.Int64(), "x": pl.Float64(), "y": pl.Float64(),
    "s": pl.String(), "t": pl.Boolean(), "u": pl.Boolean(), "at": INSTANT, "on_day": pl.Date(),
    "price": pl.Decimal(10, 2),
}  # fmt: skip
NAN, INFINITY = float("nan"), float("inf")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


VALUES = {
    "i": [None, 0, 1, -1, 15, 2**31 - 1, -(2**31), 16],
    "j": [1, None, 1, 0, 15, 16, -(2**31), 2**31 - 1],
    "b": [0, None, 15, -1, 2**53 + 1, 2**63 - 1, -(2**63), 1],
    "x": [None, 0.0, -0.0, NAN, 15.0, INFINITY, -INFINITY, 1e-300],
    "y": [0.0, -0.0, None, NAN, NAN, 15.5, -INFINITY, 1e300],
    "s": [None, "", "a", "A", "é", "z ", "\U0001f600", "it's"],
    "t": [None, True, False, None, True, False, True, False],
    "u": [None, None, None, True, True, True, False, False],
    "at": [
        None, at(1970, 1, 1), at(1969, 12, 31, 23, 59, 59, 999_999), at(2013, 11, 3, 5, 30), at(2024, 2, 29, 12),
        at(1800, 1, 1), at(2024, 12, 31, 23, 59, 59), at(1988, 5, 8, 21, 45, 0, 1),
    ],
    "on_day": [
        None, date(1970, 1, 1), date(1969, 12, 31), date(2013, 11, 3), date(2024, 2, 29), date(1800, 1, 1),
        date(2024, 12, 31), date(2024, 1, 6),
    ],
    "price": [None, Decimal("0.00"), Decimal("-1.10"), Decimal("99.99"), Decimal(1), None, None, None],
}  # fmt: skip
TRANSLATED = [
    "I", "`at`", "price", "true", "7", "-7", "'text'", "(i)", "i = j", "i <> b", "b < i", "x <= y", "x > y", "i >= x",
    "x = y", "x <=> y", "i <=> j", "s = 'a'", "s < 'b'", "s >= ''", "at < at", "on_day = on_day", "t = u",
    "t AND u", "t OR u", "NOT t", "not t and u or i > 1", "t AND NOT (u OR i = 1)", "i IS NULL", "s is not null",
    "isnull(x)", "isnotnull(i)", "i IN (1, 15, -1)", "i NOT IN (1, 15)", "s in ('a', 'é')", "i BETWEEN 0 AND 15",
    "i not between j and 15", "CASE WHEN i > 1 THEN 'many' WHEN t THEN 'true' ELSE s END",
    "case when t then i end", "if(t, i, j)", "if(u, s, null)", "coalesce(i, j, 0)", "nvl(x, y)", "ifnull(s, '-')",
    "x + y", "x - y", "cast(i as double) - x", "cast(i as bigint)", "cast(t as int)", "cast(at as date)",
    "cast(on_day as timestamp)", "to_date(at)", "date(at)", "at - INTERVAL 2 HOURS", "at + interval '90' minutes",
    "interval 1 day + at", "at - interval 15 seconds", "weekday(on_day)", "weekday(at)", "dayofweek(on_day)",
    "dayofweek(at)", "year(at)", "quarter(on_day)", "month(on_day)", "dayofmonth(at)", "day(on_day)", "dayofyear(at)",
    "hour(at)", "minute(at)", "second(at)", "from_utc_timestamp(at, 'Asia/Kathmandu')",
    "hour(from_utc_timestamp(at, 'America/New_York'))", "i > 15 -- a comment",
]  # fmt: skip
LEFT_TO_SPARK = [
    "i + j", "i * 2", "i / j", "x / y", "x * y", "i % 2", "-x", "i = x + b", "b = x", "price = 1", "price > x",
    "s = i", "upper(s)", "s || s", "concat(s, s)", "s LIKE 'a%'", "cast(s as int)", "cast(x as int)", "cast(b as int)",
    "cast(i as string)", "i::string", "1.5", "1e3", "2147483648", "'a\\\\b'", "null", "abs(i)", "round(x)",
    "at + interval 1 month", "on_day + interval 1 day", "on_day = at", "from_utc_timestamp(at, 'EST')",
    "from_utc_timestamp(at, s)", "coalesce(i, b)", "if(t, i, b)", "case i when 1 then 2 end", "nowhere", "t.i",
    "(select 1)", "i in (select 1)", "row_number() over (order by i)", "i =", "hour(s)", "NOT i", "greatest(i, j)",
]  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    columns = {"row": list(range(8)), **VALUES}
    return pl.DataFrame(columns, schema=SCHEMA)


def test_translated_expressions_are_spark_s(spark: SparkSession, rows: pl.DataFrame) -> None:
    names = {f"e{n}": text for n, text in enumerate(TRANSLATED)}
    translated = {name: translate(text, SCHEMA) for name, text in names.items()}
    local = rows.select("row", **{name: value.expr for name, value in translated.items()})
    assert {name: local.schema[name] for name in names} == {name: value.kind for name, value in translated.items()}
    frame = spark.createDataFrame(rows.to_arrow())
    by_spark = frame.select("row", *(F.expr(text).alias(name) for name, text in names.items())).toArrow()
    found = compare_frames("expressions", local, pl.DataFrame(pl.from_arrow(by_spark)), ["row"])
    assert [(names[one.column], one.local, one.spark) for one in found.examples] == []
    assert found.differing == 0


@pytest.mark.parametrize("text", LEFT_TO_SPARK)
def test_other_expressions_are_left_to_spark(text: str) -> None:
    with pytest.raises(NotLocal):
        translate(text, SCHEMA)


def test_the_columns_that_an_expression_reads_are_known() -> None:
    value = translate("if(I > j, at, at - INTERVAL 1 HOUR)", SCHEMA)
    assert sorted(set(value.expr.meta.root_names())) == ["at", "i", "j"]
