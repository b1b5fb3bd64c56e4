"""The point-in-time join: each spine row gets, per feature view, the value that was available at its time.

The join asks at one instant per spine row: its prediction_at, but not later than ``as_of``. A stored row may be found
from the instant at which it becomes available, feature_at + available_after. So all views of one entity share one time
line, whatever their hops and delays, and one sort of it answers for all of them: the rows of the spine and of the views
are put together, and each spine row takes, per view, the last stored row that comes before it.

Example with available_after 12h: the row of UA at 3 November stands at 12:00 of that day. The flights of UA predicted
from then on find it, until the row of 4 November follows at 12:00 of the next day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.definitions import FeatureView
from features.grid import last_point
from features.join_keys import PREDICTION_AT, check_join_keys
from features.spark.grid_columns import floor_to_hop, micros
from features.spark.slices import Slices, hand_on, join_keys_of

ViewRows = tuple[FeatureView, DataFrame]


@dataclass(frozen=True)
class _JoinSettings:
    """The arguments of ``join_as_of`` that apply to all its views."""

    as_of_us: int
    with_times: bool
    bounds: tuple[int, int] | None
    slices: Mapping[tuple[str, ...], Slices]

    @property
    def asked_at_us(self) -> Column:
        """When a spine row asks; NULL where prediction_at is NULL (``least`` alone would ignore the NULL)."""
        asked_us = F.least(F.unix_micros(PREDICTION_AT), micros(self.as_of_us))
        return F.when(F.col(PREDICTION_AT).isNotNull(), asked_us)


def join_as_of(
    spine: DataFrame,
    views: Sequence[ViewRows],
    as_of_us: int,
    with_times: bool = False,
    bounds: tuple[int, int] | None = None,
    slices: Mapping[tuple[str, ...], Slices] | None = None,
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
    slices : where an entity has most of the rows, how its work is shared (``find_slices``); changes no value

    Returns
    -------
    the spine's rows, each once, with ``<view>__<feature>`` added for every feature. Where no stored row is found, or
    its windows are empty, counts are 0 and other features NULL. All features of a view are NULL where a join key or
    prediction_at is NULL, and those of a latest-value view also where its event is older than ``ttl``

    Raises
    ------
    ConfigError : when the spine lacks a join key or has it in another type, or lacks prediction_at
    """
    settings = _JoinSettings(as_of_us, with_times, bounds, slices or {})
    by_keys: dict[tuple[str, ...], list[ViewRows]] = {}
    for view, stored in views:
        check_join_keys(view, _types(spine), _types(stored))
        by_keys.setdefault(join_keys_of(view), []).append((view, stored))
    joined = spine
    for keys, same_keys in by_keys.items():
        joined = _join_entity(joined, keys, same_keys, settings)
    in_order = [*spine.columns, *(name for view, _ in views for name in _columns(view, settings))]
    return joined if joined.columns == in_order else joined.select(*in_order)


def _join_entity(
    spine: DataFrame, keys: tuple[str, ...], views: Sequence[ViewRows], settings: _JoinSettings
) -> DataFrame:
    """Join the views of one entity. ``_row`` holds the other columns of a spine row; it is NULL in stored rows."""
    others = [name for name in spine.columns if name not in keys]
    rows = spine.select(*keys, settings.asked_at_us.alias("_at_us"), F.struct(*others).alias("_row"))
    slices = settings.slices.get(keys)
    rows = rows if slices is None else slices.add_to(rows, keys)
    for n, (view, stored) in enumerate(views):
        stored_rows = _stored_rows(stored, view, f"_value_{n}", settings)
        if slices is not None:
            stored_rows = hand_on(slices.add_to(stored_rows, keys), keys, f"_value_{n}", slices)
        rows = rows.unionByName(stored_rows, allowMissingColumns=True)
    line = Window.partitionBy(*keys, *([] if slices is None else ["_slice"]))
    so_far = line.orderBy("_at_us", F.col("_row").isNotNull()).rowsBetween(Window.unboundedPreceding, 0)
    newest = [F.last(f"_value_{n}", ignorenulls=True).over(so_far).alias(f"_found_{n}") for n in range(len(views))]
    answered = rows.select(*keys, "_at_us", "_row", *newest).where(F.col("_row").isNotNull())
    asked = [F.col(name) if name in keys else F.col("_row")[name].alias(name) for name in spine.columns]
    found = [column for n, (view, _) in enumerate(views) for column in _found(view, F.col(f"_found_{n}"), settings)]
    return answered.select(*asked, *found)


