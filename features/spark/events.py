"""Turn silver rows into the events of a feature view.

An event has an entity, a time, and the grid point from which it counts, ``counts_from``: the later of the end of its
hop and the first grid point whose value may be used at or after the time the event was known.

Example with hop 1d and available_after 12h: a flight arrives on 1 November at 10:00, so its hop ends on 2 November.
Known by 2 November 12:00, it counts from the point 2 November on. Known only at 13:00, it comes too late for that
value and counts from 3 November on.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StructType

from conf.durations import to_micros
from features.definitions import FeatureView
from features.spark.grid_columns import ceil_to_hop, floor_to_hop, micros


def build_events(silver: DataFrame, view: FeatureView, event_at: str, grain: Sequence[str]) -> DataFrame:
    """Select the silver rows that the view counts, with the columns that it needs.

    Parameters
    ----------
    silver : rows of the table, or the pre- and post-images of changed ones; ``_known_at`` is NOT NULL
    event_at : the contract's event time column, used where the view names none
    grain : the columns that identify a silver row; they order events of the same instant

    Returns
    -------
    one row per silver row that satisfies ``where`` and has an event time and all join keys: the join keys,
    ``_event_us``, ``_known_us``, ``_hop_end``, ``_counts_from`` (bigint, microseconds), ``_order`` (different for each
    event of an entity, older events first) and the value columns, with -0.0 replaced by 0.0
    """
    hop = view.hop_micros
    selected = silver.where(F.expr(view.where)) if view.where else silver
    is_event = F.col(view.event_at or event_at).isNotNull()
    for key in view.entity.join_keys:
        is_event &= F.col(key).isNotNull()
    values = [name for name in view.value_columns if name not in view.entity.join_keys]
    event_us, known_us = F.unix_micros(F.col(view.event_at or event_at)), F.unix_micros(F.col("_known_at"))
    hop_end = floor_to_hop(event_us, hop) + micros(hop)
    known_point = ceil_to_hop(known_us - micros(view.available_after_micros), hop)
    return selected.where(is_event).select(
        *view.entity.join_keys,
        event_us.alias("_event_us"),
        known_us.alias("_known_us"),
        hop_end.alias("_hop_end"),
        F.greatest(hop_end, known_point).alias("_counts_from"),
        F.struct(event_us.alias("_event_us"), *grain).alias("_order"),
        *(_without_negative_zero(silver.schema, name) for name in values),
    )


def build_timeliness(events: DataFrame, view: FeatureView) -> DataFrame:
    """Measure which share of the events became known in time.

    Returns
    -------
    one row: ``events`` (bigint), ``share_on_time`` (events that count from the end of their hop on) and
    ``share_too_late`` (events known so late that they never count in the shortest window; 0 for a latest-value view).
    The shares are doubles between 0 and 1, NULL without events
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


def _without_negative_zero(schema: StructType, name: str) -> Column:
    is_double = isinstance(schema[name].dataType, (DoubleType, FloatType))
    return (F.col(name) + F.lit(0.0)).alias(name) if is_double else F.col(name)
