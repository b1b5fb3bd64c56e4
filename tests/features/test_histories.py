"""On random histories of loads, with the real job on Delta: incremental = full = oracle, and the join = the look-up.

A history is what one small table went through: rows late, twice, corrected, out of order, moved to another entity or
time, with NULL keys and times. All histories share one silver table. A history's number, which begins with the number
of its case, is part of the row's key and one of the join keys.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.durations import parse_duration, to_micros
from conf.instants import instant_to_micros, micros_to_instant
from conf.settings import Settings
from features.definitions import Aggregation, Entity, FeatureView
from features.spark.as_of import join_as_of
from features.spark.feature_rows import build_rows
from pipelines.delta.commit import Outcome, Stamp
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Target, merge_rows
from pipelines.delta.tables import MARKS_ROWS, create_table, require_columns
from pipelines.gold.materialize import materialize
from pipelines.gold.plan import plan_view
from pipelines.gold.write_view import GoldReport
from pipelines.project.project import Project
from pipelines.runtime.parallel_sessions import run_in_parallel_sessions
from pipelines.silver.load import CHANGE_FEED
from tests.features.oracle import Delivery, Row, Spec, gold, lookup, stand
from tests.projects.small_lake import RUN

Table = dict[tuple[Any, ...], tuple[Any, ...]]

HISTORIES, LOADS = 34, 4
HOPS = 12
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

    @property
    def spec(self) -> Spec:
        view = self.view
        parts = [(a.column, a.function, to_micros(w)) for a in view.aggregations for w in a.durations]
        return Spec(view.hop_micros, view.available_after_micros, parts, view.fields, view.ttl_micros)

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


def invent(case: Case, rng: random.Random) -> list[list[Delivery]]:
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
    """All histories, and by the name of a view what the job reported and what the gold table held after each load."""

    project: Project
    lake: Lake
    loads: dict[int, list[list[Delivery]]]
    reports: dict[str, list[GoldReport]] = field(default_factory=lambda: {case.view.name: [] for case in CASES})
    tables: dict[str, list[Table]] = field(default_factory=lambda: {case.view.name: [] for case in CASES})

    def standing(self, history: int, load: int) -> dict[int, Row]:
        if load < 0:
            return {}
        return stand(version for some in self.loads[history][: load + 1] for version in some)

    def write_silver(self, load: int) -> None:
        """Merge the rows that differ from those of the load before, as silver's job does."""
        changed = [
            (n, r.key, *r.entity, r.event_at, *(r.values[name] for name in "nxsd"), r.known_at)
            for n in self.loads
            for r in self.standing(n, load).values()
            if self.standing(n, load - 1).get(r.key) != r
        ]
        kinds = {**TYPES, "at": "bigint", "_known_at": "bigint"}
        frame = self.lake.spark.createDataFrame(changed, ", ".join(f"{name} {kind}" for name, kind in kinds.items()))
        rows = frame.withColumns({name: F.timestamp_micros(name) for name in ("at", "_known_at")})
        path = self.lake.path("silver", "things")
        schema = require_columns(rows.schema, (*THINGS.key, "_known_at"))
        create_table(self.lake.spark, path, schema, properties=MARKS_ROWS | CHANGE_FEED)
        merge_rows(self.lake.spark, Target(path, THINGS.key), rows, Stamp("things", RUN, cursor=load + 1))

    def materialize(self, case: Case, load: int, spark: SparkSession, is_full: bool = False) -> GoldReport:
        lake, through = self.lake.with_session(spark), micros_to_instant(case.throughs[load])
        (report,) = materialize(self.project, lake, [case.view], through, RUN, is_full)
        self.reports[case.view.name].append(report)
        self.tables[case.view.name].append(collect(lake.read("gold", case.view.name)))
        return report

    def events_of(self, case: Case, load: int, history: int) -> list[Row]:
        """The rows that the view counts, with values as it takes them: 0.0 for -0.0."""
        rows = [row for row in self.standing(history, load).values() if case.counts(row)]
        return [replace(row, values={**row.values, "x": normal(row.values["x"])}) for row in rows]

    def expected(self, case: Case, load: int) -> Table:
        if load < 0:
            return {}
        through = case.throughs[load]
        return {
            (history, *entity, point): values
            for history in case.histories
            for (entity, point), values in gold(case.spec, self.events_of(case, load, history), through).items()
        }


