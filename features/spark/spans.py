"""Find which feature rows a load must compute, and which events it needs for that.

A *span* is a range of grid points of one entity, both ends included. A changed event touches the points from where it
starts to count to where it no longer lies in the longest window; in a latest-value view it touches all later points.
Spans end at the old ``through``, up to which the stored table is complete. The grid points between the old and the new
``through`` are *fresh*: they are computed for every entity, because a window moves on and loses old events even where
no new event arrives.

Example with hop 1d, a longest window of 3d, and a table complete through 22 November: a late flight of UA, which
counts from 2 November, touches the span of UA from 2 to 5 November. When the same load moves ``through`` to 24
November, the points 23 and 24 November are fresh for all carriers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.definitions import FeatureView
from features.grid import last_point, slice_micros
from features.spark.grid_columns import floor_to_hop, micros, points_between


@dataclass(frozen=True)
class Spans:
    """The grid points to compute: the touched ones up to the old ``through``, and after them the fresh ones.

    ``touched`` has the grain (join keys, ``_first_us``): a row is a span from ``_first_us`` to ``_last_us``. The spans
    of an entity do not overlap, and in a windowed view each lies within one slice. It is None where it is known that
    no point is touched. The fresh points run from ``fresh_first_us`` to ``fresh_last_us``, both included; there are
    none when first > last.
    """

    touched: DataFrame | None
    fresh_first_us: int
    fresh_last_us: int

    @property
    def has_fresh(self) -> bool:
        return self.fresh_first_us <= self.fresh_last_us


@dataclass(frozen=True)
class Bounds:
    """The events and the stored rows to read: one range of each for all entities.

    Events have ``event_lo_us <= event_at < event_hi_us`` (no lower limit where it is None); rows have
    ``first_us <= feature_at <= last_us``.
    """

    event_lo_us: int | None
    event_hi_us: int
    first_us: int
    last_us: int


def build_spans(changes: DataFrame | None, view: FeatureView, previous_through_us: int, through_us: int) -> Spans:
    """Find the grid points that a load must compute.

    Parameters
    ----------
    changes : the events (``build_events``) of all pre- and post-images of the changed silver rows; None: no row changed
    previous_through_us : up to when the stored table is complete

    Raises
    ------
    ValueError : when ``through_us`` lies before ``previous_through_us``
    """
    if through_us < previous_through_us:
        raise ValueError(f"through cannot go back from {previous_through_us} to {through_us}")
    last_us = last_point(view, previous_through_us)
    touched = None
    if changes is not None:
        touching = changes.where(F.col("_counts_from") <= micros(last_us))
        touched = (_find_window_spans if view.windows else _find_latest_spans)(touching, view, last_us)
    return Spans(touched, last_us + view.hop_micros, last_point(view, through_us))


def build_extent(touched: DataFrame) -> DataFrame:
    """Return one row: the least ``_first_us`` and the greatest ``_last_us`` of all spans; NULL without a span."""
    return touched.select(F.min("_first_us").alias("_first_us"), F.max("_last_us").alias("_last_us"))


def bounds_of(view: FeatureView, spans: Spans, first_us: int | None, last_us: int | None) -> Bounds | None:
    """Return what must be read to compute the spans, or None when there is nothing to compute.

    ``first_us`` and ``last_us`` are the collected row of ``build_extent``. Events are read from one hop before the
    longest window of the first point, because a row is also stored where an event has just left that window.
    """
    ranges = [(first_us, last_us)] if first_us is not None and last_us is not None else []
    if spans.has_fresh:
        ranges.append((spans.fresh_first_us, spans.fresh_last_us))
    if not ranges:
        return None
    first, last = ranges[0][0], ranges[-1][1]  # the fresh points come after all touched ones
    reach = view.reach_micros
    return Bounds(None if reach is None else first - reach - view.hop_micros, last, first, last)


def in_spans(stored: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Select the stored feature rows that lie in a touched span, to be compared with the rows computed again.

    ``stored`` has the grain (join keys, feature_at) and is complete through the previous ``through``.
    """
    if spans.touched is None:
        return stored.limit(0)
    point = F.unix_micros("feature_at")
    slice_us = slice_micros(view, view.reach_micros)
    touched_keys = [F.col(key).alias(f"_touched_{key}") for key in view.entity.join_keys]
    first, last = F.col("_first_us"), F.col("_last_us")
    touched = spans.touched.select(*touched_keys, first, last, _slice_of(first, view, slice_us).alias("_touched_slice"))
    matches = point.between(first, last) & (_slice_of(point, view, slice_us) == F.col("_touched_slice"))
    for key in view.entity.join_keys:
        matches &= F.col(key) == F.col(f"_touched_{key}")
    return stored.join(touched, on=matches, how="left_semi")


