"""Give each row the newest value of its entity up to then, even when one entity has most of the rows.

A running maximum over a whole entity would put all its rows into one task. So the time line of each entity is cut into
*slices* (see ``features.grid``), and each (entity, slice) has a running maximum of its own. What an earlier slice
found is handed on as an extra row just before the later slice begins.

Example with slices of length 10: an entity has the values a at 3 and b at 8, and another row at 12, which lies in the
slice [10, 20). That slice has no value before it, so it gets the extra row b at 9, and the row at 12 meets b.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from features.spark.grid_columns import floor_to_hop, micros


def carry_forward(rows: DataFrame, keys: Sequence[str], slice_us: int) -> DataFrame:
    """Give each row the greatest ``_value`` of its entity at or before its ``_at_us``.

    Parameters
    ----------
    rows : the keys (NOT NULL), ``_at_us`` bigint, and ``_value``, a struct
    slice_us : the length of a slice

    Returns
    -------
    the rows, each once, and ``_newest``
    """
    sliced = rows.withColumn("_slice", floor_to_hop(F.col("_at_us"), slice_us))
    earlier = Window.partitionBy(*keys).orderBy("_slice").rowsBetween(Window.unboundedPreceding, -1)
    greatest = sliced.groupBy(*keys, "_slice").agg(F.max("_value").alias("_value"))
    carried_in = greatest.withColumn("_value", F.max("_value").over(earlier)).where(F.col("_value").isNotNull())
    before = (F.col("_slice") - micros(1)).alias("_at_us")
    with_carried_in = sliced.unionByName(carried_in.select(*keys, before, "_value", "_slice"))
    so_far = Window.partitionBy(*keys, "_slice").orderBy("_at_us").rangeBetween(Window.unboundedPreceding, 0)
    carried = with_carried_in.withColumn("_newest", F.max("_value").over(so_far))
    return carried.where(F.col("_at_us") >= F.col("_slice")).select(*keys, "_at_us", "_value", "_newest")
