"""The rows of a windowed view: events → tiles → every grid point a tile matters to → one row per change point.

A tile holds the partial aggregates of the events of one entity and hop that begin to count at one point. It counts
in a window w at the points from ``counts_from`` on that lie before ``hop_end + w``. A row stands where a tile, for
some window, begins or ceases to count. Integers and decimals are summed exactly; doubles in one fixed order: the
events of a tile by ``_order``, the tiles of a row by (hop_end, counts_from).
"""

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, DoubleType, FloatType, IntegralType, StructType

from conf.durations import to_micros
from conf.errors import ConfigError, Problem
from features.definitions import Aggregation, FeatureView
from features.grid import last_point, micros, points_between
from features.spans import Spans, clip_to_spans


def build_window_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Return the change points of a windowed view. Grain (join keys, feature_at); see ``features.rows``."""
    doubles = _double_sums(events.schema, view)
    tiles = _build_tiles(events, view, doubles)
    points = _spread(tiles, view, through_us, spans)
    return _aggregate(points, view, doubles)


def _build_tiles(events: DataFrame, view: FeatureView, doubles: Sequence[str]) -> DataFrame:
    reaches = F.col("_counts_from") < F.col("_hop_end") + micros(view.reach_micros or 0)
    partials: dict[str, Column] = {}
    for aggregation in view.aggregations:
        partials |= _partials(events.schema, aggregation)
    if doubles:
        partials["_ordered"] = F.sort_array(F.collect_list(F.struct("_order", *doubles)))
    grain = [*view.entity.join_keys, "_hop_end", "_counts_from"]
    named = [partial.alias(name) for name, partial in partials.items()]
    tiles = events.where(reaches).groupBy(*grain).agg(*named)
    sums = {f"_sum_{name}": _fold(F.col("_ordered"), name) for name in doubles}
    return tiles.withColumns(sums).drop("_ordered")


def _partials(schema: StructType, aggregation: Aggregation) -> dict[str, Column]:
    """What a tile must hold for an aggregation; the sum of a double is made apart, in its order."""
    name, function = aggregation.column, aggregation.function
    values = F.col(name)
    if function in ("min", "max"):
        return {f"_{function}_{name}": F.min(values) if function == "min" else F.max(values)}
    partials = {f"_count_{name}": F.count(values)}
    if function != "count" and not _is_double(schema[name].dataType):
        partials[f"_sum_{name}"] = F.sum(values.cast(_sum_type(schema[name].dataType)))
    return partials


def _spread(tiles: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Give each tile once for every grid point at which it counts, and for the last, at which it no longer does."""
    last_us = last_point(view, through_us)
    stretches = tiles.where(F.col("_counts_from") <= micros(last_us)).withColumns(
        {
            "_start_us": F.col("_counts_from"),
            "_end_us": F.least(F.col("_hop_end") + micros(view.reach_micros or 0), micros(last_us)),
        }
    )
    if spans is not None:
        stretches = clip_to_spans(stretches, spans, view)
    points = points_between(F.col("_start_us"), F.col("_end_us"), view.hop_micros)
    return stretches.withColumn("_feature_us", points)


def _aggregate(points: DataFrame, view: FeatureView, doubles: Sequence[str]) -> DataFrame:
    keys = view.entity.join_keys
    since_hop = F.col("_feature_us") - F.col("_hop_end")
    ceases = since_hop.isin([to_micros(window) for window in view.windows])
    changes = (F.col("_feature_us") == F.col("_counts_from")) | ceases
    totals = {"_is_changed": F.bool_or(changes)}
    for aggregation in view.aggregations:
        for window in aggregation.durations:
            totals |= _totals(aggregation, window, doubles)
    if doubles:
        totals["_tiles"] = F.sort_array(
            F.collect_list(F.struct("_hop_end", "_counts_from", *(f"_sum_{name}" for name in doubles)))
        )
    rows = points.groupBy(*keys, "_feature_us").agg(*(total.alias(name) for name, total in totals.items()))
    return rows.where(F.col("_is_changed")).select(
        *keys,
        F.timestamp_micros("_feature_us").alias("feature_at"),
        F.timestamp_micros(F.col("_feature_us") + micros(view.available_after_micros)).alias("available_at"),
        *(
            _feature(aggregation, window, doubles).alias(name)
            for aggregation in view.aggregations
            for window, name in zip(aggregation.durations, aggregation.feature_names, strict=True)
        ),
    )


def _totals(aggregation: Aggregation, window: timedelta, doubles: Sequence[str]) -> dict[str, Column]:
    """What a row must hold for an aggregation over one window, each under ``_<partial>_<column>_<window>``."""
    is_inside = F.col("_feature_us") < F.col("_hop_end") + micros(to_micros(window))
    name, suffix = aggregation.column, to_micros(window)
    if aggregation.function in ("min", "max"):
        partial = f"_{aggregation.function}_{name}"
        best = F.when(is_inside, F.col(partial))
        return {f"{partial}_{suffix}": F.min(best) if aggregation.function == "min" else F.max(best)}
    totals = {f"_count_{name}_{suffix}": F.sum(F.when(is_inside, F.col(f"_count_{name}")))}
    if aggregation.function != "count" and name not in doubles:
        totals[f"_sum_{name}_{suffix}"] = F.sum(F.when(is_inside, F.col(f"_sum_{name}")))
    return totals


def _feature(aggregation: Aggregation, window: timedelta, doubles: Sequence[str]) -> Column:
    name, suffix = aggregation.column, to_micros(window)
    if aggregation.function in ("min", "max"):
        return F.col(f"_{aggregation.function}_{name}_{suffix}")
    count = F.coalesce(F.col(f"_count_{name}_{suffix}"), micros(0))
    if aggregation.function == "count":
        return count
    total = F.col(f"_sum_{name}_{suffix}")
    if name in doubles:
        inside = F.filter("_tiles", lambda tile: F.col("_feature_us") < tile["_hop_end"] + micros(suffix))
        total = _fold(inside, f"_sum_{name}")
    if aggregation.function == "sum":
        return total
    return F.when(count > 0, total.cast("double") / count.cast("double"))


def _fold(rows: Column, name: str) -> Column:
    """Add up a field of an array of structs from the first to the last, without NULLs; of nothing it is NULL."""
    values = F.filter(F.transform(rows, lambda row: row[name]), lambda value: value.isNotNull())
    return F.when(F.size(values) > 0, F.aggregate(values, F.lit(0.0), lambda total, value: total + value))


def _double_sums(schema: StructType, view: FeatureView) -> list[str]:
    """The double columns of which a sum is wanted."""
    summed = dict.fromkeys(a.column for a in view.aggregations if a.function in ("sum", "mean"))
    wrong = [name for name in summed if not _is_number(schema[name].dataType)]
    if wrong:
        hint = "sum and mean are of numbers; use count, min or max, or cast the column in the contract"
        key = f"aggregations.{wrong[0]}"
        message = f"is of type {schema[wrong[0]].dataType.simpleString()}"
        raise ConfigError([Problem(f"feature view {view.name}", key, message, hint)])
    return [name for name in summed if _is_double(schema[name].dataType)]


def _is_double(kind: DataType) -> bool:
    return isinstance(kind, (DoubleType, FloatType))


def _is_number(kind: DataType) -> bool:
    return _is_double(kind) or isinstance(kind, (IntegralType, DecimalType))


def _sum_type(kind: DataType) -> str:
    return f"decimal(38,{kind.scale})" if isinstance(kind, DecimalType) else "bigint"
