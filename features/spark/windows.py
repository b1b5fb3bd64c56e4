"""Compute the rows of a windowed view: events → tiles → copies of each tile, one per grid point → rows.

A *tile* holds the partial aggregates (count, sum, min, max) of those events of one entity that lie in the same hop and
start to count at the same grid point. Events of that hop that are known later form a tile of their own. A tile counts
in a window of length w at the grid points p with ``counts_from <= p < hop_end + w``.

Example with hop 1d and windows of 1d and 3d: three flights of 1 November, all known in time, make one tile with
``hop_end`` and ``counts_from`` on 2 November. It counts in the 1d window on 2 November, and in the 3d window on 2, 3
and 4 November. The tile is copied to the points 2 to 5 November. Rows are kept where a tile starts to count (2
November) or stops counting in some window (3 November for 1d, 5 November for 3d); 4 November changes nothing.

Integers and decimals are summed exactly. Doubles are summed in one fixed order, so that every run gives the same
bits: the events of a tile by ``_order``, the tiles of a row by (hop_end, counts_from). The aggregates are written as
SQL text because each is then one call from Python into Spark instead of about ten.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, DoubleType, FloatType, NumericType, StructType

from conf.durations import to_micros
from conf.errors import ConfigError, Problem
from features.definitions import Aggregation, FeatureView
from features.grid import last_point
from features.spark.grid_columns import micros, points_between
from features.spark.spans import Spans, clip_to_spans


def build_window_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Return the change points of a windowed view. Grain (join keys, feature_at); see ``build_rows``."""
    doubles = _double_sums(events.schema, view)
    tiles = _build_tiles(events, view, doubles)
    copies = _copy_to_points(tiles, view, through_us, spans)
    return _aggregate(copies, events.schema, view, doubles)


def _build_tiles(events: DataFrame, view: FeatureView, doubles: Sequence[str]) -> DataFrame:
    is_ever_counted = F.col("_counts_from") < F.col("_hop_end") + micros(view.reach_micros or 0)
    partials: dict[str, str] = {}
    for aggregation in view.aggregations:
        partials |= _partials(events.schema, aggregation)
    if doubles:
        partials["_ordered"] = f"sort_array(collect_list(struct(_order, {', '.join(map(_quote, doubles))})))"
    grain = [*view.entity.join_keys, "_hop_end", "_counts_from"]
    tiles = events.where(is_ever_counted).groupBy(*grain).agg(*_columns(partials))
    sums = {f"_sum_{name}": _fold("_ordered", name) for name in doubles}
    return tiles.select(*grain, *(name for name in partials if name != "_ordered"), *_columns(sums))


def _partials(schema: StructType, aggregation: Aggregation) -> dict[str, str]:
    """Return what a tile holds for an aggregation, name → SQL. Sums of doubles are added later, in their order."""
    name, function = aggregation.column, aggregation.function
    if function in ("min", "max"):
        return {f"_{function}_{name}": f"{function}({_quote(name)})"}
    partials = {f"_count_{name}": f"count({_quote(name)})"}
    if function != "count" and not _is_double(schema[name].dataType):
        partials[f"_sum_{name}"] = f"sum(cast({_quote(name)} as {_sum_type(schema[name].dataType)}))"
    return partials


