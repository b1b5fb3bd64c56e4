"""Share the work on an entity that asks most of the questions of a point-in-time join.

The join sorts all rows of an entity in one task. That is right for nearly all entities. The time line of a *heavy* one
is cut into *slices*, and rows are distributed by (entity, slice). The newest stored row of each slice is handed on to
all later slices of the entity.

Example with slices that begin at 10 and 20: a heavy entity has stored rows a at 3 and b at 8, and asks at 22. The slice
of 22 has no stored row of its own, but b was handed on to it, so the question finds b.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.definitions import FeatureView
from features.join_keys import PREDICTION_AT
from features.spark.grid_columns import micros

HEAVY_ROWS = 400_000  # so many questions one task answers in a few seconds; for fewer, looking does not pay
MOST_SLICES = 64


@dataclass(frozen=True)
class Slices:
    """Which entities are heavy, and the instants at which their slices begin.

    ``heavy`` holds hashes of join keys. Another entity with the same hash is cut as well, which changes no value.
    """

    heavy: tuple[int, ...]
    edges_us: tuple[int, ...]

    def add_to(self, rows: DataFrame, keys: Sequence[str]) -> DataFrame:
        """Add ``_slice``, the number of edges up to ``_at_us``; 0 for an entity that is not heavy."""
        at = F.col("_at_us")
        passed = sum((F.when(at >= micros(edge), 1).otherwise(0) for edge in self.edges_us), F.lit(0))
        return rows.withColumn("_slice", F.when(self.is_heavy(keys), passed).otherwise(0))

    def is_heavy(self, keys: Sequence[str]) -> Column:
        return _hash_of(keys).isin(*self.heavy)


def join_keys_of(view: FeatureView) -> tuple[str, ...]:
    """Return the join keys in the order that all views with the same keys share."""
    return tuple(sorted(view.entity.join_keys))


def find_slices(
    spine: DataFrame, views: Iterable[FeatureView], rows: int, tasks: int
) -> Mapping[tuple[str, ...], Slices]:
    """Find the heavy entities of a spine of so many rows, per set of join keys; no entry where there is none.

    An entity is heavy when it has more than ``HEAVY_ROWS`` questions and more than twice the even share of ``tasks``,
    which are as many as run at once. So no Spark job runs where the spine has too few rows or where two tasks run at
    once. Else one runs, and one more for each set of keys with an entry. Stored rows are not counted, because their
    grid limits how many an entity has.
    """
    least = max(HEAVY_ROWS, 2 * rows // tasks)
    if rows <= least:
        return {}
    key_sets = list(dict.fromkeys(join_keys_of(view) for view in views))
    entities = [F.struct(F.lit(n).alias("n"), _hash_of(keys).alias("hash")) for n, keys in enumerate(key_sets)]
    counted = spine.select(F.explode(F.array(*entities)).alias("entity")).groupBy("entity").count()
    found: dict[tuple[str, ...], list[int]] = {}
    for n, entity in (row["entity"] for row in counted.where(F.col("count") > least).collect()):
        found.setdefault(key_sets[n], []).append(entity)
    return {keys: _cut(spine, keys, heavy, min(4 * tasks, MOST_SLICES)) for keys, heavy in found.items()}


def hand_on(rows: DataFrame, keys: Sequence[str], value: str, slices: Slices) -> DataFrame:
    """Add to the later slices of each heavy entity the newest row of each slice, at its own ``_at_us``.

    ``rows`` are the stored rows: the keys, ``_at_us``, ``_slice`` and ``value``.
    """
    last = len(slices.edges_us)
    ended = rows.where(slices.is_heavy(keys) & (F.col("_slice") < last))
    newest = ended.groupBy(*keys, "_slice").agg(F.max("_at_us").alias("_at_us"), F.max_by(value, "_at_us").alias(value))
    later = F.explode(F.sequence(F.col("_slice") + 1, F.lit(last)))
    return rows.unionByName(newest.withColumn("_slice", later))


def _cut(spine: DataFrame, keys: Sequence[str], heavy: Sequence[int], slices: int) -> Slices:
    """Cut the time in which the heavy entities ask into slices of about as many questions."""
    shares = [n / slices for n in range(1, slices)]
    asked = spine.where(_hash_of(keys).isin(*heavy)).select(F.unix_micros(PREDICTION_AT).alias("_at_us"))
    edges = asked.select(F.percentile_approx("_at_us", shares)).collect()[0][0] or ()
    return Slices(tuple(sorted(heavy)), tuple(sorted(set(edges))))


def _hash_of(keys: Sequence[str]) -> Column:
    return F.xxhash64(*keys)