@pytest.fixture(scope="module")
def world(spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Every load written to silver, and after each the job for every view, each up to its own instant."""
    settings = settings.model_copy(update={"lake": str(tmp_path_factory.mktemp("histories"))})
    project = Project(settings, {"things": THINGS}, {case.view.name: case.view for case in CASES}, {}, {})
    rngs = {case.view.name: random.Random(case.view.name) for case in CASES}
    loads = {history: invent(case, rngs[case.view.name]) for case in CASES for history in case.histories}
    made = World(project, Lake(settings, spark), loads)
    for load in range(LOADS):
        made.write_silver(load)
        run_in_parallel_sessions(spark, [partial(made.materialize, case, load) for case in CASES])
    return made


def normal(number: float | None) -> float | None:
    return None if number is None else number + 0.0


def collect(frame: DataFrame) -> Table:
    """Return the rows by their grain; two rows of one grain are an error, available_at is checked on the way."""
    found: Table = {}
    delays = set()
    times = {name: F.unix_micros(name) for name in frame.columns if name.endswith("_at")}
    for history, k, point, available_at, *values in frame.withColumns(times).collect():
        assert (history, k, point) not in found
        found[history, k, point] = tuple(values)
        delays.add(available_at - point)
    assert len(delays) <= 1
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.view.name for case in CASES])
def test_incremental_is_full_is_oracle(case: Case, world: World) -> None:
    name = case.view.name
    for load, (stored, report) in enumerate(zip(world.tables[name], world.reports[name], strict=True)):
        before, expected = world.expected(case, load - 1), world.expected(case, load)
        assert stored == expected
        differing = [grain for grain in before.keys() | expected.keys() if before.get(grain) != expected.get(grain)]
        usable = case.throughs[load - 1] - case.view.available_after_micros if load else None
        restated = [grain for grain in differing if usable is not None and grain[-1] <= usable]
        assert (report.commit.rows_written, report.rows_restated) == (len(differing), len(restated))
    assert len(stored) > HISTORIES * 2
    assert world.materialize(case, LOADS - 1, world.lake.spark, is_full=True).commit.outcome is Outcome.UNCHANGED
    plan = plan_view(world.lake, case.view, THINGS, micros_to_instant(case.throughs[-1]))
    silver = world.lake.read("silver", "things")
    full = collect(build_rows(plan.build_events(silver), case.view, case.throughs[-1]))
    assert {g: [bits(v) for v in full[g]] for g in full} == {g: [bits(v) for v in stored[g]] for g in stored}
    check_look_ups(world, case)


def bits(number: Any) -> Any:
    return number.hex() if isinstance(number, float) else number


def check_look_ups(world: World, case: Case) -> None:
    """Ask at, just before and just after grid points and expiries, with entities unknown and NULL."""
    view, spec, rng = case.view, case.spec, random.Random(case.view.name)
    as_of = case.start + (HOPS + 2) * spec.hop + spec.available_after + spec.hop // 2
    standing = {n: world.events_of(case, LOADS - 1, n) for n in case.histories}
    asked: list[tuple[int, str | None, int | None]] = []
    for n in case.histories:
        for _ in range(30):
            at = case.start + rng.randint(-1, HOPS + 6) * spec.hop + spec.available_after + rng.choice((-1, 0, 1))
            expiries = [r.event_at + (spec.ttl or 0) + rng.randint(0, 1) for r in standing[n] if r.event_at is not None]
            asked.append((n, rng.choice(("a", "a", "b", "c", None)), rng.choice((at, at, None, *expiries[:2]))))
    frame = world.lake.spark.createDataFrame(asked, "history int, k string, _at bigint")
    spine = frame.withColumn("prediction_at", F.timestamp_micros("_at"))
    times = [at for _, _, at in asked if at is not None]
    options: dict[str, Any]
    for options in ({"with_times": True}, {"bounds": (min(times), max(times))}):
        stored = world.lake.read("gold", view.name)
        found = join_as_of(spine, [(view, stored)], as_of, **options).drop("prediction_at").collect()
        width = len(view.feature_names)
        want = Counter((n, k, at, *lookup(spec, standing[n], (k,), at, as_of)) for n, k, at in asked)
        assert Counter(tuple(row[: 3 + width]) for row in found) == want
        if options.get("with_times"):
            for row in found:
                check_times(world.tables[view.name][-1], spec, row[:3], as_of, [to_us(t) for t in row[3 + width :]])


def to_us(instant: Any) -> int | None:
    return None if instant is None else instant_to_micros(instant)


def check_times(stored: Table, spec: Spec, asked: tuple[Any, ...], as_of: int, times: list[int | None]) -> None:
    n, k, at = asked
    if k is None or at is None:
        assert times == [None, None, None]
        return
    point = (min(at, as_of) - spec.available_after) // spec.hop * spec.hop
    changed = max((g[-1] for g in stored if g[:2] == (n, k) and g[-1] <= point), default=None)
    assert times == [point, point + spec.available_after, changed]
