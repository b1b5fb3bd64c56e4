"""Questions and the stored feature rows that they need, joined in this process, without Spark."""

from collections.abc import Sequence

import polars as pl

from conf.instants import micros_to_instant
from features.definitions import FeatureView
from features.grid import last_point
from features.join_keys import PREDICTION_AT
from features.local.as_of import join_as_of
from pipelines.delta.lake import LakeTables
from pipelines.delta.literals import standard_literal


def join_stored(
    lake: LakeTables, spine: pl.DataFrame, views: Sequence[tuple[FeatureView, int | None]], as_of_us: int
) -> pl.DataFrame:
    """Join to each spine row the features that were known at its time and by ``as_of_us``.

    Parameters
    ----------
    views : each with the version of its table to read; None: the newest
    """
    asked = spine[PREDICTION_AT].dt.epoch("us").drop_nulls().to_numpy()
    span = (int(asked.min()), int(asked.max())) if len(asked) else (as_of_us, as_of_us)
    stored = [(view, _read_stored(lake, view, version, span, as_of_us)) for view, version in views]
    return join_as_of(spine, stored, as_of_us)


def _read_stored(
    lake: LakeTables, view: FeatureView, version: int | None, span: tuple[int, int], as_of_us: int
) -> pl.DataFrame:
    """Read the stored rows of a view that questions within ``span`` may need, by comparisons that skip files.

    Not needed are rows newer than every question, and rows so old that all their events have left the longest window
    or are older than ``ttl``.
    """
    earliest, latest = (min(asked, as_of_us) for asked in span)
    where = f"feature_at <= {_literal(last_point(view, latest))}"
    reach = view.reach_micros or view.ttl_micros
    if reach is not None:
        where += f" AND feature_at > {_literal(last_point(view, earliest) - reach)}"
    times = ["_event_at"] if view.is_latest_value else []
    columns = [*view.entity.join_keys, "feature_at", *times, *view.feature_names]
    return pl.DataFrame(pl.from_arrow(lake.rows("gold", view.name, where, columns, version)))


def _literal(micros: int) -> str:
    return standard_literal(micros_to_instant(micros))
