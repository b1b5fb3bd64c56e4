"""Which feature rows a load touches: the spans, and the range of events from which they are made anew.

A changed event touches, of its entity, the grid points from where it counts to where it leaves the longest window,
both included; a latest-value view forgets nothing, so there the span has no end. What lies after the previous
``through`` is fresh: made for all entities, since values also change when no row does.
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
    """The grid points to be made anew, in two parts that never overlap.

    ``touched``, grain (join keys, ``_first_us``): points up to the previous ``through``, by entity, from
    ``_first_us`` to ``_last_us``, both included; the spans of an entity do not overlap, and those of a windowed view
    do not cross the edge of a slice. ``fresh_first_us`` to ``fresh_last_us``: the points of all entities after the
    previous ``through``; none when first > last.
    """

    touched: DataFrame
    fresh_first_us: int
    fresh_last_us: int

    @property
    def has_fresh(self) -> bool:
        return self.fresh_first_us <= self.fresh_last_us


@dataclass(frozen=True)
class Bounds:
    """Literals for reading: events in [``event_lo_us``, ``event_hi_us``), points from first to last, both included.

    ``event_lo_us`` None: from the beginning.
    """

    event_lo_us: int | None
    event_hi_us: int
    first_us: int
    last_us: int


def build_spans(changes: DataFrame, view: FeatureView, previous_through_us: int, through_us: int) -> Spans:
    """Find the grid points that a load touches.

    Parameters
    ----------
    changes : the events (``build_events``) of all pre- and post-images of the changed silver rows
    previous_through_us : up to when the stored table is complete

    Raises
    ------
    ValueError : when ``through`` would go back
    """
    if through_us < previous_through_us:
        raise ValueError(f"through cannot go back from {previous_through_us} to {through_us}")
    last_us = last_point(view, previous_through_us)
    touching = changes.where(F.col("_counts_from") <= micros(last_us))
    touched = _windowed(touching, view, last_us) if view.windows else _latest(touching, view, last_us)
    return Spans(touched, last_us + view.hop_micros, last_point(view, through_us))


def build_extent(spans: Spans) -> DataFrame:
    """Return one row: the least ``_first_us`` and the greatest ``_last_us`` touched, NULL when nothing is."""
    return spans.touched.select(F.min("_first_us").alias("_first_us"), F.max("_last_us").alias("_last_us"))


def bounds_of(view: FeatureView, spans: Spans, first_us: int | None, last_us: int | None) -> Bounds | None:
    """Return what must be read to make the spans anew, given their collected extent; None when there is nothing.

    An event that leaves the longest window at a point makes a row there, so one hop more than the window is read.
    """
    firsts = [first_us] if first_us is not None else []
    lasts = [last_us] if last_us is not None else []
    if spans.has_fresh:
        firsts.append(spans.fresh_first_us)
        lasts.append(spans.fresh_last_us)
    if not firsts:
        return None
    first, last = min(firsts), max(lasts)
    reach = view.reach_micros
    return Bounds(None if reach is None else first - reach - view.hop_micros, last, first, last)


def in_spans(stored: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Select the stored feature rows that lie in the touched spans: those to compare with the rows made anew.

    Parameters
    ----------
    stored : grain (join keys, feature_at), complete through the previous ``through``
    """
    point = F.unix_micros("feature_at")
    slice_us = slice_micros(view, view.reach_micros)
    named = [F.col(key).alias(f"_touched_{key}") for key in view.entity.join_keys]
    sides = F.col("_first_us"), F.col("_last_us")
    touched = spans.touched.select(*named, *sides, _slice_of(sides[0], view, slice_us).alias("_touched_slice"))
    matches = point.between(*sides) & (_slice_of(point, view, slice_us) == F.col("_touched_slice"))
    for key in view.entity.join_keys:
        matches &= F.col(key) == F.col(f"_touched_{key}")
    return stored.join(touched, on=matches, how="left_semi")


