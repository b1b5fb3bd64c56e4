"""The point-in-time join: each row of a spine gets, per feature view, the value that could be used at its time.

A question is a grid point of an entity, so many spine rows ask the same. The spine is reduced to its different
questions, the newest stored row is carried forward to each, and the answers are joined back by equality.
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
class _Asking:
    """What is the same for all views of a join."""

    as_of_us: int
    with_times: bool
    bounds: tuple[int, int] | None

    def reach(self, view: FeatureView) -> int | None:
        """How old a stored row may be and still matter; None: any age."""
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
    views : each with its stored rows, grain (join keys, feature_at), complete through ``as_of_us`` at least
    as_of_us : nothing that became available later is used
    with_times : add ``<view>__feature_at`` and ``<view>__available_at``, of the grid point asked about, and
        ``<view>__changed_at``, the feature_at of the stored row that answers; reads stored rows of any age
    bounds : the least and the greatest prediction_at of the spine in microseconds; the stored rows are then read
        between literals. A spine row outside of them gets a wrong answer

    Returns
    -------
    the spine's rows, each once, its columns and ``<view>__<feature>`` for every feature. Where no stored row answers,
    or its windows are empty, counts are 0 and the others NULL; all are NULL where a join key or prediction_at is, and
    a latest value is where its event is older than ``ttl``

    Raises
    ------
    ConfigError : when the spine lacks a join key or has it in another type, or lacks prediction_at
    """
    asking = _Asking(as_of_us, with_times, bounds)
    joined = spine
    for view, stored in views:
        _check_keys(spine, view, stored)
        joined = _join_view(joined, _answers(spine, view, stored, asking), view, asking)
    return joined


def _answers(spine: DataFrame, view: FeatureView, stored: DataFrame, asking: _Asking) -> DataFrame:
    """Return the newest stored row of each question. Grain (``_key_<n>``, ``_point_us``); ``_found`` may be NULL."""
    keys = view.entity.join_keys
    times = ["_event_at"] if view.is_latest_value else []
    point = F.unix_micros("feature_at")
    value = F.struct(point.alias("_changed_us"), *times, *view.feature_names).alias("_value")
    rows = _prune(stored, view, asking).select(*keys, point.alias("_at_us"), value)
    asked = spine.where(_is_asking(view)).select(*keys, _point_asked(view, asking).alias("_at_us")).distinct()
    nothing = F.lit(None).cast(rows.schema["_value"].dataType).alias("_value")
    both = rows.unionByName(asked.select("*", nothing))
    reach = asking.reach(view)
    found = carry_forward(both, keys, slice_micros(view, reach), reach).where(F.col("_value").isNull())
    named = [F.col(key).alias(f"_key_{n}") for n, key in enumerate(keys)]
    return found.select(*named, F.col("_at_us").alias("_point_us"), F.col("_newest").alias("_found"))


def _join_view(joined: DataFrame, answers: DataFrame, view: FeatureView, asking: _Asking) -> DataFrame:
    """Join many-to-one: every spine row has one answer, those without an entity or a time have none."""
    is_same = _point_asked(view, asking) == F.col("_point_us")
    for n, key in enumerate(view.entity.join_keys):
        is_same &= F.col(key) == F.col(f"_key_{n}")
    features = [_feature(view, name).alias(view.column_of(name)) for name in view.feature_names]
    times = _times(view, asking) if asking.with_times else []
    return joined.join(answers, on=is_same, how="left").select(*(F.col(c) for c in joined.columns), *features, *times)


def _feature(view: FeatureView, name: str) -> Column:
    value = F.col(f"_found.{name}")
    if view.ttl_micros is not None:
        age = F.unix_micros(PREDICTION_AT) - F.unix_micros("_found._event_at")
        return F.when(age <= micros(view.ttl_micros), value)
    counts = {n for a in view.aggregations if a.function == "count" for n in a.feature_names}
    return F.when(_is_asking(view), F.coalesce(value, micros(0))) if name in counts else value


def _times(view: FeatureView, asking: _Asking) -> list[Column]:
    point_us = F.when(_is_asking(view), _point_asked(view, asking))
    return [
        F.timestamp_micros(point_us).alias(view.column_of("feature_at")),
        F.timestamp_micros(point_us + micros(view.available_after_micros)).alias(view.column_of("available_at")),
        F.timestamp_micros("_found._changed_us").alias(view.column_of("changed_at")),
    ]


def _point_asked(view: FeatureView, asking: _Asking) -> Column:
    """NULL where prediction_at is; ``least`` alone would skip the NULL."""
    usable_us = F.least(F.unix_micros(PREDICTION_AT), micros(asking.as_of_us)) - micros(view.available_after_micros)
    return F.when(F.col(PREDICTION_AT).isNotNull(), floor_to_hop(usable_us, view.hop_micros))


def _is_asking(view: FeatureView) -> Column:
    is_asking = F.col(PREDICTION_AT).isNotNull()
    for key in view.entity.join_keys:
        is_asking &= F.col(key).isNotNull()
    return is_asking


def _prune(stored: DataFrame, view: FeatureView, asking: _Asking) -> DataFrame:
    """Leave out, by literals, the stored rows that no question can need.

    A row as old as the longest window or older is that of no events; a latest value's event is older than its row.
    """
    earliest, latest = asking.bounds or (asking.as_of_us, asking.as_of_us)
    newest_us = last_point(view, min(latest, asking.as_of_us))
    pruned = stored.where(F.col("feature_at") <= F.timestamp_micros(micros(newest_us)))
    reach = asking.reach(view)
    if asking.bounds is None or reach is None:
        return pruned
    oldest_us = last_point(view, min(earliest, asking.as_of_us)) - reach
    return pruned.where(F.col("feature_at") > F.timestamp_micros(micros(oldest_us)))


def _check_keys(spine: DataFrame, view: FeatureView, stored: DataFrame) -> None:
    where = f"feature view {view.name}"
    problems = []
    for name in (PREDICTION_AT, *view.entity.join_keys):
        if name not in spine.columns:
            hint = f"add it to the spine's columns; it has {', '.join(spine.columns)}"
            problems.append(Problem(where, name, "is not in the spine", hint))
    for key in set(view.entity.join_keys) & set(spine.columns):
        asked, kept = spine.schema[key].dataType, stored.schema[key].dataType
        if asked != kept:
            message = f"is {asked.simpleString()} in the spine and {kept.simpleString()} in the feature table"
            problems.append(Problem(where, key, message, "cast one of them, so that equal keys are equal values"))
    if problems:
        raise ConfigError(problems)
