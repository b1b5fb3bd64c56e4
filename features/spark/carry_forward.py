"""Give each row the newest value of its entity up to then, even when one entity has most of the rows.

A running maximum over a whole entity would put all its rows into one task. So the time line of each entity is cut into
*slices* (see ``features.grid``), and each (entity, slice) has a running maximum of its own. What an earlier slice
found is handed on as an extra row just before the later slice begins.

Example with slices of length 10: an entity has the values a at 3 and b at 8, and asks at 12, which lies in the slice
[10, 20). That slice has no value of its own, so it gets the extra row b at 9, and the question at 12 finds b.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.spark.grid_columns import floor_to_hop, micros


def carry_forward(rows: DataFrame, keys: Sequence[str], slice_us: int, reach_us: int | None = None) -> DataFrame:
    """Give each row the greatest ``_value`` of its entity at or before its ``_at_us``.

    Parameters
    ----------
    rows : the keys (NOT NULL), ``_at_us`` bigint, and ``_value``, a struct that is NULL in rows that only ask
    slice_us : the length of a slice
    reach_us : how old a value may be; whether an older one is found is undefined. At most ``slice_us``, and the values
        of an entity must increase with ``_at_us``. None: values of any age are found, in any order

    Returns
    -------
    the rows, each once, and ``_newest`` (NULL when there is no value so far)
    """
    if reach_us is not None and reach_us > slice_us:
        raise ValueError(f"a reach of {reach_us} µs is longer than a slice of {slice_us} µs")
    start = floor_to_hop(F.col("_at_us"), slice_us)
    if reach_us is None:
        sliced = _hand_on_greatest(rows, keys, start)
    else:
        sliced = _copy_into_next_slice(rows, start, slice_us, reach_us)
    so_far = Window.partitionBy(*keys, "_slice").orderBy("_at_us").rangeBetween(Window.unboundedPreceding, 0)
    carried = sliced.withColumn("_newest", F.max("_value").over(so_far))
    return carried.where(F.col("_at_us") >= F.col("_slice")).select(*keys, "_at_us", "_value", "_newest")


def _copy_into_next_slice(rows: DataFrame, start: Column, slice_us: int, reach_us: int) -> DataFrame:
    """Copy the values that are still young enough in the next slice into it."""
    next_start = start + micros(slice_us)
    is_needed_there = F.col("_value").isNotNull() & (F.col("_at_us") + micros(reach_us) > next_start)
    slices = F.when(is_needed_there, F.array(start, next_start)).otherwise(F.array(start))
    return rows.withColumn("_slice", F.explode(slices))


def _hand_on_greatest(rows: DataFrame, keys: Sequence[str], start: Column) -> DataFrame:
    """Add to each slice the greatest value of all earlier slices, as a row 1 µs before the slice begins."""
    sliced = rows.withColumn("_slice", start)
    earlier = Window.partitionBy(*keys).orderBy("_slice").rowsBetween(Window.unboundedPreceding, -1)
    greatest = sliced.groupBy(*keys, "_slice").agg(F.max("_value").alias("_value"))
    carried_in = greatest.withColumn("_value", F.max("_value").over(earlier)).where(F.col("_value").isNotNull())
    before = (F.col("_slice") - micros(1)).alias("_at_us")
    return sliced.unionByName(carried_in.select(*keys, before, "_value", "_slice"))
