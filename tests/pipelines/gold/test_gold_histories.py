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
from tests.features.oracle import Delivery, Row, Spec, gold, stand
from tests.projects.small_lake import RUN, SmallLake, feature_rows, make_lake

pytestmark = pytest.mark.long(minutes=2)
HISTORIES, LOADS = 12, 3
START = datetime(2024, 1, 1, tzinfo=UTC)
TYPES = {"history": "int", "id": "int", "k": "string", "at": "timestamp", "n": "int", "version": "int"}
THINGS: dict[str, Any] = {
    "landing": {"path": "things", "format": "csv", "delivered": "d=%Y-%m-%dT%H-%M"},
    "raw": list(TYPES),
    "key": ["history", "id"],
    "event_at": "at",
    "order_by": ["version"],
    "columns": [{"name": name, "type": kind} for name, kind in TYPES.items()],
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
Files = dict[int, list[tuple[datetime, list[tuple[Any, ...]]]]]  # by history: delivered, and rows as TYPES names them


def land(small: SmallLake, files: Files, load: int, rng: random.Random) -> None:
    """Land a file for every history: new rows, or the content of an earlier file under another name."""
    for history, landed in files.items():
        minutes = 60 * load + rng.randrange(60)
        delivered = START + timedelta(days=rng.randrange(3 + 3 * load), hours=10, minutes=minutes)
        if load and rng.random() < 0.2:
            repeated = rng.randrange(len(landed))
            first, rows = landed[repeated]
            landed[repeated] = (min(first, delivered), rows)
        else:
            rows = [invent(history, key, rng) for key in rng.sample(range(5), rng.randint(1, 4))]
            landed.append((delivered, rows))
        lines = [",".join("" if cell is None else str(cell) for cell in row) for row in (TYPES, *rows)]
        small.land(f"things/d={delivered:%Y-%m-%dT%H-%M}/h{history}-{load}.csv", "\n".join([*lines, ""]))


def invent(history: int, key: int, rng: random.Random) -> tuple[Any, ...]:
    event = START + rng.randrange(20) * timedelta(hours=9) if rng.random() < 0.9 else None
    return history, key, rng.choice(["a", "b", None]), event, rng.choice([None, 1, 2, 3, 40]), rng.choice([None, 1, 2])


def standing(files: Files) -> list[Row]:
    found: list[Row] = []
    for landed in files.values():
        versions = [
            Delivery(key, order, instant_to_micros(known), (history, k), at and instant_to_micros(at), {"n": n})
            for known, rows in landed
            for history, key, k, at, n, order in rows
        ]
        found += stand(versions).values()
    return found


def test_incremental_is_full_is_oracle(spark: SparkSession, tmp_path: Path) -> None:
    small, rng = make_lake(spark, tmp_path, DEFINITIONS, others={"things": THINGS}), random.Random(7)
    files: Files = {history: [] for history in range(HISTORIES)}
    views = list(small.project.views.values())
    restated = 0
    for load in range(LOADS):
        land(small, files, load, rng)
        small.load("things")
        reports = materialize(small.project, small.lake, views, None, RUN)
        restated += sum(report.rows_restated for report in reports)
        again = materialize(small.project, small.lake, views, None, RUN)
        assert {report.commit.outcome for report in again} == {Outcome.UNCHANGED}
    assert restated > 0
    for view in views:
        wanted = gold(Spec.of(view), standing(files), instant_to_micros(reports[0].through))
        assert feature_rows(small.lake.read("gold", view.name)) == wanted
        assert len(wanted) > HISTORIES
    full = materialize(small.project, small.lake, views, None, RUN, is_full=True)
    assert {report.commit.outcome for report in full} == {Outcome.UNCHANGED}
