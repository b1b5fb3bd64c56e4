"""The point-in-time join on literal rows: equality, NULLs, expiry, duplicates, pruning, several views, slices."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import ConfigError
from conf.instants import instant_to_micros
from features.definitions import Aggregation, Entity, FeatureView
from features.spark.as_of import join_as_of
from features.spark.slices import Slices

CARRIER = Entity("carrier", ["carrier"])
DELAYS = FeatureView(
    "delays",
    CARRIER,
    "flights",
    [Aggregation("n", "count", ["1d", "2d"]), Aggregation("n", "max", ["2d"])],
    available_after="12h",
)
WEATHER = FeatureView("weather", Entity("origin", ["origin"]), "weather", fields=["wind"], hop="1h", ttl="3h")
NOTES = FeatureView("notes", CARRIER, "notes", fields=["text", "fee", "seen"], hop="1h", available_after="25m")
ROUTE = FeatureView("route", Entity("route", ["carrier", "origin"]), "fares", fields=["fare"], hop="1h")
BACK = FeatureView("back", Entity("back", ["origin", "carrier"]), "fares", fields=["fare"], available_after="1h")
SECOND = timedelta(seconds=1)
END = datetime(2013, 11, 30, tzinfo=UTC)


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2013, 11, day, hour, tzinfo=UTC)


def us(instant: datetime) -> int:
    return instant_to_micros(instant)


@pytest.fixture(scope="module")
def delays(spark: SparkSession) -> DataFrame:
    names = "carrier string, feature_at timestamp, n_count_1d bigint, n_count_2d bigint, n_max_2d int"
    rows = [("UA", on(2), 1, 1, 10), ("UA", on(3), 0, 1, 10), ("UA", on(4), 0, 0, None), ("DL", on(2), 2, 2, 7)]
    frame = spark.createDataFrame(rows, names)
    return frame.withColumn("available_at", F.expr("feature_at + interval 12 hours"))


@pytest.fixture(scope="module")
def weather(spark: SparkSession) -> DataFrame:
    names = "origin string, feature_at timestamp, available_at timestamp, _event_at timestamp, wind double"
    rows = [("JFK", on(2, 5), on(2, 5), on(2, 4), 9.5), ("JFK", on(2, 6), on(2, 6), on(2, 5), None)]
    return spark.createDataFrame(rows, names)


@pytest.fixture(scope="module")
def notes(spark: SparkSession) -> DataFrame:
    names = "carrier string, feature_at timestamp, _event_at timestamp, text string, fee decimal(10,2), seen timestamp"
    rows = [
        ("UA", on(2, 5), on(2, 4), "a", Decimal("1.10"), on(1)),
        ("UA", on(2, 12), on(2, 11), None, Decimal("-0.07"), on(1, 3)),
        ("DL", on(2, 5), on(2, 4), "d", None, None),
        (None, on(2, 5), on(2, 4), "of no entity", Decimal(7), on(1)),
    ]
    return spark.createDataFrame(rows, names)


@pytest.fixture(scope="module")
def fares(spark: SparkSession) -> DataFrame:
    rows = [("UA", "JFK", on(2, 5), 1), ("UA", "JFK", on(3), 2), ("JFK", "UA", on(2, 5), 9), ("UA", None, on(2), 8)]
    return spark.createDataFrame(rows, "carrier string, origin string, feature_at timestamp, fare int")


def spine(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), "id int, carrier string, origin string, prediction_at timestamp")


def ask_delays(spark: SparkSession, delays: DataFrame, *rows: tuple[Any, ...], as_of: datetime = END) -> list[Any]:
    asked = spine(spark, *((n, carrier, None, at) for n, (carrier, at) in enumerate(rows)))
    found = join_as_of(asked, [(DELAYS, delays)], us(as_of)).orderBy("id")
    return [tuple(r)[4:] for r in found.collect()]


def test_a_value_may_be_used_from_the_moment_it_is_available(spark: SparkSession, delays: DataFrame) -> None:
    rows = [("UA", on(2, 12) - SECOND), ("UA", on(2, 12)), ("UA", on(3, 12) - SECOND), ("UA", on(3, 12))]
    assert ask_delays(spark, delays, *rows) == [(0, 0, None), (1, 1, 10), (1, 1, 10), (0, 1, 10)]


def test_as_of_holds_back_what_became_available_later(spark: SparkSession, delays: DataFrame) -> None:
    asked = ("UA", on(9))
    found = [ask_delays(spark, delays, asked, as_of=at) for at in (on(3, 12) - SECOND, on(3, 12), on(4, 12))]
    assert found == [[(1, 1, 10)], [(0, 1, 10)], [(0, 0, None)]]


def test_unknown_is_no_events_and_null_is_null(spark: SparkSession, delays: DataFrame) -> None:
    rows = [("ZZ", on(2, 12)), (None, on(2, 12)), ("UA", None)]
    assert ask_delays(spark, delays, *rows) == [(0, 0, None), (None, None, None), (None, None, None)]


def test_rows_out_are_rows_in(spark: SparkSession, delays: DataFrame, weather: DataFrame) -> None:
    row = (1, "UA", "JFK", on(2, 12))
    asked = spine(spark, row, row, row, (2, None, "JFK", on(2, 7)), (2, None, None, None))
    joined = join_as_of(asked, [(DELAYS, delays), (WEATHER, weather)], us(END))
    names = ["delays__n_count_1d", "delays__n_count_2d", "delays__n_max_2d", "weather__wind"]
    assert joined.columns == [*asked.columns, *names]
    assert joined.count() == 5


def test_a_latest_value_expires_when_it_is_older_than_ttl(spark: SparkSession, weather: DataFrame) -> None:
    at = [on(2, 5) - SECOND, on(2, 5), on(2, 6) - SECOND, on(2, 6), on(2, 8), on(2, 9)]
    asked = spine(spark, *((n, None, "JFK", when) for n, when in enumerate(at)))
    early = weather.where("wind is not null")
    for stored, expected in ((early, [None, 9.5, 9.5, 9.5, None, None]), (weather, [None, 9.5, 9.5, None, None, None])):
        joined = join_as_of(asked, [(WEATHER, stored)], us(END)).orderBy("id")
        assert [r["weather__wind"] for r in joined.collect()] == expected
    exactly = spine(spark, (1, None, "JFK", on(2, 7)), (2, None, "JFK", on(2, 7) + SECOND))
    joined = join_as_of(exactly, [(WEATHER, early)], us(END)).orderBy("id")
    assert [r["weather__wind"] for r in joined.collect()] == [9.5, None]


def test_keys_must_be_there_and_of_the_same_type(spark: SparkSession, delays: DataFrame) -> None:
    good = spine(spark, (1, "UA", None, on(2)))
    number = good.withColumn("carrier", F.lit(7))
    with pytest.raises(ConfigError, match=r"delays: carrier: is int in the spine and string in the feature table"):
        join_as_of(number, [(DELAYS, delays)], us(END))
    with pytest.raises(ConfigError, match=r"delays: prediction_at: is not in the spine\n.*\n.*carrier: is not in"):
        join_as_of(good.select("id"), [(DELAYS, delays)], us(END))


def test_bounds_stand_as_literals_in_the_scan(spark: SparkSession, delays: DataFrame, tmp_path: Any) -> None:
    delays.write.parquet(str(tmp_path / "delays"))
    stored = spark.read.parquet(str(tmp_path / "delays"))
    asked = spine(spark, (1, "UA", None, on(5, 13)), (2, "UA", None, on(6, 13)))
    joined = join_as_of(asked, [(DELAYS, stored)], us(END), bounds=(us(on(5, 13)), us(on(6, 13))))
    plan = joined._jdf.queryExecution().executedPlan().toString()
    assert re.search(
        r"Filter .*feature_at#\d+ > 2013-11-03 00:00:00\).*\n.*PushedFilters: .*GreaterThan\(feature_at", plan
    )
    assert re.search(r"PushedFilters: .*LessThanOrEqual\(feature_at,2013-11-06 00:00:00", plan)


def test_views_of_one_entity_share_a_time_line_whatever_their_hops_and_delays(
    spark: SparkSession, delays: DataFrame, notes: DataFrame
) -> None:
    first, second = ("a", Decimal("1.10"), on(1)), (None, Decimal("-0.07"), on(1, 3))
    before, begun = (0, 0, None), (1, 1, 10)
    at_5, at_12 = on(2, 5) + timedelta(minutes=25), on(2, 12) + timedelta(minutes=25)
    expected = [
        ("UA", at_5 - SECOND, before, (None, None, None)),
        ("UA", at_5, before, first),
        ("UA", on(2, 12) - SECOND, before, first),
        ("UA", on(2, 12), begun, first),
        ("UA", at_12 - SECOND, begun, first),
        ("UA", at_12, begun, second),
        ("UA", None, (None, None, None), (None, None, None)),
        ("DL", on(2, 12), (2, 2, 7), ("d", None, None)),
        (None, on(2, 12), (None, None, None), (None, None, None)),
    ]
    asked = spine(spark, *((n, carrier, None, at) for n, (carrier, at, _, _) in enumerate(expected)))
    joined = join_as_of(asked, [(DELAYS, delays), (NOTES, notes)], us(END)).orderBy("id")
    naive = [tuple(v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in e[3]) for e in expected]
    assert [tuple(row)[4:] for row in joined.collect()] == [(*e[2], *n) for e, n in zip(expected, naive, strict=True)]


def test_an_entity_costs_one_shuffle_and_columns_keep_the_order_of_the_views(
    spark: SparkSession, delays: DataFrame, weather: DataFrame, notes: DataFrame, fares: DataFrame
) -> None:
    row = (1, "UA", "JFK", on(3))
    asked = spine(spark, row, (2, "UA", None, on(3)), row, (3, "JFK", "UA", on(2, 5)))
    views = [(DELAYS, delays), (ROUTE, fares), (WEATHER, weather), (BACK, fares), (NOTES, notes)]
    joined = join_as_of(asked, views, us(END))
    assert joined.columns[4:] == [view.column_of(name) for view, _ in views for name in view.feature_names]
    plan = joined._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange hashpartitioning") == 3
    found = joined.select("id", "delays__n_count_1d", "route__fare", "back__fare", "notes__fee").orderBy("id")
    fee = Decimal("-0.07")
    assert [tuple(r) for r in found.collect()] == [
        (1, 1, 2, 1, fee),
        (1, 1, 2, 1, fee),
        (2, 1, None, None, fee),
        (3, 0, 9, None, None),
    ]


def test_slices_change_no_value(spark: SparkSession, delays: DataFrame, notes: DataFrame) -> None:
    hours = [on(2) + timedelta(hours=n, minutes=25 * (n % 2)) for n in range(0, 72, 3)]
    rows = [(n, carrier, None, at) for carrier in ("UA", "DL", None) for n, at in enumerate([None, *hours])]
    asked, views = spine(spark, *rows), [(DELAYS, delays), (NOTES, notes)]
    whole = join_as_of(asked, views, us(END), with_times=True)
    heavy = [
        row[0]
        for row in asked.where("carrier is null or carrier = 'UA'").select(F.xxhash64("carrier")).distinct().collect()
    ]
    edges = [us(on(1)), us(on(2, 12)), us(on(2, 13)), us(on(3, 12)) + 1, us(on(3, 13)), us(on(9))]
    for cut in (edges, edges[1:2], edges[-1:], []):
        slices = {("carrier",): Slices(tuple(heavy), tuple(cut))}
        sliced = join_as_of(asked, views, us(END), with_times=True, slices=slices)
        assert Counter(sliced.collect()) == Counter(whole.collect())
    assert whole.where("notes__text = 'a'").count() > 0
