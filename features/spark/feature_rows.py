"""Compute the rows of a feature view's gold table from the events of its source.

A feature has a value at every grid point, but only the *change points* are stored: the grid points where an event
starts or stops counting in some window. Between two stored rows the value stays the same. Before the first row it is
the value of no events: counts are 0, everything else is NULL.

Example with hop 1d and one window of 2d: the only flight of a carrier arrives on 1 November at 10:00. It lies in the
windows that end on 2 and 3 November, and no longer in the one that ends on 4 November. Two rows are stored: 2 November
(count 1) and 4 November (count 0). 3 November needs no row; it has the value of 2 November.
"""

from pyspark.sql import DataFrame

from features.definitions import FeatureView
from features.grid import last_point
from features.spark.latest_value import build_latest_rows
from features.spark.spans import Spans
from features.spark.windows import build_window_rows


def build_rows(events: DataFrame, view: FeatureView, through_us: int, spans: Spans | None = None) -> DataFrame:
    """Make the feature rows with ``available_at <= through``.

    Parameters
    ----------
    events : all events (``build_events``), or with ``spans`` at least those within ``bounds_of`` the spans
    spans : make only the rows that lie in these spans; None: all rows

    Returns
    -------
    grain (join keys, feature_at): the join keys, feature_at, available_at, the features, and for a latest-value view
    ``_event_at``. The same events give the same rows, bit for bit, however Spark partitions them and with or without
    spans

    Raises
    ------
    ConfigError : when a column that is to be summed is not a number
    ValueError : when the spans were built for another ``through``
    """
    if spans is not None and spans.fresh_last_us != last_point(view, through_us):
        raise ValueError(f"the spans of {view.name} were built for another through than {through_us}")
    build = build_latest_rows if view.is_latest_value else build_window_rows
    return build(events, view, through_us, spans)
