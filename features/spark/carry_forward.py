"""The greatest value so far, of each entity along its time line, balanced when one entity holds most of the rows.

The time line is cut into slices. What came before a slice enters it as a row of its own, so that every slice is
worked on alone: a running maximum within (entity, slice).
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.spark.grid_columns import floor_to_hop, micros


def carry_forward(rows: DataFrame, keys: Sequence[str], slice_us: int, reach_us: int | None = None) -> DataFrame:
    """Give each row the greatest ``_value`` of its entity at or before it.

    Parameters
    ----------
    rows : the keys (NOT NULL), ``_at_us`` bigint, ``_value`` a struct; NULL in a row that only asks
    slice_us : the length of a slice
    reach_us : a value more than this before a row need not be found, at most ``slice_us``; values must then grow
        with ``_at_us``. None: every value is found

    Returns
    -------
    the rows, each once, and ``_newest`` (NULL when there is no value so far)
    """
    if reach_us is not None and reach_us > slice_us:
        raise ValueError(f"a reach of {reach_us} µs does not fit into a slice of {slice_us} µs")
    start = floor_to_hop(F.col("_at_us"), slice_us)
    sliced = _with_all_before(rows, keys, start) if reach_us is None else _with_near(rows, start, slice_us, reach_us)
    so_far = Window.partitionBy(*keys, "_slice").orderBy("_at_us").rangeBetween(Window.unboundedPreceding, 0)
    carried = sliced.withColumn("_newest", F.max("_value").over(so_far))
    return carried.where(F.col("_at_us") >= F.col("_slice")).select(*keys, "_at_us", "_value", "_newest")


def _with_near(rows: DataFrame, start: Column, slice_us: int, reach_us: int) -> DataFrame:
    """Let the values that reach into the next slice stand in it too."""
    following = start + micros(slice_us)
    reaches_over = F.col("_value").isNotNull() & (F.col("_at_us") + micros(reach_us) > following)
    slices = F.when(reaches_over, F.array(start, following)).otherwise(F.array(start))
    return rows.withColumn("_slice", F.explode(slices))


def _with_all_before(rows: DataFrame, keys: Sequence[str], start: Column) -> DataFrame:
    """Let the greatest value of all earlier slices stand before the first row of each."""
    sliced = rows.withColumn("_slice", start)
    earlier = Window.partitionBy(*keys).orderBy("_slice").rowsBetween(Window.unboundedPreceding, -1)
    greatest = sliced.groupBy(*keys, "_slice").agg(F.max("_value").alias("_value"))
    carried_in = greatest.withColumn("_value", F.max("_value").over(earlier)).where(F.col("_value").isNotNull())
    before = (F.col("_slice") - micros(1)).alias("_at_us")
    return sliced.unionByName(carried_in.select(*keys, before, "_value", "_slice"))
