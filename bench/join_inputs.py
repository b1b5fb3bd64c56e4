"""Made-up input of the point-in-time join: a spine, and the stored rows of three views of one entity, over a year.

The same arguments give the same files. A *fan-out* of 100 means that an entity has 100 stored rows in each view. With
``is_skewed``, one entity has half of all rows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

YEAR_US = 360 * 86_400_000_000
MINUTE_US = 60_000_000
VALUES = ("a", "b", "c", "d")
VIEWS = ("f1", "f2", "f3")
OUTPUTS = tuple((view, value) for view in VIEWS for value in VALUES)
PARTS = 4
SEED = 7
INSTANT = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class JoinSize:
    """How many rows the spine and each view have, how many of a view belong to one entity, and how they lie."""

    spine: int
    stored: int
    fan_out: int
    is_skewed: bool = False

    @property
    def entities(self) -> int:
        return max(1, (self.stored // 2 if self.is_skewed else self.stored) // self.fan_out)


def write_join_inputs(folder: Path, size: JoinSize) -> None:
    """Write ``spine`` (id, k, prediction_at) and ``f1`` to ``f3`` (k, feature_at, a, b, c, d), each as Parquet."""
    random = np.random.default_rng(SEED)
    for view in VIEWS:
        _write(folder / view, _stored_rows(size, random))
    _write(folder / "spine", _spine(size, random))


def _stored_rows(size: JoinSize, random: np.random.Generator) -> pa.Table:
    keys = np.repeat(np.arange(1, size.entities + 1), size.fan_out)
    place = np.tile(np.arange(size.fan_out), size.entities) + random.random(len(keys))
    at = (place * (YEAR_US / size.fan_out)).astype("int64") // MINUTE_US * MINUTE_US
    if size.is_skewed:
        minutes = random.choice(YEAR_US // MINUTE_US, size.stored // 2, replace=False)
        keys, at = np.concatenate([np.zeros(len(minutes), "int64"), keys]), np.concatenate([minutes * MINUTE_US, at])
    rows = pa.table(
        {
            "k": pa.array(keys, pa.int64()),
            "feature_at": pa.array(at, INSTANT),
            **{name: random.random(len(keys)) for name in VALUES[:3]},
            VALUES[3]: pa.array(random.integers(0, 1000, len(keys)), pa.int32()),
        }
    )
    one_each = rows.group_by(["k", "feature_at"], use_threads=False).aggregate([(name, "min") for name in VALUES])
    one_each = one_each.rename_columns(["k", "feature_at", *VALUES])
    return one_each.take(pa.array(random.permutation(one_each.num_rows)))


def _spine(size: JoinSize, random: np.random.Generator) -> pa.Table:
    keys = random.integers(1, size.entities + 1, size.spine)
    if size.is_skewed:
        keys[random.random(size.spine) < 0.5] = 0
    at = pa.array(random.integers(0, YEAR_US, size.spine), INSTANT)
    return pa.table({"id": np.arange(size.spine), "k": keys, "prediction_at": at})


def _write(folder: Path, rows: pa.Table) -> None:
    folder.mkdir(parents=True)
    step = -(-rows.num_rows // PARTS)
    for part in range(PARTS):
        pq.write_table(rows.slice(part * step, step), folder / f"{part}.parquet")
