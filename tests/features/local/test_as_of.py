"""The point-in-time join in this process, on random histories: it gives what the rules of time say. Without Spark."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from conf.errors import ConfigError
from conf.instants import micros_to_instant
from features.definitions import Aggregation, Entity, FeatureView
from features.local.as_of import INSTANT, join_as_of
from tests.features.oracle import Gold, Row, Spec, gold, lookup, stand
from tests.features.test_histories import CASES, HOPS, Case, invent

KINDS = {"x": pl.Float64, "d": pl.Decimal(20, 2), "n": pl.Int64, "s": pl.String}
KEYS = {"history": pl.Int64, "k": pl.String}


def stored_rows(view: FeatureView, table: Gold) -> pl.DataFrame:
    """Return the oracle's gold table as the view's stored rows, in an order that says nothing."""
    columns = {name: _kind(view, name) for name in view.feature_names}
    if view.is_latest_value:
        columns = {"_event_at": pl.Int64, **columns}
    rows = [(*entity, point, *values) for (entity, point), values in table.items()]
    random.Random(0).shuffle(rows)
    frame = pl.DataFrame(rows, {**KEYS, "feature_at": pl.Int64, **columns}, orient="row")
    times = ["feature_at", *(["_event_at"] if view.is_latest_value else [])]
    return frame.with_columns(pl.col(name).cast(INSTANT) for name in times)


def _kind(view: FeatureView, name: str) -> Any:
    column, _, function = name.partition("_")
    if view.is_latest_value:
        return KINDS[column]
    if function.startswith("count"):
        return pl.Int64
    return pl.Float64 if function.startswith("mean") else KINDS[column]


def ask(
    case: Case, rng: random.Random, events: list[Row], histories: range
) -> list[tuple[int, str | None, int | None]]:
    """Ask at, just before and just after grid points and expiries, with entities unknown and NULL."""
    spec, asked = Spec.of(case.view), []
    for n in histories:
        expiries = [row.event_at + (spec.ttl or 0) for row in events if row.entity[0] == n and row.event_at is not None]
        for _ in range(20):
            at = case.start + rng.randint(-1, HOPS + 6) * spec.hop + spec.available_after + rng.choice((-1, 0, 1))
            expired = [expiry + rng.randint(0, 1) for expiry in expiries[:2]]
            asked.append((n, rng.choice(("a", "a", "b", "c", None)), rng.choice((at, at, None, *expired))))
    return asked


@pytest.mark.parametrize("case", CASES, ids=[case.view.name for case in CASES])
def test_the_join_is_the_look_up(case: Case) -> None:
    histories = range(case.histories.start, case.histories.start + 100)
    rng, spec, view = random.Random(f"local {case.view.name}"), Spec.of(case.view), case.view
    loads = {n: invent(case, n, rng) for n in histories}
    standing = [row for n in histories for row in stand(v for load in loads[n] for v in load).values()]
    events = [row for row in standing if case.counts(row)]
    as_of = case.start + (HOPS + 2) * spec.hop + spec.available_after + spec.hop // 2
    stored = stored_rows(view, gold(spec, events, as_of + 3 * spec.hop))
    asked = ask(case, rng, events, histories)
    spine = pl.DataFrame(asked, {**KEYS, "at": pl.Int64}, orient="row")
    found = join_as_of(spine.with_columns(prediction_at=pl.col("at").cast(INSTANT)), [(view, stored)], as_of)
    by_history = {n: [row for row in events if row.entity[0] == n] for n in histories}
    want = [(n, k, at, *lookup(spec, by_history[n], (n, k), at, as_of)) for n, k, at in asked]
    assert found.drop("prediction_at").rows() == want
    assert len(Counter(row[3:] for row in want)) > 20


DELAYS = FeatureView("delays", Entity("carrier", ["carrier"]), "f", [Aggregation("n", "count", ["1d"])])
LAST = FeatureView("last", Entity("place", ["carrier", "origin"]), "f", fields=["n"], available_after="1h")


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2013, 11, day, hour, tzinfo=UTC)


def test_views_of_several_entities_are_joined_and_times_are_told() -> None:
    delays = pl.DataFrame({"carrier": ["UA", "UA"], "feature_at": [on(2), on(3)], "n_count_1d": [4, 0]})
    last = pl.DataFrame(
        {"carrier": ["UA"], "origin": ["JFK"], "feature_at": [on(2)], "_event_at": [on(1, 9)], "n": [7]}
    )
    spine = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "carrier": ["UA", "UA", None],
            "origin": ["JFK", "LGA", "JFK"],
            "prediction_at": [on(2, 1)] * 3,
        }
    )
    as_of_us = 10**18
    asked, stored = (
        spine.cast({"prediction_at": INSTANT}),
        [frame.cast({"feature_at": INSTANT}) for frame in (delays, last)],
    )
    found = join_as_of(asked, [(DELAYS, stored[0]), (LAST, stored[1].cast({"_event_at": INSTANT}))], as_of_us, True)
    assert found["delays__n_count_1d"].to_list() == [4, 4, None]
    assert found["last__n"].to_list() == [7, None, None]
    assert found["delays__feature_at"].to_list() == [on(2), on(2), None]
    assert found["last__available_at"].to_list() == [on(2, 1), on(2, 1), None]
    assert found["last__changed_at"].to_list() == [on(2), None, None]
    assert found["id"].to_list() == [1, 2, 3]
    nobody = join_as_of(asked.clear(), [(DELAYS, stored[0])], as_of_us)
    assert (nobody.height, nobody.columns) == (0, [*spine.columns, "delays__n_count_1d"])


def test_keys_must_be_there_and_of_the_same_type() -> None:
    stored = pl.DataFrame({"carrier": ["UA"], "feature_at": [micros_to_instant(0)], "n_count_1d": [1]})
    with pytest.raises(ConfigError, match="delays: carrier: is Int64 in the spine and String in the feature table"):
        join_as_of(pl.DataFrame({"carrier": [1], "prediction_at": [on(2)]}), [(DELAYS, stored)], 0)
    with pytest.raises(ConfigError, match=r"prediction_at: is not in the spine\n.*\n.*carrier: is not in"):
        join_as_of(pl.DataFrame({"id": [1]}), [(DELAYS, stored)], 0)
