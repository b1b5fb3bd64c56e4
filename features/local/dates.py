"""Dates and instants: casts, parts such as the hour, intervals, and what a clock in another zone shows."""

from collections.abc import Callable
from functools import cache
from zoneinfo import available_timezones

import polars as pl
from sqlglot import exp

from features.local.values import INSTANT, Value, refuse

DAYS = (pl.Date(), INSTANT)
_UNITS_US = {"SECOND": 1_000_000, "MINUTE": 60_000_000, "HOUR": 3_600_000_000, "DAY": 86_400_000_000}
_CASTS = {
    exp.DType.INT: pl.Int32(),
    exp.DType.BIGINT: pl.Int64(),
    exp.DType.DOUBLE: pl.Float64(),
    exp.DType.DATE: pl.Date(),
    exp.DType.TIMESTAMP: INSTANT,
    exp.DType.TIMESTAMPTZ: INSTANT,
}
_LOSSLESS = {
    (pl.Int32(), pl.Int64()),
    (pl.Int32(), pl.Float64()),
    (pl.Boolean(), pl.Int32()),
    (INSTANT, pl.Date()),
    (pl.Date(), INSTANT),
}


def cast_node(node: exp.Expr, value: Value) -> Value:
    """Translate a cast that cannot fail and loses nothing but the time of a day."""
    wanted = _CASTS.get(node.args["to"].this)
    if wanted is None:
        raise refuse(node)
    return cast_value(node, value, wanted)


def cast_value(node: exp.Expr, value: Value, wanted: pl.DataType) -> Value:
    """Cast a value to a wider type, an instant to its day in UTC, or a day to its midnight in UTC."""
    if value.kind == wanted:
        return value
    if (value.kind, wanted) not in _LOSSLESS:
        raise refuse(node, value.kind)
    if wanted == INSTANT:
        return Value(value.expr.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), INSTANT)
    return Value(value.expr.cast(wanted), wanted)


def day_of(node: exp.Expr, value: Value) -> Value:
    """Translate to_date, also where sqlglot writes it round the argument of a function of days."""
    if value.kind not in DAYS:
        raise refuse(node, value.kind)
    return cast_value(node, value, pl.Date())


def part(take: Callable[[pl.Expr], pl.Expr], *kinds: pl.DataType) -> Callable[[exp.Expr, Value], Value]:
    """Make the translation of a part of a date or an instant, such as its hour, which is an int."""

    def make(node: exp.Expr, value: Value) -> Value:
        if value.kind not in kinds:
            raise refuse(node, value.kind)
        return Value(take(value.expr).cast(pl.Int32), pl.Int32())

    return make


def clock_in_zone(node: exp.Expr, value: Value) -> Value:
    """Translate from_utc_timestamp: what a clock in the zone shows, written as an instant of UTC."""
    zone = node.args["zone"]
    if value.kind != INSTANT or not isinstance(zone, exp.Literal) or zone.name not in _places():
        raise refuse(node, value.kind)
    clock = value.expr.dt.convert_time_zone(zone.name).dt.replace_time_zone(None)
    return Value(clock.dt.replace_time_zone("UTC"), INSTANT)


def move(node: exp.Expr, value: Value, interval: exp.Interval, is_minus: bool) -> Value:
    """Translate an instant plus or minus an interval of a fixed length."""
    number, unit = interval.this, interval.args.get("unit")
    length = _UNITS_US.get(unit.name.upper().removesuffix("S")) if unit is not None else None
    if value.kind != INSTANT or length is None or not isinstance(number, exp.Literal) or not number.name.isdecimal():
        raise refuse(node, value.kind)
    duration = pl.duration(microseconds=int(number.name) * length)
    return Value(value.expr - duration if is_minus else value.expr + duration, INSTANT)


@cache
def _places() -> frozenset[str]:
    """Return the zones named by a place. Abbreviations such as EST mean something else to Java."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
