"""Durations as people write them: ``90s``, ``15m``, ``12h``, ``7d``. A day is 24 hours; there are no months."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_PATTERN = re.compile(r"(\d{1,9})\s*([smhd])")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def parse_duration(text: object) -> timedelta:
    """Read ``7d`` as seven days; ``0`` needs no unit.

    Raises
    ------
    ValueError : for anything else, with the form that is expected
    """
    if isinstance(text, timedelta):
        return text
    if text in (0, "0"):
        return timedelta(0)
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and a unit: 30s, 15m, 12h, 7d")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it: 168 hours are ``7d``."""
    for unit, size in reversed(_UNITS.items()):
        if duration % size == timedelta(0) and duration:
            return f"{duration // size}{unit}"
    return "0" if not duration else f"{duration / _UNITS['s']}s"


def to_micros(duration: timedelta) -> int:
    """Return the duration in microseconds, the unit of time inside the engine."""
    return duration // MICROSECOND


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
