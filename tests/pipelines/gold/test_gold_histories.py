"""On Delta: twelve random histories of files through bronze, silver and gold; incremental = full = oracle.

A history is what its own rows went through: late, corrected, repeated under another name, moved, without key or time.
They share one lake, load by load; the history's number is part of every key.
"""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.instants import instant_to_micros
from pipelines.delta.commit import Outcome
from pipelines.gold.materialize import materialize
from tests.features.oracle import Delivery, Spec, gold, stand
from tests.projects.small_lake import RUN, SmallLake, make_lake

pytestmark = pytest.mark.long
HISTORIES, LOADS = 12, 3
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_US = 86_400_000_000
THINGS: dict[str, Any] = {
    "landing": {"path": "things", "format": "csv", "delivered": "d=%Y-%m-%dT%H-%M"},
    "raw": ["history", "id", "k", "at", "n", "version"],
    "key": ["history", "id"],
    "event_at": "at_",
    "order_by": ["version_no"],
    "columns": [
        {"name": "history", "type": "int"},
        {"name": "id", "type": "int"},
        {"name": "k", "type": "string"},
        {"name": "at_", "type": "timestamp", "expr": "at"},
        {"name": "n", "type": "int"},
        {"name": "version_no", "type": "int", "expr": "version"},
    ],
}
DEFINITIONS = """
from features import Aggregation, Entity, FeatureView

thing = Entity("thing", ["history", "k"])
numbers = FeatureView(
    "numbers", thing, source="things", hop="1d", available_after="12h",
    aggregations=[Aggregation("n", f, ["1d", "3d"]) for f in ("count", "sum", "mean", "min", "max")],
)
newest = FeatureView("newest", thing, source="things", hop="1d", available_after="6h", fields=["n"])
"""
FUNCTIONS = ("count", "sum", "mean", "min", "max")
SPECS = {
    "numbers": Spec(DAY_US, DAY_US // 2, [("n", f, days * DAY_US) for f in FUNCTIONS for days in (1, 3)]),
    "newest": Spec(DAY_US, DAY_US // 4, fields=["n"]),
}


class Chronicle:
    """What was delivered to each history, as files and as the oracle takes it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.deliveries: dict[int, list[Delivery]] = {history: [] for history in range(HISTORIES)}
        self.files: dict[int, list[tuple[datetime, list[str], list[Delivery]]]] = {h: [] for h in range(HISTORIES)}

    def land(self, small: SmallLake, load: int) -> None:
        for history in range(HISTORIES):
            minute = timedelta(minutes=60 * load + self.rng.randrange(60))
            delivered = START + self.rng.randrange(3 + 3 * load) * DAY + 10 * timedelta(hours=1) + minute
            if load and self.rng.random() < 0.2:
                self._repeat(small, history, delivered, load)
            else:
                self._invent(small, history, delivered, load)

    def _invent(self, small: SmallLake, history: int, delivered: datetime, load: int) -> None:
        lines, versions = [], []
        for key in self.rng.sample(range(5), self.rng.randint(1, 4)):
            entity = self.rng.choice(["a", "b", None])
            event = START + self.rng.randrange(20) * timedelta(hours=9) if self.rng.random() < 0.9 else None
            number = self.rng.choice([None, 1, 2, 3, 40])
            order = self.rng.choice([None, 1, 2])
            cells = [history, key, entity, f"{event:%Y-%m-%dT%H:%M:%SZ}" if event else None, number, order]
            lines.append(",".join("" if cell is None else str(cell) for cell in cells))
            event_us = None if event is None else instant_to_micros(event)
            known = instant_to_micros(delivered)
            versions.append(Delivery(key, order, known, (history, entity), event_us, {"n": number}))
        self.files[history].append((delivered, lines, versions))
        self._write(small, history, delivered, lines, load)

    def _repeat(self, small: SmallLake, history: int, delivered: datetime, load: int) -> None:
        """The content of an earlier file once more, known since the earlier of both."""
        number = self.rng.randrange(len(self.files[history]))
        first, lines, versions = self.files[history][number]
        known = min(first, delivered)
        moved = [Delivery(v.key, v.order, instant_to_micros(known), v.entity, v.event_at, v.values) for v in versions]
        self.files[history][number] = (known, lines, moved)
        self._write(small, history, delivered, lines, load)

    def _write(self, small: SmallLake, history: int, delivered: datetime, lines: list[str], load: int) -> None:
        content = "\n".join(["history,id,k,at,n,version", *lines, ""])
        small.land(f"things/d={delivered:%Y-%m-%dT%H-%M}/h{history}-{load}.csv", content)

    def rows(self) -> list[Any]:
        """Keys of different histories are different rows."""
        found = []
        for history, files in self.files.items():
            versions = [version for _, _, batch in files for version in batch]
            found += [row for row in stand(versions).values() if row.entity[0] == history]
        return found


@pytest.mark.parametrize("seed", [7])
def test_incremental_is_full_is_oracle(spark: SparkSession, tmp_path: Path, seed: int) -> None:
    small = make_lake(spark, tmp_path, DEFINITIONS, others={"things": THINGS})
    chronicle = Chronicle(random.Random(seed))
    views = [small.project.views[name] for name in SPECS]
    restated = 0
    for load in range(LOADS):
        chronicle.land(small, load)
        small.load("things")
        reports = materialize(small.project, small.lake, views, None, RUN)
        restated += sum(report.rows_restated for report in reports)
        again = materialize(small.project, small.lake, views, None, RUN)
        assert {report.commit.outcome for report in again} == {Outcome.UNCHANGED}
    assert restated > 0
    through = instant_to_micros(reports[0].through)
    for name, spec in SPECS.items():
        wanted = gold(spec, chronicle.rows(), through)
        assert _stored(small, name) == wanted
        assert len(wanted) > HISTORIES
    full = materialize(small.project, small.lake, views, None, RUN, is_full=True)
    assert {report.commit.outcome for report in full} == {Outcome.UNCHANGED}


def _stored(small: SmallLake, name: str) -> dict[Any, tuple[Any, ...]]:
    frame = small.lake.read("gold", name).selectExpr("*", "unix_micros(feature_at) AS f")
    values = small.project.views[name].feature_names
    newest = name == "newest"
    if newest:
        frame = frame.selectExpr("*", "unix_micros(_event_at) AS e")
    return {
        ((row["history"], row["k"]), row["f"]): (*([row["e"]] if newest else []), *[row[value] for value in values])
        for row in frame.collect()
    }
