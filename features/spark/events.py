"""Silver rows become the events of a feature view: whose, when, from which feature row on, in which order.

An event begins to count at ``counts_from = max(end of its hop, ceil_to_hop(known_at - available_after))``.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StructType

from conf.durations import to_micros
from features.definitions import FeatureView
from features.spark.grid_columns import ceil_to_hop, floor_to_hop, micros


def build_events(silver: DataFrame, view: FeatureView, event_at: str, grain: Sequence[str]) -> DataFrame:
    """Take from silver what the view counts.

    Parameters
    ----------
    silver : rows as they stand, or the pre- and post-images of changed ones; ``_known_at`` is NOT NULL
    event_at : the contract's event time, which the view may replace by its own
    grain : the columns that identify a silver row; they order the events of one instant

    Returns
    -------
    one row per silver row that satisfies ``where`` and has an event time and an entity: the join keys,
    ``_event_us``, ``_known_us``, ``_hop_end``, ``_counts_from`` (bigint, microseconds), ``_order`` (total among the
    events of an entity) and the value columns, in which -0.0 is 0.0
    """
    hop = view.hop_micros
    standing = silver.where(F.expr(view.where)) if view.where else silver
    is_event = F.col(view.event_at or event_at).isNotNull()
    for key in view.entity.join_keys:
        is_event &= F.col(key).isNotNull()
    values = [name for name in view.value_columns if name not in view.entity.join_keys]
    event_us, known_us = F.unix_micros(F.col(view.event_at or event_at)), F.unix_micros(F.col("_known_at"))
    hop_end = floor_to_hop(event_us, hop) + micros(hop)
    known_point = ceil_to_hop(known_us - micros(view.available_after_micros), hop)
    return standing.where(is_event).select(
        *view.entity.join_keys,
        event_us.alias("_event_us"),
        known_us.alias("_known_us"),
        hop_end.alias("_hop_end"),
        F.greatest(hop_end, known_point).alias("_counts_from"),
        F.struct(event_us.alias("_event_us"), *grain).alias("_order"),
        *(_one_zero(silver.schema, name) for name in values),
    )


def build_timeliness(events: DataFrame, view: FeatureView) -> DataFrame:
    """Say how many events come in time.

    Returns
    -------
    one row: ``events`` (bigint), ``share_on_time`` (of those that count at the end of their hop) and
    ``share_too_late`` (of those that never count in the shortest window; 0 for a latest-value view); the shares are
    doubles, NULL without events
    """
    is_on_time = F.col("_counts_from") == F.col("_hop_end")
    is_too_late = F.lit(False)
    if view.windows:
        shortest = to_micros(view.windows[0])
        is_too_late = F.col("_counts_from") >= F.col("_hop_end") + micros(shortest)
    return events.select(
        F.count(F.lit(1)).alias("events"),
        F.avg(is_on_time.cast("double")).alias("share_on_time"),
        F.avg(is_too_late.cast("double")).alias("share_too_late"),
    )


def _one_zero(schema: StructType, name: str) -> Column:
    is_double = isinstance(schema[name].dataType, (DoubleType, FloatType))
    return (F.col(name) + F.lit(0.0)).alias(name) if is_double else F.col(name)
