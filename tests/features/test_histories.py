"""On random histories of loads, with the real job on Delta: incremental = full = oracle, and the join = the look-up.

A history is what one small table went through: rows late, twice, corrected, out of order, moved to another entity or
time, with NULL keys and times. All histories share one silver table. A history's number, which begins with the number
of its case, is part of the row's key and one of the join keys.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.durations import parse_duration, to_micros
from conf.instants import instant_to_micros, micros_to_instant
from conf.settings import Settings
from features.definitions import Aggregation, Entity, FeatureView
from features.local.as_of import INSTANT
from features.spark.as_of import join_as_of
from features.spark.events import build_events
from features.spark.feature_rows import build_rows
from features.spark.slices import Slices
from pipelines.delta.commit import Outcome, Stamp
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Target, merge_rows
from pipelines.delta.tables import MARKS_ROWS, create_table, require_columns
from pipelines.gold.materialize import materialize
from pipelines.gold.plan import GoldReport
from pipelines.project.project import Project
from pipelines.reading.point_in_time import join_stored
from pipelines.runtime.parallel_sessions import run_in_parallel_sessions
from pipelines.runtime.session import temporary_confs
from pipelines.silver.load import CHANGE_FEED
from tests.features.oracle import Delivery, Gold, Row, Spec, gold, lookup, stand
from tests.projects.small_lake import RUN, feature_rows

HISTORIES, LOADS, HOPS = 34, 4, 12
ENTITY = Entity("thing", ("history", "k"))
TYPES = {"history": "int", "id": "int", "k": "string", "at": "timestamp", "n": "int", "x": "double", "s": "string"}
TYPES["d"] = "decimal(10,2)"
THINGS = Contract.model_validate(
    {
        "name": "things",
        "landing": {"path": "things", "format": "csv"},
        "raw": tuple(TYPES),
        "key": ("history", "id"),
        "event_at": "at",
        "columns": [{"name": name, "type": kind} for name, kind in TYPES.items()],
    }
)
# For tables of some hundred rows, adapting plans and compiling code takes longer than the work itself.
SMALL_DATA = {"spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false"}
SMALL_DATA["spark.sql.codegen.factoryMode"] = "NO_CODEGEN"
END_OF_2013 = to_micros(parse_duration("16070d"))


@dataclass(frozen=True)
class Case:
    """A view, and where on the time line its histories happen, in hops from 1970."""

    view: FeatureView
    origin: int
    histories: range
    is_filtered: bool

    @property
    def start(self) -> int:
        return self.origin * self.view.hop_micros

    @property
    def throughs(self) -> list[int]:
        """Up to when the table is completed after each load; the third load brings only late rows."""
        hop, delay = self.view.hop_micros, self.view.available_after_micros
        ends = [self.start + HOPS * hop * third // 3 + delay for third in (1, 2, 2, 9)]
        return [end + beside for end, beside in zip(ends, (0, hop // 3, hop // 3, 0), strict=True)]

    def counts(self, row: Row) -> bool:
        return not self.is_filtered or (row.values["n"] is not None and row.values["n"] < 4)


def case(number: int, origin: int, name: str, *windows: str, is_filtered: bool = False, **settings: Any) -> Case:
    """A view with windows, or else of latest values. It counts the rows of its own histories only."""
    wanted = [("n", "count"), ("n", "mean"), ("x", "sum"), ("x", "mean"), ("x", "min"), ("d", "sum"), ("s", "max")]
    aggregations = [Aggregation(column, function, windows) for column, function in wanted if windows]
    where = f"history DIV 100 = {number}" + (" AND n < 4" if is_filtered else "")
    fields = () if windows else ("n", "x", "s")
    view = FeatureView(name, ENTITY, "things", aggregations, fields, where=where, **settings)
    return Case(view, origin, range(100 * number, 100 * number + HISTORIES), is_filtered)


CASES = [
    case(1, -8, "daily", "1d", "4d", hop="1d", available_after="12h"),
    case(2, END_OF_2013 // 3_600_000_000, "hourly", "2h", "6h", hop="1h", is_filtered=True),
    case(3, -1030, "minutes", "10m", "40m", hop="10m", available_after="25m"),
    case(4, -1030, "newest_hour", hop="1h"),
    case(5, -6, "newest_day", hop="1d", available_after="31h", ttl="3d"),
    case(6, -6, "newest_minute", hop="1m", available_after="90s", ttl="5m", is_filtered=True),
]


def invent(case: Case, history: int, rng: random.Random) -> list[list[Delivery]]:
    """Invent a history: four loads of versions of six rows."""
    hop = case.view.hop_micros
    loads: list[list[Delivery]] = [[] for _ in range(LOADS)]
    for _ in range(rng.randint(4, 16)):
        event_at = case.start + rng.randint(0, HOPS) * hop + rng.choice((0, 0, 1, hop - 1, rng.randrange(hop)))
        lag = rng.choice((0, 0, 1, hop, rng.randrange(2 * hop), rng.randrange(8 * hop)))
        known_at = event_at + lag - case.view.available_after_micros * rng.randint(0, 1)
        known_at -= rng.choice((0, known_at % hop))
        version = Delivery(
            key=rng.randrange(6),
            order=rng.choice((None, 1, 2, 3)),
            known_at=known_at,
            entity=(history, rng.choice(("a", "a", "a", "b", "b", None))),
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
    """All histories, and by the name of a view, after each load, the job's report and the rows of the gold table."""

    project: Project
    lake: Lake
    loads: dict[int, list[list[Delivery]]]
    results: dict[str, list[tuple[GoldReport, Gold]]] = field(default_factory=lambda: defaultdict(list))

    def standing(self, history: int, load: int) -> dict[int, Row]:
        return stand(version for some in self.loads[history][: load + 1] for version in some)

    def write_silver(self, load: int) -> None:
        """Merge the rows that differ from those of the load before, as silver's job does."""
        changed = [
            (r.entity[0], r.key, r.entity[1], r.event_at, *(r.values[name] for name in "nxsd"), r.known_at)
            for history in self.loads
            for r in self.standing(history, load).values()
            if self.standing(history, load - 1).get(r.key) != r
        ]
        kinds = {**TYPES, "at": "bigint", "_known_at": "bigint"}
        frame = self.lake.spark.createDataFrame(changed, ", ".join(f"{name} {kind}" for name, kind in kinds.items()))
        rows = frame.withColumns({name: F.timestamp_micros(name) for name in ("at", "_known_at")})
        path = self.lake.path("silver", "things")
        schema = require_columns(rows.schema, (*THINGS.key, "_known_at"))
        create_table(self.lake.spark, path, schema, properties=MARKS_ROWS | CHANGE_FEED)
        merge_rows(self.lake.spark, Target(path, THINGS.key), rows, Stamp("things", RUN, cursor=load + 1))

    def complete(self, case: Case, load: int, spark: SparkSession, is_full: bool = False) -> GoldReport:
        lake, through = self.lake.with_session(spark), micros_to_instant(case.throughs[load])
        with temporary_confs(spark, SMALL_DATA):
            (report,) = materialize(self.project, lake, [case.view], through, RUN, is_full)
            self.results[case.view.name].append((report, feature_rows(lake.read("gold", case.view.name))))
        return report

    def events(self, case: Case, load: int) -> list[Row]:
        return [row for history in case.histories for row in self.standing(history, load).values() if case.counts(row)]

    def expected(self, case: Case, load: int) -> Gold:
        return gold(Spec.of(case.view), self.events(case, load), case.throughs[load])


