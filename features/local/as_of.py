"""The point-in-time join in this process, for what fits into memory. It answers as ``features.spark.as_of`` does.

A stored row may be used from its ``feature_at + available_after`` on, until the next row of its entity may be. So the
newest value that a spine row may use is found by one backward as-of join per view, on that moment.
"""

from collections.abc import Sequence

import polars as pl

from features.definitions import FeatureView
from features.join_keys import PREDICTION_AT, check_join_keys

_ROW, _ASKED_US, _USABLE_US = "_row", "_asked_us", "_usable_us"
INSTANT = pl.Datetime("us", "UTC")
FIRST_COUNT = 0  # before its first event an entity has counts of 0, and no other values


def join_as_of(
    spine: pl.DataFrame,
    views: Sequence[tuple[FeatureView, pl.DataFrame]],
    as_of_us: int,
    with_times: bool = False,
) -> pl.DataFrame:
    """Give each spine row, per view, the value at the newest grid point that was available at its time.

    Parameters
    ----------
    spine : ``prediction_at`` and the join keys of every view; duplicates are kept
    views : each with its stored rows, grain (join keys, feature_at), complete at least through ``as_of_us``
    as_of_us : values that became available after this time are not used
    with_times : add ``<view>__feature_at``, ``<view>__available_at`` and ``<view>__changed_at``, as Spark's join does

    Returns
    -------
    the spine's rows, each once and in their order, with ``<view>__<feature>`` added for every feature

    Raises
    ------
    ConfigError : when the spine lacks a join key or has it in another type, or lacks prediction_at
    """
    for view, stored in views:
        check_join_keys(view, _types(spine), _types(stored))
    asked_us = pl.min_horizontal(_micros(PREDICTION_AT), pl.lit(as_of_us, pl.Int64))
    keys = dict.fromkeys(key for view, _ in views for key in view.entity.join_keys)
    asked = spine.select(PREDICTION_AT, *keys).with_row_index(_ROW)
    by_time = asked.with_columns(pl.when(pl.col(PREDICTION_AT).is_not_null()).then(asked_us).alias(_ASKED_US)).sort(
        _ASKED_US
    )
    found = [_find_values(by_time, view, stored, with_times) for view, stored in views]
    return pl.concat([spine, *found], how="horizontal")


def _find_values(by_time: pl.DataFrame, view: FeatureView, stored: pl.DataFrame, with_times: bool) -> pl.DataFrame:
    """Return the view's columns for the spine's rows, in the order of the spine."""
    keys = list(view.entity.join_keys)
    has_all = pl.all_horizontal(pl.col(_ASKED_US).is_not_null(), *(pl.col(key).is_not_null() for key in keys))
    questions = by_time.select(_ROW, _ASKED_US, PREDICTION_AT, *keys)
    answered = questions.filter(has_all).join_asof(
        _by_moment(stored, view), left_on=_ASKED_US, right_on=_USABLE_US, by=keys, check_sortedness=False
    )
    named = answered.select(_ROW, *_features(view), *(_times(view) if with_times else []))
    unanswered = questions.filter(~has_all).select(_ROW)
    return pl.concat([named, unanswered], how="diagonal").sort(_ROW).drop(_ROW)


def _by_moment(stored: pl.DataFrame, view: FeatureView) -> pl.DataFrame:
    """Return the stored rows by the moment from which each may be used. Their own names give way to ``_f_<name>``."""
    times = ["_event_at"] if view.is_latest_value else []
    values = [pl.col(name).alias(f"_f_{name}") for name in (*times, "feature_at", *view.feature_names)]
    usable_us = (_micros("feature_at") + view.available_after_micros).alias(_USABLE_US)
    return stored.select(*view.entity.join_keys, usable_us, *values).sort(_USABLE_US)


def _features(view: FeatureView) -> list[pl.Expr]:
    counts = {name for a in view.aggregations if a.function == "count" for name in a.feature_names}
    values = {name: pl.col(f"_f_{name}") for name in view.feature_names}
    for name in counts:
        values[name] = values[name].fill_null(FIRST_COUNT)
    if view.ttl_micros is not None:
        is_young = _micros(PREDICTION_AT) - _micros("_f__event_at") <= view.ttl_micros
        values = {name: pl.when(is_young).then(value) for name, value in values.items()}
    return [value.alias(view.column_of(name)) for name, value in values.items()]


def _times(view: FeatureView) -> list[pl.Expr]:
    """Return when the value that was looked up began, when it became available, and when it last changed."""
    hop, after = view.hop_micros, view.available_after_micros
    point_us = (pl.col(_ASKED_US) - after) // hop * hop
    instants = {
        "feature_at": point_us.cast(INSTANT),
        "available_at": (point_us + after).cast(INSTANT),
        "changed_at": pl.col("_f_feature_at"),
    }
    return [instant.alias(view.column_of(name)) for name, instant in instants.items()]


def _micros(column: str) -> pl.Expr:
    return pl.col(column).dt.epoch("us")


def _types(frame: pl.DataFrame) -> dict[str, str]:
    return {name: str(kind) for name, kind in frame.schema.items()}
