"""The rows of a feature view's gold table, from the events of its source.

Sparse: a row stands exactly where its value is made of other row versions than one hop before. Between two rows the
value does not change; before the first it is that of no events.
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
    events : all of them (``build_events``), or with ``spans`` at least those within ``bounds_of`` the spans
    spans : make only the rows that lie in them; None: all

    Returns
    -------
    grain (join keys, feature_at): join keys, feature_at, available_at, of a latest-value view ``_event_at``, and the
    features. Bit for bit the same for the same events, however they are partitioned, and with spans the same as
    without

    Raises
    ------
    ConfigError : when a column that is to be summed is no number
    ValueError : when the spans were built for another ``through``
    """
    if spans is not None and spans.fresh_last_us != last_point(view, through_us):
        raise ValueError(f"the spans of {view.name} were built for another through than {through_us}")
    build = build_latest_rows if view.is_latest_value else build_window_rows
    return build(events, view, through_us, spans)
