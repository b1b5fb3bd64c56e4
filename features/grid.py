"""The hop grid of a feature view, in integer microseconds since 1970-01-01T00:00Z.

A *grid point* is an instant 1970-01-01T00:00Z + n·hop, at which a feature has a value. With hop 1d the grid points are
the midnights of UTC, with hop 1h the full hours. An instant between two points is rounded down, also before 1970.

A *slice* is a stretch of at least 1024 hops on the grid: with hop 1h, about 43 days. Spark distributes rows by
(entity, slice), so the work on an entity that has most of the rows is shared by many tasks.
"""

from features.definitions import FeatureView

SLICE_HOPS = 1024


def last_point(view: FeatureView, through_us: int) -> int:
    """Return the newest grid point whose value may be used at ``through_us``.

    With hop 1d and available_after 12h: at 3 November 11:59 it is 2 November, at 12:00 it is 3 November.
    """
    hop = view.hop_micros
    return (through_us - view.available_after_micros) // hop * hop


def slice_micros(view: FeatureView, reach_us: int | None) -> int:
    """Return the length of a slice: whole hops, and at least ``reach_us`` plus one hop.

    ``reach_us`` is how long a row still matters after its point (None: for ever). With a reach, no row matters beyond
    the slice that follows its own.
    """
    hop = view.hop_micros
    reach_hops = -(-(reach_us or 0) // hop)
    return hop * max(SLICE_HOPS, reach_hops + 1)
