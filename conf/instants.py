"""Instants: always UTC, written ISO with Z, reckoned in microseconds since 1970."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

from conf.durations import EPOCH, MICROSECOND
from conf.errors import UsageError


def parse_instant(text: str) -> datetime:
    """Read an ISO date or timestamp; without a zone it is UTC.

    Raises
    ------
    UsageError : when the text is no instant
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not an instant", "write it like 2013-11-05T12:00:00Z or 2013-11-05") from None
    return as_utc(instant)


def as_utc(instant: datetime) -> datetime:
    """Return the instant in UTC, taking one without a zone as UTC already."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Write an instant as ISO with Z, without needless fractions."""
    return as_utc(instant).isoformat().replace("+00:00", "Z")


def instant_to_micros(instant: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00Z."""
    return (as_utc(instant) - EPOCH) // MICROSECOND


def micros_to_instant(micros: int) -> datetime:
    """Return the instant of microseconds since 1970-01-01T00:00Z."""
    return EPOCH + timedelta(microseconds=micros)


def _read(value: object) -> datetime:
    try:
        return as_utc(value) if isinstance(value, datetime) else parse_instant(str(value))
    except UsageError as error:
        raise ValueError(f"{error.what}; {error.hint}") from None


Instant = Annotated[datetime, BeforeValidator(_read)]
