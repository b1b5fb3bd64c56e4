"""The hop grid: 1970-01-01T00:00Z + n·hop, in exact integer arithmetic on microseconds.

Instants come in and go out as timestamps; in between they are bigint microseconds, and every step is by floor, also
before 1970. A *slice* is a long stretch of the grid, the unit in which the work on one entity is spread over tasks.
"""

from features.definitions import FeatureView

SLICE_HOPS = 1024


def last_point(view: FeatureView, through_us: int) -> int:
    """Return the newest grid point whose value may be used at ``through_us``."""
    hop = view.hop_micros
    return (through_us - view.available_after_micros) // hop * hop


def slice_micros(view: FeatureView, reach_us: int | None) -> int:
    """Return the length of a slice: whole hops, and never shorter than ``reach_us`` and a hop together."""
    hop = view.hop_micros
    reach_hops = -(-(reach_us or 0) // hop)
    return hop * max(SLICE_HOPS, reach_hops + 1)
