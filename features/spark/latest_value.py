"""The rows of a latest-value view: a row stands where the newest event of an entity is another than one hop before.

Of the events that begin to count at one point only the newest can be it, and it is, if no earlier point has a newer.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.definitions import FeatureView
from features.grid import last_point, slice_micros
from features.spark.carry_forward import carry_forward
from features.spark.grid_columns import micros
from features.spark.spans import Spans


def build_latest_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Return the change points of a latest-value view. Grain (join keys, feature_at); see ``features.rows``."""
    keys = view.entity.join_keys
    counting = events.where(F.col("_counts_from") <= micros(last_point(view, through_us)))
    points = counting.withColumn("_at_us", F.col("_counts_from"))
    if spans is not None:
        points = _gather_before_spans(counting, spans, view)
    newest_of_point = F.max(F.struct("_order", "_counts_from", *view.fields)).alias("_value")
    candidates = points.groupBy(*keys, "_at_us").agg(newest_of_point)
    carried = carry_forward(candidates, keys, slice_micros(view, None))
    is_newest = F.col("_newest._order") == F.col("_value._order")
    is_wanted = F.col("_value._counts_from") == F.col("_at_us")
    return carried.where(is_newest & is_wanted).select(
        *keys,
        F.timestamp_micros("_at_us").alias("feature_at"),
        F.timestamp_micros(F.col("_at_us") + micros(view.available_after_micros)).alias("available_at"),
        F.timestamp_micros("_value._order._event_us").alias("_event_at"),
        *(F.col(f"_value.{name}").alias(name) for name in view.fields),
    )


def _gather_before_spans(events: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Let all events of an entity that count before its first wanted point stand just before that point."""
    keys = view.entity.join_keys
    touched = spans.touched.select(*keys, F.col("_first_us").alias("_wanted_us"))
    wanted = F.coalesce(F.col("_wanted_us"), micros(spans.fresh_first_us))
    is_before = F.col("_counts_from") < wanted
    at = F.when(is_before, wanted - micros(1)).otherwise(F.col("_counts_from"))
    how = "left" if spans.has_fresh else "inner"
    return events.join(touched, on=list(keys), how=how).withColumn("_at_us", at)
