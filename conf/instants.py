"""Instants are always UTC, written in ISO form with Z, and counted in microseconds since 1970."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

from conf.durations import EPOCH, MICROSECOND
from conf.errors import UsageError


def parse_instant(text: str) -> datetime:
    """Read an ISO date or timestamp; one without a time zone is taken as UTC.

    Raises
    ------
    UsageError : when the text is neither
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not an instant", "write it like 2013-11-05T12:00:00Z or 2013-11-05") from None
    return as_utc(instant)


def as_utc(instant: datetime) -> datetime:
    """Return the instant in UTC; one without a time zone is taken as UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Write an instant in ISO form with Z; fractions of a second only where there are some."""
    return as_utc(instant).isoformat().replace("+00:00", "Z")


def instant_to_micros(instant: datetime) -> int:
    return (as_utc(instant) - EPOCH) // MICROSECOND


def micros_to_instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _read(value: object) -> datetime:
    try:
        return as_utc(value) if isinstance(value, datetime) else parse_instant(str(value))
    except UsageError as error:
        raise ValueError(f"{error.what}; {error.hint}") from None


Instant = Annotated[datetime, BeforeValidator(_read)]