def _stored_rows(stored: DataFrame, view: FeatureView, value: str, settings: _JoinSettings) -> DataFrame:
    """Place the stored rows where they become available. A NULL key is no entity, so its rows are left out."""
    keys = join_keys_of(view)
    times = ["feature_at"] if settings.with_times else []
    times += ["_event_at"] if view.ttl_micros is not None else []
    available_us = F.unix_micros("feature_at") + micros(view.available_after_micros)
    rows = stored.where(_is_needed(view, settings) & _are_known(keys))
    return rows.select(*keys, available_us.alias("_at_us"), F.struct(*times, *view.feature_names).alias(value))


def _columns(view: FeatureView, settings: _JoinSettings) -> list[str]:
    times = ("feature_at", "available_at", "changed_at") if settings.with_times else ()
    return [view.column_of(name) for name in (*view.feature_names, *times)]


def _found(view: FeatureView, found: Column, settings: _JoinSettings) -> list[Column]:
    """Make the view's columns out of ``found``, the value of the stored row that was found."""
    features = [_feature(view, found, name) for name in view.feature_names]
    times = _times(view, found) if settings.with_times else []
    return [c.alias(name) for c, name in zip((*features, *times), _columns(view, settings), strict=True)]


def _feature(view: FeatureView, found: Column, name: str) -> Column:
    if view.ttl_micros is not None:
        age = F.unix_micros(F.col("_row")[PREDICTION_AT]) - F.unix_micros(found["_event_at"])
        return F.when(age <= micros(view.ttl_micros), found[name])
    counts = {n for a in view.aggregations if a.function == "count" for n in a.feature_names}
    is_asked = _are_known((*join_keys_of(view), "_at_us"))
    return F.when(is_asked, F.coalesce(found[name], micros(0))) if name in counts else found[name]


def _times(view: FeatureView, found: Column) -> list[Column]:
    after_us = micros(view.available_after_micros)
    point_us = floor_to_hop(F.col("_at_us") - after_us, view.hop_micros)
    point_us = F.when(_are_known(join_keys_of(view)), point_us)
    return [F.timestamp_micros(point_us), F.timestamp_micros(point_us + after_us), found["feature_at"]]


def _are_known(columns: Sequence[str]) -> Column:
    return reduce(and_, (F.col(name).isNotNull() for name in columns))


def _is_needed(view: FeatureView, settings: _JoinSettings) -> Column:
    """Leave out the stored rows that no spine row needs, by comparing feature_at with literals that Delta can skip by.

    Not needed are rows newer than every question and rows older than the reach: in a windowed view all their events
    have left the longest window, and in a latest-value view the event is older still than its row, so older than
    ``ttl``. With ``with_times`` rows of any age are needed, for ``changed_at``.
    """
    earliest, latest = settings.bounds or (settings.as_of_us, settings.as_of_us)
    newest_us = last_point(view, min(latest, settings.as_of_us))
    is_needed = F.col("feature_at") <= F.timestamp_micros(micros(newest_us))
    reach = None if settings.with_times else view.reach_micros or view.ttl_micros
    if settings.bounds is None or reach is None:
        return is_needed
    oldest_us = last_point(view, min(earliest, settings.as_of_us)) - reach
    return is_needed & (F.col("feature_at") > F.timestamp_micros(micros(oldest_us)))


def _types(frame: DataFrame) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in frame.schema.fields}
