"""Moving along the hop grid, as Spark columns of bigint microseconds since 1970."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def micros(value: int) -> Column:
    """Return a bigint literal."""
    return F.lit(value).cast("bigint")


def floor_to_hop(instant_us: Column, hop_us: int) -> Column:
    return instant_us - F.pmod(instant_us, micros(hop_us))


def ceil_to_hop(instant_us: Column, hop_us: int) -> Column:
    return instant_us + F.pmod(-instant_us, micros(hop_us))


def points_between(first_us: Column, last_us: Column, step_us: int) -> Column:
    """Make one row per point from first to last, both included. The caller makes sure that first <= last."""
    return F.explode(F.sequence(first_us, last_us, micros(step_us)))
