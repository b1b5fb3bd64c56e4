"""The point-in-time join: each spine row gets, per feature view, the value that was available at its time.

Which value that is depends only on the entity and on the newest grid point that was available. Example with hop 1d and
available_after 12h: all UA flights predicted from 3 November 12:00 until 4 November 12:00 need the value of UA at 3
November. So the join first reduces the spine to its distinct pairs of entity and grid point (the *lookups*), then
carries the newest stored row forward to each lookup, and joins the values found back to the spine by equality.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import ConfigError, Problem
from features.definitions import FeatureView
from features.grid import last_point, slice_micros
from features.spark.carry_forward import carry_forward
from features.spark.grid_columns import floor_to_hop, micros

PREDICTION_AT = "prediction_at"


@dataclass(frozen=True)
class _JoinSettings:
    """The arguments of ``join_as_of`` that apply to all its views."""

    as_of_us: int
    with_times: bool
    bounds: tuple[int, int] | None

    def reach(self, view: FeatureView) -> int | None:
        """Return how old a stored row may be and still be needed, in microseconds; None: of any age."""
        return None if self.with_times else view.reach_micros or view.ttl_micros


def join_as_of(
    spine: DataFrame,
    views: Sequence[tuple[FeatureView, DataFrame]],
    as_of_us: int,
    with_times: bool = False,
    bounds: tuple[int, int] | None = None,
) -> DataFrame:
    """Give each spine row, per view, the value at the newest grid point that was available at its time.

    Parameters
    ----------
    spine : ``prediction_at`` timestamp and the join keys of every view; duplicates are kept
    views : each with its stored rows, grain (join keys, feature_at), complete at least through ``as_of_us``
    as_of_us : values that became available after this time are not used
    with_times : add ``<view>__feature_at`` and ``<view>__available_at`` of the grid point that was looked up, and
        ``<view>__changed_at``, the feature_at of the stored row that was found; stored rows of any age are then read
    bounds : the least and the greatest prediction_at of the spine in microseconds; they limit which stored rows are
        read, so a spine row outside of them gets a wrong value

    Returns
    -------
    the spine's rows, each once, with ``<view>__<feature>`` added for every feature. Where no stored row is found, or
    its windows are empty, counts are 0 and other features NULL. All features of a view are NULL where a join key or
    prediction_at is NULL, and those of a latest-value view also where its event is older than ``ttl``

    Raises
    ------
    ConfigError : when the spine lacks a join key or has it in another type, or lacks prediction_at
    """
    settings = _JoinSettings(as_of_us, with_times, bounds)
    joined = spine
    for view, stored in views:
        _check_keys(spine, view, stored)
        joined = _join_values(joined, _find_values(spine, view, stored, settings), view, settings)
    return joined


def _find_values(spine: DataFrame, view: FeatureView, stored: DataFrame, settings: _JoinSettings) -> DataFrame:
    """Find the newest stored row for each lookup. Grain (``_key_<n>``, ``_point_us``); ``_found`` may be NULL."""
    keys = view.entity.join_keys
    times = ["_event_at"] if view.is_latest_value else []
    point = F.unix_micros("feature_at")
    value = F.struct(point.alias("_changed_us"), *times, *view.feature_names).alias("_value")
    rows = _prune(stored, view, settings).select(*keys, point.alias("_at_us"), value)
    is_complete = _has_keys_and_time(view)
    lookups = spine.where(is_complete).select(*keys, _newest_point(view, settings).alias("_at_us")).distinct()
    no_value = F.lit(None).cast(rows.schema["_value"].dataType).alias("_value")
    rows_and_lookups = rows.unionByName(lookups.select("*", no_value))
    reach = settings.reach(view)
    carried = carry_forward(rows_and_lookups, keys, slice_micros(view, reach), reach)
    found = carried.where(F.col("_value").isNull())
    named = [F.col(key).alias(f"_key_{n}") for n, key in enumerate(keys)]
    return found.select(*named, F.col("_at_us").alias("_point_us"), F.col("_newest").alias("_found"))


def _join_values(joined: DataFrame, values: DataFrame, view: FeatureView, settings: _JoinSettings) -> DataFrame:
    """Join many-to-one: a spine row matches one row of ``values``, or none if it lacks a join key or prediction_at."""
    is_same = _newest_point(view, settings) == F.col("_point_us")
    for n, key in enumerate(view.entity.join_keys):
        is_same &= F.col(key) == F.col(f"_key_{n}")
    features = [_feature(view, name).alias(view.column_of(name)) for name in view.feature_names]
    times = _times(view, settings) if settings.with_times else []
    return joined.join(values, on=is_same, how="left").select(*(F.col(c) for c in joined.columns), *features, *times)


def _feature(view: FeatureView, name: str) -> Column:
    value = F.col(f"_found.{name}")
    if view.ttl_micros is not None:
        age = F.unix_micros(PREDICTION_AT) - F.unix_micros("_found._event_at")
        return F.when(age <= micros(view.ttl_micros), value)
    counts = {n for a in view.aggregations if a.function == "count" for n in a.feature_names}
    return F.when(_has_keys_and_time(view), F.coalesce(value, micros(0))) if name in counts else value


def _times(view: FeatureView, settings: _JoinSettings) -> list[Column]:
    point_us = F.when(_has_keys_and_time(view), _newest_point(view, settings))
    return [
        F.timestamp_micros(point_us).alias(view.column_of("feature_at")),
        F.timestamp_micros(point_us + micros(view.available_after_micros)).alias(view.column_of("available_at")),
        F.timestamp_micros("_found._changed_us").alias(view.column_of("changed_at")),
    ]


def _newest_point(view: FeatureView, settings: _JoinSettings) -> Column:
    """Return the newest grid point that was available; NULL where prediction_at is NULL (``least`` ignores NULLs)."""
    usable_us = F.least(F.unix_micros(PREDICTION_AT), micros(settings.as_of_us)) - micros(view.available_after_micros)
    return F.when(F.col(PREDICTION_AT).isNotNull(), floor_to_hop(usable_us, view.hop_micros))


def _has_keys_and_time(view: FeatureView) -> Column:
    has_all = F.col(PREDICTION_AT).isNotNull()
    for key in view.entity.join_keys:
        has_all &= F.col(key).isNotNull()
    return has_all


def _prune(stored: DataFrame, view: FeatureView, settings: _JoinSettings) -> DataFrame:
    """Leave out the stored rows that no lookup needs, by comparing feature_at with literals that Delta can skip by.

    Not needed are rows newer than every lookup and rows older than the reach: in a windowed view all their events have
    left the longest window, and in a latest-value view the event is older still than its row, so older than ``ttl``.
    """
    earliest, latest = settings.bounds or (settings.as_of_us, settings.as_of_us)
    newest_us = last_point(view, min(latest, settings.as_of_us))
    pruned = stored.where(F.col("feature_at") <= F.timestamp_micros(micros(newest_us)))
    reach = settings.reach(view)
    if settings.bounds is None or reach is None:
        return pruned
    oldest_us = last_point(view, min(earliest, settings.as_of_us)) - reach
    return pruned.where(F.col("feature_at") > F.timestamp_micros(micros(oldest_us)))


def _check_keys(spine: DataFrame, view: FeatureView, stored: DataFrame) -> None:
    where = f"feature view {view.name}"
    problems = []
    for name in (PREDICTION_AT, *view.entity.join_keys):
        if name not in spine.columns:
            hint = f"add it to the spine's columns; it has {', '.join(spine.columns)}"
            problems.append(Problem(where, name, "is not in the spine", hint))
    for key in set(view.entity.join_keys) & set(spine.columns):
        in_spine, in_table = spine.schema[key].dataType, stored.schema[key].dataType
        if in_spine != in_table:
            message = f"is {in_spine.simpleString()} in the spine and {in_table.simpleString()} in the feature table"
            problems.append(Problem(where, key, message, "cast one of them, so that equal keys are equal values"))
    if problems:
        raise ConfigError(problems)
