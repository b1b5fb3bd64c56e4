"""Compute the rows of a latest-value view: a row is stored at each grid point where the entity's newest event changes.

Example with hop 1h: the weather of 04:00 counts from 05:00 and that of 05:00 from 06:00, so rows are stored at 05:00
and 06:00. If the weather of 03:00 arrives late and counts only from 07:00, it changes nothing: a newer event counts
already. So an event makes a row where it starts to count, if it is the newest of all events that count by then.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.definitions import FeatureView
from features.grid import last_point, slice_micros
from features.spark.carry_forward import carry_forward
from features.spark.grid_columns import micros
from features.spark.spans import Spans


def build_latest_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Return the change points of a latest-value view. Grain (join keys, feature_at); see ``build_rows``."""
    keys = view.entity.join_keys
    counting = events.where(F.col("_counts_from") <= micros(last_point(view, through_us)))
    points = counting.withColumn("_at_us", F.col("_counts_from"))
    if spans is not None:
        points = _gather_before_spans(counting, spans, view)
    newest_of_point = F.max(F.struct("_order", "_counts_from", *view.fields)).alias("_value")
    candidates = points.groupBy(*keys, "_at_us").agg(newest_of_point)
    carried = carry_forward(candidates, keys, slice_micros(view, None))
    is_newest = F.col("_newest._order") == F.col("_value._order")
    is_in_spans = F.col("_value._counts_from") == F.col("_at_us")  # a gathered event was moved away from its point
    return carried.where(is_newest & is_in_spans).select(
        *keys,
        F.timestamp_micros("_at_us").alias("feature_at"),
        F.timestamp_micros(F.col("_at_us") + micros(view.available_after_micros)).alias("available_at"),
        F.timestamp_micros("_value._order._event_us").alias("_event_at"),
        *(F.col(f"_value.{name}").alias(name) for name in view.fields),
    )


def _gather_before_spans(events: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Move the events that count before an entity's span to 1 µs before it, where the newest of them stands for all."""
    keys, first_us = view.entity.join_keys, micros(spans.fresh_first_us)
    if spans.touched is not None:
        touched = spans.touched.select(*keys, F.col("_first_us").alias("_span_first_us"))
        events = events.join(touched, on=list(keys), how="left" if spans.has_fresh else "inner")
        first_us = F.coalesce(F.col("_span_first_us"), first_us)
    is_before = F.col("_counts_from") < first_us
    at_us = F.when(is_before, first_us - micros(1)).otherwise(F.col("_counts_from"))
    return events.withColumn("_at_us", at_us)
