"""The rows of a windowed view: events → tiles → every grid point a tile matters to → one row per change point.

A tile holds the partial aggregates of the events of one entity and hop that begin to count at one point. It counts
in a window w at the points from ``counts_from`` on that lie before ``hop_end + w``. A row stands where a tile, for
some window, begins or ceases to count. Integers and decimals are summed exactly; doubles in one fixed order: the
events of a tile by ``_order``, the tiles of a row by (hop_end, counts_from). The aggregates are written as SQL text:
one call into Spark each, where a chain of columns would need ten.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, DoubleType, FloatType, IntegralType, StructType

from conf.durations import to_micros
from conf.errors import ConfigError, Problem
from features.definitions import Aggregation, FeatureView
from features.grid import last_point
from features.spark.grid_columns import micros, points_between
from features.spark.spans import Spans, clip_to_spans


def build_window_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None) -> DataFrame:
    """Return the change points of a windowed view. Grain (join keys, feature_at); see ``features.rows``."""
    doubles = _double_sums(events.schema, view)
    tiles = _build_tiles(events, view, doubles)
    points = _spread(tiles, view, through_us, spans)
    return _aggregate(points, view, doubles)


def _build_tiles(events: DataFrame, view: FeatureView, doubles: Sequence[str]) -> DataFrame:
    reaches = F.col("_counts_from") < F.col("_hop_end") + micros(view.reach_micros or 0)
    partials: dict[str, str] = {}
    for aggregation in view.aggregations:
        partials |= _partials(events.schema, aggregation)
    if doubles:
        partials["_ordered"] = f"sort_array(collect_list(struct(_order, {', '.join(map(_quote, doubles))})))"
    grain = [*view.entity.join_keys, "_hop_end", "_counts_from"]
    tiles = events.where(reaches).groupBy(*grain).agg(*_columns(partials))
    sums = {f"_sum_{name}": _fold("_ordered", name) for name in doubles}
    return tiles.select(*grain, *(name for name in partials if name != "_ordered"), *_columns(sums))


def _partials(schema: StructType, aggregation: Aggregation) -> dict[str, str]:
    """What a tile must hold for an aggregation; the sum of a double is made apart, in its order."""
    name, function = aggregation.column, aggregation.function
    if function in ("min", "max"):
        return {f"_{function}_{name}": f"{function}({_quote(name)})"}
    partials = {f"_count_{name}": f"count({_quote(name)})"}
    if function != "count" and not _is_double(schema[name].dataType):
        partials[f"_sum_{name}"] = f"sum(cast({_quote(name)} as {_sum_type(schema[name].dataType)}))"
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
    ends = ", ".join(f"{to_micros(window)}L" for window in view.windows)
    totals = {"_is_changed": f"bool_or(_feature_us = _counts_from or _feature_us - _hop_end in ({ends}))"}
    features: dict[str, str] = {}
    for aggregation in view.aggregations:
        for window, name in zip(aggregation.durations, aggregation.feature_names, strict=True):
            totals |= _totals(aggregation, to_micros(window), doubles)
            features[name] = _feature(aggregation, to_micros(window), doubles)
    if doubles:
        sums = ", ".join(_quote(f"_sum_{name}") for name in doubles)
        totals["_tiles"] = f"sort_array(collect_list(struct(_hop_end, _counts_from, {sums})))"
    rows = points.groupBy(*keys, "_feature_us").agg(*_columns(totals))
    return rows.where("_is_changed").select(
        *keys,
        F.timestamp_micros("_feature_us").alias("feature_at"),
        F.timestamp_micros(F.col("_feature_us") + micros(view.available_after_micros)).alias("available_at"),
        *_columns(features),
    )


def _totals(aggregation: Aggregation, window_us: int, doubles: Sequence[str]) -> dict[str, str]:
    """What a row must hold for an aggregation over one window, each under ``_<partial>_<column>_<window>``."""
    name, function = aggregation.column, aggregation.function
    if function in ("min", "max"):
        partials = {f"_{function}_{name}": function}
    else:
        partials = {f"_count_{name}": "sum"}
        if function != "count" and name not in doubles:
            partials[f"_sum_{name}"] = "sum"
    is_inside = f"_feature_us < _hop_end + {window_us}L"
    return {
        f"{partial}_{window_us}": f"{merge}(case when {is_inside} then {_quote(partial)} end)"
        for partial, merge in partials.items()
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
    """Add up a field of an array of structs from the first to the last, without NULLs; of nothing it is NULL."""
    values = f"filter(transform({rows}, row -> row.{_quote(name)}), value -> value is not null)"
    return f"case when size({values}) > 0 then aggregate({values}, 0D, (total, value) -> total + value) end"


def _columns(named: Mapping[str, str]) -> list[Column]:
    return [F.expr(f"{text} as {_quote(name)}") for name, text in named.items()]


def _quote(name: str) -> str:
    return f"`{name}`"


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