def clip_to_spans(tiles: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Cut each tile's range of grid points down to the points that lie in a span or are fresh.

    Parameters
    ----------
    tiles : join keys, ``_start_us``, ``_end_us`` (grid points, both included) and any other columns

    Returns
    -------
    the same columns; one row per overlap of a tile with a span or with the fresh points
    """
    fresh = _clip_to_points(tiles, spans.fresh_first_us, spans.fresh_last_us)
    if spans.touched is None:
        return fresh
    start, end = F.col("_start_us"), F.col("_end_us")
    others = [name for name in tiles.columns if name not in ("_start_us", "_end_us")]
    pieces = _cut_at_slices(tiles.where(start <= micros(spans.fresh_first_us - view.hop_micros)), start, end, view)
    slice_us = slice_micros(view, view.reach_micros)
    touched = spans.touched.withColumn("_slice", floor_to_hop(F.col("_first_us"), slice_us))
    pairs = pieces.join(touched, on=[*view.entity.join_keys, "_slice"], how="inner")
    overlaps = pairs.where((F.col("_first_us") <= end) & (start <= F.col("_last_us")))
    clipped = overlaps.select(
        *others, F.greatest(start, "_first_us").alias("_start_us"), F.least(end, "_last_us").alias("_end_us")
    )
    return clipped.unionByName(fresh) if spans.has_fresh else clipped


def _clip_to_points(tiles: DataFrame, first_us: int, last_us: int) -> DataFrame:
    """Cut each tile's range of grid points down to the points from ``first_us`` to ``last_us``, both included."""
    start, end, first, last = F.col("_start_us"), F.col("_end_us"), micros(first_us), micros(last_us)
    others = [name for name in tiles.columns if name not in ("_start_us", "_end_us")]
    return tiles.where((start <= last) & (end >= first)).select(
        *others, F.greatest(start, first).alias("_start_us"), F.least(end, last).alias("_end_us")
    )


def _find_latest_spans(touching: DataFrame, view: FeatureView, last_us: int) -> DataFrame:
    first = F.min("_counts_from").alias("_first_us")
    return touching.groupBy(*view.entity.join_keys).agg(first).withColumn("_last_us", micros(last_us))


def _find_window_spans(touching: DataFrame, view: FeatureView, last_us: int) -> DataFrame:
    stops_at = F.col("_hop_end") + micros(view.reach_micros or 0)
    keys = view.entity.join_keys
    ranges = touching.where(F.col("_counts_from") < stops_at).select(
        *keys, F.col("_counts_from").alias("_start_us"), F.least(stops_at, micros(last_us)).alias("_end_us")
    )
    longest = ranges.groupBy(*keys, "_start_us").agg(F.max("_end_us").alias("_end_us"))
    pieces = _cut_at_slices(longest, F.col("_start_us"), F.col("_end_us"), view)
    return _merge_overlapping(pieces, [*keys, "_slice"], view.hop_micros).select(*keys, "_first_us", "_last_us")


def _merge_overlapping(pieces: DataFrame, keys: Sequence[str], hop_us: int) -> DataFrame:
    """Merge pieces that overlap or follow each other without a gap into one span ("gaps and islands")."""
    by_start = Window.partitionBy(*keys).orderBy("_start_us")
    reached = F.max("_end_us").over(by_start.rowsBetween(Window.unboundedPreceding, -1))
    is_first = reached.isNull() | (F.col("_start_us") > reached + micros(hop_us))
    marked = pieces.withColumn("_is_first", is_first.cast("int"))
    numbered = marked.withColumn("_island", F.sum("_is_first").over(by_start))
    first, last = F.min("_start_us").alias("_first_us"), F.max("_end_us").alias("_last_us")
    return numbered.groupBy(*keys, "_island").agg(first, last)


def _cut_at_slices(ranges: DataFrame, start: Column, end: Column, view: FeatureView) -> DataFrame:
    """Cut each range from ``_start_us`` to ``_end_us`` at the edges of the slices, and add ``_slice``."""
    slice_us = slice_micros(view, view.reach_micros)
    slices = points_between(floor_to_hop(start, slice_us), floor_to_hop(end, slice_us), slice_us)
    last_of_slice = F.col("_slice") + micros(slice_us - view.hop_micros)
    cut = ranges.withColumn("_slice", slices)
    return cut.withColumns({"_start_us": F.greatest(start, "_slice"), "_end_us": F.least(end, last_of_slice)})


def _slice_of(point: Column, view: FeatureView, slice_us: int) -> Column:
    """Return the slice of a point; always 0 for a latest-value view, whose spans are not cut at slices."""
    return floor_to_hop(point, slice_us) if view.windows else micros(0)
