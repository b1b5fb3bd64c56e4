"""On random histories of loads: incremental = full = oracle, and the point-in-time join = the oracle's look-up.

A history is what one small table went through: rows late, twice, corrected, out of order, moved to another entity or
time, with NULL keys and times. Thirty-four histories share a Spark frame: the history's number is one of the join keys.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.durations import parse_duration, to_micros
from conf.instants import instant_to_micros
from features.definitions import Aggregation, Entity, FeatureView
from features.spark.as_of import join_as_of
from features.spark.events import build_events
from features.spark.feature_rows import build_rows
from features.spark.spans import bounds_of, build_extent, build_spans, in_spans
from tests.features.oracle import Delivery, Gold, Row, Spec, gold, lookup, stand

HISTORIES = 34
HOPS = 12
ENTITY = Entity("thing", ("history", "k"))
SILVER = "history int, id int, k string, _at bigint, _known bigint, n int, x double, s string, d decimal(10,2)"
END_OF_2013 = to_micros(parse_duration("16070d"))


@dataclass(frozen=True)
class Case:
    """A view, and where on the time line its histories happen, in hops from 1970."""

    view: FeatureView
    origin: int
    is_filtered: bool = False

    @property
    def start(self) -> int:
        return self.origin * self.view.hop_micros

    @property
    def spec(self) -> Spec:
        view = self.view
        parts = [(a.column, a.function, to_micros(w)) for a in view.aggregations for w in a.durations]
        return Spec(view.hop_micros, view.available_after_micros, parts, view.fields, view.ttl_micros)

    def counts(self, row: Row) -> bool:
        return not self.is_filtered or (row.values["n"] is not None and row.values["n"] < 4)


def windowed(name: str, *windows: str, **settings: Any) -> FeatureView:
    wanted = [("n", "count"), ("n", "mean"), ("x", "sum"), ("x", "mean"), ("x", "min"), ("d", "sum"), ("s", "max")]
    aggregations = [Aggregation(column, function, windows) for column, function in wanted]
    return FeatureView(name, ENTITY, "things", aggregations, event_at="at", **settings)


def latest(name: str, **settings: Any) -> FeatureView:
    return FeatureView(name, ENTITY, "things", fields=("n", "x", "s"), event_at="at", **settings)


CASES = [
    Case(windowed("daily", "1d", "4d", hop="1d", available_after="12h"), origin=-8),
    Case(
        windowed("hourly", "2h", "6h", hop="1h", where="n < 4"), origin=END_OF_2013 // 3_600_000_000, is_filtered=True
    ),
    Case(windowed("minutes", "10m", "40m", hop="10m", available_after="25m"), origin=-1030),
    Case(latest("newest_hour", hop="1h"), origin=-1030),
    Case(latest("newest_day", hop="1d", available_after="31h", ttl="3d"), origin=-6),
    Case(latest("newest_minute", hop="1m", available_after="90s", ttl="5m", where="n < 4"), -6, is_filtered=True),
]


def invent(case: Case, rng: random.Random) -> list[list[Delivery]]:
    """Invent a history: four loads of versions of six rows."""
    hop = case.view.hop_micros
    loads: list[list[Delivery]] = [[], [], [], []]
    for _ in range(rng.randint(4, 16)):
        event_at = case.start + rng.randint(0, HOPS) * hop + rng.choice((0, 0, 1, hop - 1, rng.randrange(hop)))
        lag = rng.choice((0, 0, 1, hop, rng.randrange(2 * hop), rng.randrange(8 * hop)))
        known_at = event_at + lag - case.view.available_after_micros * rng.randint(0, 1)
        known_at -= rng.choice((0, known_at % hop))
        version = Delivery(
            key=rng.randrange(6),
            order=rng.choice((None, 1, 2, 3)),
            known_at=known_at,
            entity=(rng.choice(("a", "a", "a", "b", "b", None)),),
            event_at=rng.choice((None, *[event_at] * 12)),
            values={
                "n": rng.choice((None, *range(5))),
                "x": rng.choice((None, -0.0, 0.25, -1.5, 3.0)),
                "s": rng.choice((None, "", "é", "z")),
                "d": rng.choice((None, Decimal("0.10"), Decimal("-2.35"))),
            },
        )
        late = rng.choice((0, 0, 0, 1, 2, 3))
        loads[min(3, max(0, late + (known_at - case.start) * 3 // (HOPS * hop)))].append(version)
        if rng.random() < 0.2:
            loads[rng.randrange(4)].append(version)
    return loads


@dataclass
class World:
    """All histories of a case, the stored table they lead to, and how far it is complete."""

    case: Case
    spark: SparkSession
    loads: list[list[list[Delivery]]]
    stored: dict[tuple[Any, ...], tuple[Any, ...]]
    through: int | None = None

    def standing(self, history: int, load: int) -> dict[int, Row]:
        rows = stand(version for some in self.loads[history][: load + 1] for version in some)
        return {
            key: replace(row, values={**row.values, "x": normal(row.values["x"]), "k": row.entity[0]})
            for key, row in rows.items()
        }

    def silver(self, rows: list[tuple[int, Row]]) -> DataFrame:
        literal = [
            (n, r.key, r.entity[0], r.event_at, r.known_at, r.values["n"], r.values["x"], r.values["s"], r.values["d"])
            for n, r in rows
        ]
        at, known_at = F.timestamp_micros("_at").alias("at"), F.timestamp_micros("_known").alias("_known_at")
        return self.spark.createDataFrame(literal, SILVER).select("*", at, known_at).drop("_at", "_known")

    def events(self, silver: DataFrame) -> DataFrame:
        return build_events(silver, self.case.view, "at", ["id"])

    def gold_frame(self) -> DataFrame:
        empty = self.events(self.silver([]))
        schema = build_rows(empty, self.case.view, 0).schema
        times = [name for name in schema.names if name.endswith("_at")]
        plain = ", ".join(f"{f.name} {'bigint' if f.name in times else f.dataType.simpleString()}" for f in schema)
        aa = self.case.view.available_after_micros
        rows = [(*grain, grain[-1] + aa, *values) for grain, values in self.stored.items()]
        frame = self.spark.createDataFrame(rows, plain)
        return frame.withColumns({name: F.timestamp_micros(name) for name in times})

    def expected(self, load: int, through: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        table = {}
        for history in range(HISTORIES):
            rows = [row for row in self.standing(history, load).values() if self.case.counts(row)]
            found: Gold = gold(self.case.spec, rows, through)
            table |= {(history, *entity, point): values for (entity, point), values in found.items()}
        return table


def normal(number: float | None) -> float | None:
    return None if number is None else number + 0.0


def by_grain(frame: DataFrame, tag: str) -> DataFrame:
    times = {name: F.unix_micros(name) for name in frame.columns if name.endswith("_at")}
    return frame.withColumns(times).select(F.lit(tag).alias("tag"), "*")


def collect(frame: DataFrame) -> dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]:
    """Rows by tag and grain; two rows of one grain are an error, available_at is checked on the way."""
    found: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = defaultdict(dict)
    delays = set()
    for tag, history, k, point, available_at, *values in frame.collect():
        assert (history, k, point) not in found[tag]
        found[tag][history, k, point] = tuple(values)
        delays.add(available_at - point)
    assert len(delays) <= 1
    return found


def apply_load(world: World, load: int, through: int) -> None:
    """Do what a gold job does: spans of what changed, events within the bounds, compare, replace."""
    view = world.case.view
    after = [(n, row) for n in range(HISTORIES) for row in world.standing(n, load).values()]
    if world.through is None:
        world.stored = collect(by_grain(build_rows(world.events(world.silver(after)), view, through), "new"))["new"]
        return
    changes = []
    for n in range(HISTORIES):
        old, new = world.standing(n, load - 1), world.standing(n, load)
        for key in old.keys() | new.keys():
            if old.get(key) != new.get(key):
                changes += [(n, row) for row in (old.get(key), new.get(key)) if row is not None]
    spans = build_spans(world.events(world.silver(changes)), view, world.through, through)
    touched = spans.touched.persist()
    spans = replace(spans, touched=touched)
    bounds = bounds_of(view, spans, *build_extent(spans).collect()[0])
    if bounds is not None:
        lo = bounds.event_lo_us
        read = [
            (n, row)
            for n, row in after
            if row.event_at is not None and row.event_at < bounds.event_hi_us and (lo is None or row.event_at >= lo)
        ]
        rows = by_grain(build_rows(world.events(world.silver(read)), view, through, spans), "new")
        found = collect(rows.unionByName(by_grain(in_spans(world.gold_frame(), spans, view), "old")))
        assert all(bounds.first_us <= grain[-1] <= bounds.last_us for grain in found["new"] | found["old"])
        kept = {grain: values for grain, values in world.stored.items() if grain not in found["old"]}
        assert not kept.keys() & found["new"].keys(), "a row outside the spans was made"
        world.stored = kept | found["new"]
    touched.unpersist()


@pytest.mark.parametrize("case", CASES, ids=[case.view.name for case in CASES])
def test_incremental_is_full_is_oracle(case: Case, spark: SparkSession) -> None:
    rng = random.Random(case.view.name)
    world = World(case, spark, [invent(case, rng) for _ in range(HISTORIES)], {})
    hop = case.view.hop_micros
    throughs = [case.start + HOPS * hop * third // 3 + case.view.available_after_micros for third in (1, 2, 2, 9)]
    for load, through in enumerate(throughs):
        through += (0, hop // 3, hop // 3, 0)[load]
        apply_load(world, load, through)
        world.through = through
        assert world.stored == world.expected(load, through)
    final = [(n, row) for n in range(HISTORIES) for row in world.standing(n, 3).values()]
    full = collect(by_grain(build_rows(world.events(world.silver(final)), case.view, world.through), "full"))["full"]
    assert {g: [bits(v) for v in full[g]] for g in full} == {
        g: [bits(v) for v in row] for g, row in world.stored.items()
    }
    assert len(full) > HISTORIES * 2
    check_look_ups(world, rng)


def bits(number: Any) -> Any:
    return number.hex() if isinstance(number, float) else number


def check_look_ups(world: World, rng: random.Random) -> None:
    """Ask at, just before and just after grid points and expiries, with entities unknown and NULL."""
    view, spec = world.case.view, world.case.spec
    as_of = world.case.start + (HOPS + 2) * spec.hop + spec.available_after + spec.hop // 2
    standing = [[r for r in world.standing(n, 3).values() if world.case.counts(r)] for n in range(HISTORIES)]
    asked: list[tuple[int, str | None, int | None]] = []
    for n in range(HISTORIES):
        for _ in range(30):
            at = world.case.start + rng.randint(-1, HOPS + 6) * spec.hop + spec.available_after + rng.choice((-1, 0, 1))
            expiries = [r.event_at + (spec.ttl or 0) + rng.randint(0, 1) for r in standing[n] if r.event_at is not None]
            asked.append((n, rng.choice(("a", "a", "b", "c", None)), rng.choice((at, at, None, *expiries[:2]))))
    frame = world.spark.createDataFrame(asked, "history int, k string, _at bigint")
    spine = frame.withColumn("prediction_at", F.timestamp_micros("_at"))
    times = [at for _, _, at in asked if at is not None]
    stored = world.gold_frame()
    for options in ({"with_times": True}, {"bounds": (min(times), max(times))}):
        found = join_as_of(spine, [(view, stored)], as_of, **options).drop("prediction_at").collect()
        width = len(view.feature_names)
        want = Counter((n, k, at, *lookup(spec, standing[n], (k,), at, as_of)) for n, k, at in asked)
        assert Counter(tuple(row[: 3 + width]) for row in found) == want
        if options.get("with_times"):
            for n, k, at, *rest in found:
                check_times(world, (n, k, at), as_of, [to_us(t) for t in rest[width:]])


def to_us(instant: Any) -> int | None:
    return None if instant is None else instant_to_micros(instant)


def check_times(world: World, asked: tuple[Any, ...], as_of: int, times: list[int | None]) -> None:
    n, k, at = asked
    if k is None or at is None:
        assert times == [None, None, None]
        return
    spec = world.case.spec
    point = (min(at, as_of) - spec.available_after) // spec.hop * spec.hop
    changed = max((g[-1] for g in world.stored if g[:2] == (n, k) and g[-1] <= point), default=None)
    assert times == [point, point + spec.available_after, changed]
