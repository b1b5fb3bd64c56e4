"""Feature rows on literal rows: hand-checked values, types, exact bits, spans, laziness."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import ConfigError
from conf.instants import instant_to_micros
from features.definitions import Aggregation, Entity, FeatureView
from features.spark.as_of import join_as_of
from features.spark.events import build_events, build_timeliness
from features.spark.feature_rows import build_rows
from features.spark.spans import Spans, bounds_of, build_extent, build_spans, in_spans
from tests.pipelines.spark_counters import counted

CARRIER = Entity("carrier", ["carrier"])
SILVER = "id int, carrier string, at timestamp, n int, big bigint, x double, d decimal(10,2), _known_at timestamp"
DAY = 86_400_000_000


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2013, 11, day, hour, tzinfo=UTC)


def us(day: int, hour: int = 0) -> int:
    return instant_to_micros(on(day, hour))


def row(key: int, carrier: str | None, at: datetime | None, n: int | None, known_at: datetime | None = None) -> Any:
    return (key, carrier, at, n, n, None if n is None else n / 4, None, known_at or at or on(1))


def silver(spark: SparkSession, *rows: Any) -> DataFrame:
    return spark.createDataFrame(list(rows), SILVER)


def events(frame: DataFrame, view: FeatureView) -> DataFrame:
    return build_events(frame, view, "at", ["id"])


def delays(*functions: str, windows: tuple[str, ...] = ("1d", "2d"), **settings: Any) -> FeatureView:
    aggregations = [Aggregation("n", function, windows) for function in functions]
    settings = {"available_after": "12h", **settings}
    return FeatureView("delays", CARRIER, "flights", aggregations, **settings)


def newest(**settings: Any) -> FeatureView:
    return FeatureView("newest", CARRIER, "flights", fields=("n", "x"), **settings)


def spans_of(spans: Spans) -> list[tuple[Any, ...]]:
    return sorted(tuple(found) for found in spans.touched.collect())


def test_one_row_for_every_point_where_an_event_begins_or_ceases_to_count(spark: SparkSession) -> None:
    frame = silver(
        spark,
        row(1, "UA", on(1, 0), 10),
        row(2, "UA", on(1, 23), None),
        row(3, "UA", on(2, 5), 4, known_at=on(3, 12)),
        row(4, "UA", on(2, 6), 5, known_at=on(3, 13)),
        row(5, None, on(2, 6), 7),
        row(6, "UA", None, 8),
    )
    view = delays("count", "mean", "max")
    found = build_rows(events(frame, view), view, us(9)).orderBy("feature_at").collect()
    assert [tuple(r) for r in found] == [
        ("UA", naive(2), naive(2, 12), 1, 1, 10.0, 10.0, 10, 10),
        ("UA", naive(3), naive(3, 12), 1, 2, 4.0, 7.0, 4, 10),
        ("UA", naive(4), naive(4, 12), 0, 2, None, 4.5, None, 5),
        ("UA", naive(5), naive(5, 12), 0, 0, None, None, None, None),
    ]


def naive(day: int, hour: int = 0) -> datetime:
    return on(day, hour).replace(tzinfo=None)


def test_results_have_one_type_whatever_the_width_of_the_column(spark: SparkSession) -> None:
    wanted = [(c, f) for c in ("n", "big", "x", "d") for f in ("sum", "mean", "min")] + [("carrier", "max")]
    view = FeatureView("v", CARRIER, "flights", [Aggregation(c, f, ["1d"]) for c, f in wanted])
    types = dict(build_rows(events(silver(spark), view), view, 0).dtypes)
    assert [types[f"{c}_sum_1d"] for c in ("n", "big", "x", "d")] == ["bigint", "bigint", "double", "decimal(38,2)"]
    assert {types[f"{c}_mean_1d"] for c in ("n", "big", "x", "d")} == {"double"}
    assert [types[f"{c}_min_1d"] for c in ("n", "big", "x", "d")] == ["int", "bigint", "double", "decimal(10,2)"]
    assert types["carrier_max_1d"] == "string"


def test_the_sum_of_texts_is_refused(spark: SparkSession) -> None:
    view = FeatureView("v", CARRIER, "flights", [Aggregation("carrier", "sum", ["1d"])])
    with pytest.raises(ConfigError, match=r"feature view v: aggregations\.carrier: is of type string\n.*numbers"):
        build_rows(events(silver(spark), view), view, 0)


def test_sums_of_doubles_have_the_same_bits_however_the_rows_lie(spark: SparkSession) -> None:
    rng = random.Random(7)
    rows = []
    for key in range(400):
        at = on(1) + timedelta(minutes=rng.randrange(4 * 1440))
        x = rng.choice((rng.uniform(-1, 1) * 10.0 ** rng.randrange(-8, 8), -0.0, None))
        rows.append((key, rng.choice("ab"), at, None, None, x, None, at + timedelta(hours=rng.choice((0, 30)))))
    aggregations = [Aggregation("x", function, ["1d", "3d"]) for function in ("sum", "mean")]
    view = FeatureView("v", CARRIER, "flights", aggregations)
    results = []
    for partitions in (1, 7):
        rng.shuffle(rows)
        frame = silver(spark, *rows).repartition(partitions)
        made = build_rows(events(frame, view), view, us(20)).collect()
        results.append(
            {(r[0], instant_to_micros(r[1])): tuple(None if v is None else v.hex() for v in r[3:]) for r in made}
        )
    assert results[0] == results[1] == {grain: in_stated_order(rows, *grain) for grain in results[0]}
    in_another_order = {grain: in_stated_order(rows, *grain, is_reversed=True) for grain in results[0]}
    assert results[0] != in_another_order


def in_stated_order(rows: list[Any], carrier: str, point: int, is_reversed: bool = False) -> tuple[Any, ...]:
    """Events of a tile by (event_at, id), tiles by (hop_end, counts_from), one after the other."""
    found = []
    for window in (DAY, 3 * DAY):
        tiles: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for key, entity, at, _, _, x, _, known_at in rows:
            hop_end = instant_to_micros(at) // DAY * DAY + DAY
            counts_from = max(hop_end, -(-instant_to_micros(known_at) // DAY) * DAY)
            if entity == carrier and x is not None and counts_from <= point < hop_end + window:
                tiles[hop_end, counts_from].append((at, key, x))
        total, count = 0.0, 0
        for tile in sorted(tiles, reverse=is_reversed):
            part = 0.0
            for _, _, x in sorted(tiles[tile]):
                part, count = part + x, count + 1
            total += part
        found += [(total.hex(), (total / count).hex()) if count else (None, None)]
    return (found[0][0], found[1][0], found[0][1], found[1][1])


def test_timeliness_counts_the_events_that_come_in_time_and_those_too_late(spark: SparkSession) -> None:
    view = delays("count")
    frame = silver(
        spark,
        row(1, "UA", on(1), 1, known_at=on(2, 12)),
        row(2, "UA", on(1), 1, known_at=on(2, 13)),
        row(3, "UA", on(1), 1, known_at=on(3, 12)),
        row(4, "UA", on(1), 1, known_at=on(9)),
        row(5, None, on(1), 1),
    )
    assert tuple(build_timeliness(events(frame, view), view).collect()[0]) == (4, 0.25, 0.75)
    assert tuple(build_timeliness(events(frame, newest()), newest()).collect()[0]) == (4, 0.0, 0.0)
    assert tuple(build_timeliness(events(silver(spark), view), view).collect()[0]) == (0, None, None)


def test_spans_hold_both_ends_merge_and_end_at_the_previous_through(spark: SparkSession) -> None:
    view = delays("count")
    frame = silver(
        spark,
        row(1, "UA", on(1), 1),
        row(2, "UA", on(4), 1),
        row(3, "UA", on(20), 1),
        row(4, "DL", on(1), 1, known_at=on(4, 12)),
        row(5, "AA", on(1), 1, known_at=on(9)),
        row(6, "B6", on(28), 1),
    )
    spans = build_spans(events(frame, view), view, us(22, 12), us(25))
    assert spans_of(spans) == [("UA", us(2), us(7)), ("UA", us(21), us(22))]
    assert (spans.fresh_first_us, spans.fresh_last_us) == (us(23), us(24))
    bounds = bounds_of(view, spans, *build_extent(spans.touched).collect()[0])
    assert bounds is not None
    assert (bounds.event_lo_us, bounds.event_hi_us) == (us(2) - 3 * DAY, us(24))
    assert (bounds.first_us, bounds.last_us) == (us(2), us(24))


def test_nothing_changed_and_no_time_passed_is_nothing_to_read(spark: SparkSession) -> None:
    for view in (delays("count"), newest()):
        spans = build_spans(events(silver(spark), view), view, us(10), us(10) + DAY // 2 - 1)
        assert bounds_of(view, spans, *build_extent(spans.touched).collect()[0]) is None


def test_through_never_goes_back(spark: SparkSession) -> None:
    view = delays("count")
    changes = events(silver(spark), view)
    with pytest.raises(ValueError, match="through cannot go back"):
        build_spans(changes, view, us(3), us(2))
    with pytest.raises(ValueError, match="built for another through"):
        build_rows(changes, view, us(9), build_spans(changes, view, us(2), us(3)))


def test_building_starts_no_job(spark: SparkSession) -> None:
    frame = silver(spark, row(1, "UA", on(1), 1))
    spine = spark.createDataFrame([("UA", on(3))], "carrier string, prediction_at timestamp")
    with counted(spark) as building:
        for view in (delays("count", "mean"), newest(ttl="2d"), newest()):
            made = events(frame, view)
            build_timeliness(made, view)
            spans = build_spans(made, view, us(2), us(9))
            build_extent(spans.touched)
            rows = build_rows(made, view, us(9))
            in_spans(rows, spans, view)
            build_rows(made, view, us(9), spans)
            joined = join_as_of(spine, [(view, rows)], us(9), bounds=(us(3), us(3)))
    assert building.jobs == 0
    with counted(spark) as running:
        joined.select(F.count("*")).collect()
    assert running.jobs > 0


def test_the_row_at_which_a_window_empties_is_made_from_what_the_bounds_read(spark: SparkSession) -> None:
    view = delays("count")
    frame = silver(spark, row(1, "UA", on(1), 1))
    spans = build_spans(events(silver(spark), view), view, us(3, 12), us(4, 12))
    bounds = bounds_of(view, spans, None, None)
    assert bounds is not None
    read = frame.where(F.unix_micros("at").between(bounds.event_lo_us, bounds.event_hi_us - 1))
    found = build_rows(events(read, view), view, us(4, 12), spans).collect()
    assert [tuple(r) for r in found] == [("UA", naive(4), naive(4, 12), 0, 0)]