def _copy_to_points(tiles: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Copy each tile to every grid point at which it counts, and to the first one at which it no longer does."""
    last_us = last_point(view, through_us)
    end_us = F.least(F.col("_hop_end") + micros(view.reach_micros or 0), micros(last_us))
    counting = tiles.where(F.col("_counts_from") <= micros(last_us))
    ranges = counting.withColumns({"_start_us": F.col("_counts_from"), "_end_us": end_us})
    if spans is not None:
        ranges = clip_to_spans(ranges, spans, view)
    return ranges.withColumn("_feature_us", points_between(F.col("_start_us"), F.col("_end_us"), view.hop_micros))


def _aggregate(copies: DataFrame, schema: StructType, view: FeatureView, doubles: Sequence[str]) -> DataFrame:
    keys = view.entity.join_keys
    ends = ", ".join(f"{to_micros(window)}L" for window in view.windows)
    totals = {"_is_changed": f"bool_or(_feature_us = _counts_from or _feature_us - _hop_end in ({ends}))"}
    features: dict[str, str] = {}
    for aggregation in view.aggregations:
        for window, name in zip(aggregation.durations, aggregation.feature_names, strict=True):
            totals |= _totals(schema, aggregation, to_micros(window))
            features[name] = _feature(aggregation, to_micros(window), doubles)
    if doubles:
        sums = ", ".join(_quote(f"_sum_{name}") for name in doubles)
        totals["_tiles"] = f"sort_array(collect_list(struct(_hop_end, _counts_from, {sums})))"
    rows = copies.groupBy(*keys, "_feature_us").agg(*_columns(totals))
    return rows.where("_is_changed").select(
        *keys,
        F.timestamp_micros("_feature_us").alias("feature_at"),
        F.timestamp_micros(F.col("_feature_us") + micros(view.available_after_micros)).alias("available_at"),
        *_columns(features),
    )


def _totals(schema: StructType, aggregation: Aggregation, window_us: int) -> dict[str, str]:
    """Return how a row merges its tiles' partials over one window: ``_<partial>_<column>_<window>`` → SQL."""
    merge = aggregation.function if aggregation.function in ("min", "max") else "sum"
    is_inside = f"_feature_us < _hop_end + {window_us}L"
    return {
        f"{partial}_{window_us}": f"{merge}(case when {is_inside} then {_quote(partial)} end)"
        for partial in _partials(schema, aggregation)
    }


def _feature(aggregation: Aggregation, window_us: int, doubles: Sequence[str]) -> str:
    name, function = aggregation.column, aggregation.function
    if function in ("min", "max"):
        return _quote(f"_{function}_{name}_{window_us}")
    count = f"coalesce({_quote(f'_count_{name}_{window_us}')}, 0L)"
    if function == "count":
        return count
    total = _quote(f"_sum_{name}_{window_us}")
    if name in doubles:
        total = _fold(f"filter(_tiles, tile -> _feature_us < tile._hop_end + {window_us}L)", f"_sum_{name}")
    mean = f"case when {count} > 0 then cast({total} as double) / cast({count} as double) end"
    return total if function == "sum" else mean


def _fold(rows: str, name: str) -> str:
    """Return SQL that adds up a field of an array of structs in the array's order; NULL where no value is left."""
    values = f"filter(transform({rows}, row -> row.{_quote(name)}), value -> value is not null)"
    return f"case when size({values}) > 0 then aggregate({values}, 0D, (total, value) -> total + value) end"


def _columns(named: Mapping[str, str]) -> list[Column]:
    return [F.expr(f"{text} as {_quote(name)}") for name, text in named.items()]


def _quote(name: str) -> str:
    return f"`{name}`"


def _double_sums(schema: StructType, view: FeatureView) -> list[str]:
    """Return the double columns that some aggregation adds up; refuse to add up a column that is not a number."""
    summed = dict.fromkeys(a.column for a in view.aggregations if a.function in ("sum", "mean"))
    wrong = [name for name in summed if not isinstance(schema[name].dataType, NumericType)]
    if wrong:
        hint = "sum and mean are of numbers; use count, min or max, or cast the column in the contract"
        key = f"aggregations.{wrong[0]}"
        message = f"is of type {schema[wrong[0]].dataType.simpleString()}"
        raise ConfigError([Problem(f"feature view {view.name}", key, message, hint)])
    return [name for name in summed if _is_double(schema[name].dataType)]


def _is_double(kind: DataType) -> bool:
    return isinstance(kind, (DoubleType, FloatType))


def _sum_type(kind: DataType) -> str:
    return f"decimal(38,{kind.scale})" if isinstance(kind, DecimalType) else "bigint"