@pytest.fixture(scope="module")
def world(spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Every load written to silver, and after each the job for every view, each up to its own instant."""
    settings = settings.model_copy(update={"lake": str(tmp_path_factory.mktemp("histories"))})
    project = Project(settings, {"things": THINGS}, {case.view.name: case.view for case in CASES}, {}, {})
    rngs = {case.view.name: random.Random(case.view.name) for case in CASES}
    loads = {n: invent(case, n, rngs[case.view.name]) for case in CASES for n in case.histories}
    made = World(project, Lake(settings, spark), loads)
    with temporary_confs(spark, SMALL_DATA):
        for load in range(LOADS):
            made.write_silver(load)
            run_in_parallel_sessions(spark, [partial(made.complete, case, load) for case in CASES])
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.view.name for case in CASES])
def test_incremental_is_full_is_oracle(case: Case, world: World) -> None:
    delay = case.view.available_after_micros
    for load, (report, stored) in enumerate(world.results[case.view.name]):
        before, expected = world.expected(case, load - 1), world.expected(case, load)
        assert stored == expected
        differing = [grain for grain in before.keys() | expected.keys() if before.get(grain) != expected.get(grain)]
        restated = [point for _, point in differing if load and point + delay <= case.throughs[load - 1]]
        assert (report.commit.rows_written, report.rows_restated) == (len(differing), len(restated))
    assert len(stored) > HISTORIES * 2
    assert world.complete(case, LOADS - 1, world.lake.spark, is_full=True).commit.outcome is Outcome.UNCHANGED
    events = build_events(world.lake.read("silver", "things"), case.view, THINGS.event_at, THINGS.key)
    full = feature_rows(build_rows(events, case.view, case.throughs[-1]))
    assert repr(sorted(full.items())) == repr(sorted(stored.items())), "not the same bit for bit"
    check_look_ups(world, case, stored)


def check_look_ups(world: World, case: Case, stored: Gold) -> None:
    """Ask at, just before and just after grid points and expiries, with entities unknown and NULL."""
    view, spec, rng = case.view, Spec.of(case.view), random.Random(case.view.name)
    as_of = case.start + (HOPS + 2) * spec.hop + spec.available_after + spec.hop // 2
    events = world.events(case, LOADS - 1)
    asked: list[tuple[int, str | None, int | None]] = []
    for n in case.histories:
        expiries = [r.event_at + (spec.ttl or 0) for r in events if r.entity[0] == n and r.event_at is not None]
        for _ in range(30):
            at = case.start + rng.randint(-1, HOPS + 6) * spec.hop + spec.available_after + rng.choice((-1, 0, 1))
            expired = [expiry + rng.randint(0, 1) for expiry in expiries[:2]]
            asked.append((n, rng.choice(("a", "a", "b", "c", None)), rng.choice((at, at, None, *expired))))
    frame = world.lake.spark.createDataFrame(asked, "history int, k string, _at bigint")
    spine = frame.withColumn("prediction_at", F.timestamp_micros("_at"))
    times = [at for _, _, at in asked if at is not None]
    want = Counter((n, k, at, *lookup(spec, events, (n, k), at, as_of)) for n, k, at in asked)
    assert look_up_locally(world, view, asked, as_of) == want
    entities = [row[0] for row in frame.select(F.xxhash64("history", "k")).distinct().collect()]
    edges = sorted(rng.choices(times, k=3))
    sliced = {("history", "k"): Slices(tuple(sorted(entities)[::2]), tuple(edges))}  # every second entity is cut
    for options in (
        {"with_times": True},
        {"bounds": (min(times), max(times))},
        {"with_times": True, "slices": sliced},
        {"bounds": (min(times), max(times)), "slices": sliced},
    ):
        features = world.lake.read("gold", view.name)
        found = join_as_of(spine, [(view, features)], as_of, **options).drop("prediction_at").collect()
        width = 3 + len(view.feature_names)
        assert Counter(tuple(row[:width]) for row in found) == want
        for row in found if options.get("with_times") else []:
            n, k, at = row[:3]
            point = changed = None
            if k is not None and at is not None:
                point = (min(at, as_of) - spec.available_after) // spec.hop * spec.hop
                changed = max((us for entity, us in stored if entity == (n, k) and us <= point), default=None)
            available = None if point is None else point + spec.available_after
            assert [at and instant_to_micros(at) for at in row[width:]] == [point, available, changed]


def look_up_locally(
    world: World, view: FeatureView, asked: list[tuple[int, str | None, int | None]], as_of: int
) -> Counter[tuple[Any, ...]]:
    """Ask the same of the table by the join in this process."""
    kinds = {"history": pl.Int32, "k": pl.String, "at": pl.Int64}
    spine = pl.DataFrame(asked, kinds, orient="row").with_columns(prediction_at=pl.col("at").cast(INSTANT))
    return Counter(join_stored(world.lake, spine, [(view, None)], as_of).drop("prediction_at").rows())