def clip_to_spans(tiles: DataFrame, spans: Spans, view: FeatureView) -> DataFrame:
    """Cut stretches of the grid down to the spans.

    Parameters
    ----------
    tiles : of a windowed view; join keys, ``_start_us``, ``_end_us`` (grid points, both included) and any others

    Returns
    -------
    the same columns; each tile once for every span it meets, start and end within both
    """
    start, end = F.col("_start_us"), F.col("_end_us")
    others = [name for name in tiles.columns if name not in ("_start_us", "_end_us")]
    pieces = _cut(tiles.where(start <= micros(spans.fresh_first_us - view.hop_micros)), start, end, view)
    slice_us = slice_micros(view, view.reach_micros)
    touched = spans.touched.withColumn("_slice", floor_to_hop(F.col("_first_us"), slice_us))
    met = pieces.join(touched, on=[*view.entity.join_keys, "_slice"], how="inner")
    met = met.where((F.col("_first_us") <= end) & (start <= F.col("_last_us")))
    clipped = met.select(
        *others,
        F.greatest("_start_us", "_first_us").alias("_start_us"),
        F.least("_end_us", "_last_us").alias("_end_us"),
    )
    if not spans.has_fresh:
        return clipped
    fresh = tiles.where((start <= micros(spans.fresh_last_us)) & (end >= micros(spans.fresh_first_us))).select(
        *others,
        F.greatest(start, micros(spans.fresh_first_us)).alias("_start_us"),
        F.least(end, micros(spans.fresh_last_us)).alias("_end_us"),
    )
    return clipped.unionByName(fresh)


def _latest(touching: DataFrame, view: FeatureView, last_us: int) -> DataFrame:
    first = F.min("_counts_from").alias("_first_us")
    return touching.groupBy(*view.entity.join_keys).agg(first).withColumn("_last_us", micros(last_us))


def _windowed(touching: DataFrame, view: FeatureView, last_us: int) -> DataFrame:
    gone = F.col("_hop_end") + micros(view.reach_micros or 0)
    keys = view.entity.join_keys
    stretches = touching.where(F.col("_counts_from") < gone).select(
        *keys, F.col("_counts_from").alias("_start_us"), F.least(gone, micros(last_us)).alias("_end_us")
    )
    longest = stretches.groupBy(*keys, "_start_us").agg(F.max("_end_us").alias("_end_us"))
    pieces = _cut(longest, F.col("_start_us"), F.col("_end_us"), view)
    return _merge_overlapping(pieces, [*keys, "_slice"], view.hop_micros).select(*keys, "_first_us", "_last_us")


def _merge_overlapping(pieces: DataFrame, keys: Sequence[str], hop_us: int) -> DataFrame:
    """Make one span of pieces that overlap or follow each other without a gap."""
    by_start = Window.partitionBy(*keys).orderBy("_start_us")
    reached = F.max("_end_us").over(by_start.rowsBetween(Window.unboundedPreceding, -1))
    is_first = reached.isNull() | (F.col("_start_us") > reached + micros(hop_us))
    marked = pieces.withColumn("_is_first", is_first.cast("int"))
    numbered = marked.withColumn("_island", F.sum("_is_first").over(by_start))
    first, last = F.min("_start_us").alias("_first_us"), F.max("_end_us").alias("_last_us")
    return numbered.groupBy(*keys, "_island").agg(first, last)


def _cut(stretches: DataFrame, start: Column, end: Column, view: FeatureView) -> DataFrame:
    """Cut ``_start_us`` to ``_end_us`` at the edges of the slices; adds ``_slice``."""
    slice_us = slice_micros(view, view.reach_micros)
    slices = points_between(floor_to_hop(start, slice_us), floor_to_hop(end, slice_us), slice_us)
    last_of_slice = F.col("_slice") + micros(slice_us - view.hop_micros)
    cut = stretches.withColumn("_slice", slices)
    return cut.withColumns({"_start_us": F.greatest(start, "_slice"), "_end_us": F.least(end, last_of_slice)})


def _slice_of(point: Column, view: FeatureView, slice_us: int) -> Column:
    """A latest-value view has one span per entity, however long; it is not cut."""
    return floor_to_hop(point, slice_us) if view.windows else micros(0)
