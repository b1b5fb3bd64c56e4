"""The contracts of the flights, on rows that anyone can check by hand: clocks, zones, nights, damage."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.settings import ROOT
from pipelines.project.cross_checks import check_references
from pipelines.project.project import Project, load_project
from pipelines.silver.type_rows import build_typed_rows

DELIVERED_AT = datetime(2013, 11, 4, 11)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(Path(ROOT), "local")


def typed_rows(spark: SparkSession, contract: Contract, raw: Sequence[Mapping[str, str]]) -> list[Row]:
    """Type rows of raw text, in their order; a column that is not given landed empty. Instants are UTC."""
    values = [tuple(row.get(name, "") for name in contract.raw_names) for row in raw]
    numbered = [(number, *row) for number, row in enumerate(values)]
    schema = ", ".join(["_row_number long", *(f"`{name}` string" for name in contract.raw_names)])
    frame = spark.createDataFrame(numbered, schema)
    names = ("_file_hash", "_file", "_row_hash", "_raw", "_rescued", "_problem")
    bronze = frame.withColumns(
        {name: F.lit(None).cast("string") for name in names}
        | {"_load": F.lit(1), "_ingested_at": F.lit(None).cast("timestamp")}
        | {"_delivered_at": F.lit(DELIVERED_AT)}
    )
    return build_typed_rows(bronze, contract).orderBy("_row_number").collect()


def flight(line: str) -> dict[str, str]:
    """Read a line as the source spells it, without the columns that say nothing about time."""
    names = "year month day sched_dep_time sched_arr_time arr_time arr_delay dest time_hour"
    named = dict(zip(names.split(), line.split(","), strict=True))
    return {"carrier": "UA", "flight": "15", "origin": "JFK", "tailnum": "NA", "distance": "1000", **named}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2013-{text}")


INSTANTS = {
    # what: (line, scheduled departure, scheduled arrival, arrival)
    "to Honolulu, five hours behind":
        ("2013,1,1,900,1530,1516,-14,HNL,2013-01-01T14:00:00Z", "01-01 14:00", "01-02 01:30", "01-02 01:16"),
    "to Puerto Rico, an hour ahead in winter":
        ("2013,1,1,615,1100,1039,-21,SJU,2013-01-01T11:00:00Z", "01-01 11:15", "01-01 15:00", "01-01 14:39"),
    "to Puerto Rico, by the same clock in summer":
        ("2013,7,1,2359,344,344,0,SJU,2013-07-02T03:00:00Z", "07-02 03:59", "07-02 07:44", "07-02 07:44"),
    "over midnight, early before midnight":
        ("2013,11,2,2245,3,2341,-22,ROC,2013-11-03T02:00:00Z", "11-03 02:45", "11-03 04:03", "11-03 03:41"),
    "on the day the clocks go back":
        ("2013,11,3,520,800,751,-9,IAH,2013-11-03T10:00:00Z", "11-03 10:20", "11-03 14:00", "11-03 13:51"),
    "into the hour that comes twice: the first":
        ("2013,11,2,2330,130,140,10,BOS,2013-11-03T03:00:00Z", "11-03 03:30", "11-03 05:30", "11-03 05:40"),
    "within the hour that comes twice: from the first to the second":
        ("2013,11,3,130,110,115,5,BOS,2013-11-03T05:00:00Z", "11-03 05:30", "11-03 06:10", "11-03 06:15"),
    "over the hour that comes twice":
        ("2013,11,2,2200,230,230,0,BOS,2013-11-03T02:00:00Z", "11-03 02:00", "11-03 07:30", "11-03 07:30"),
    "over the hour that is left out":
        ("2013,3,9,2300,330,331,1,BOS,2013-03-10T04:00:00Z", "03-10 04:00", "03-10 07:30", "03-10 07:31"),
    "into the hour that is left out: a day later":
        ("2013,3,9,2300,203,204,1,BOS,2013-03-10T04:00:00Z", "03-10 04:00", "03-11 06:03", "03-11 06:04"),
    "by the same clock a day later":
        ("2013,6,1,900,900,900,0,BOS,2013-06-01T13:00:00Z", "06-01 13:00", "06-02 13:00", "06-02 13:00"),
    "midnight written 2400":
        ("2013,6,1,2400,2400,2400,0,ORD,2013-06-02T04:00:00Z", "06-02 04:00", "06-02 05:00", "06-02 05:00"),
    "cancelled":
        ("2013,11,4,1830,1940,NA,NA,BWI,2013-11-04T23:00:00Z", "11-04 23:30", "11-05 00:40", None),
}  # fmt: skip


def test_clock_times_become_instants(spark: SparkSession, project: Project) -> None:
    rows = typed_rows(spark, project.contracts["flights"], [flight(line) for line, *_ in INSTANTS.values()])
    found = {
        what: (row.sched_dep_at, row.sched_arr_at, row.arrived_at) for what, row in zip(INSTANTS, rows, strict=True)
    }
    assert found == {
        what: tuple(instant and utc(instant) for instant in instants) for what, (_, *instants) in INSTANTS.items()
    }
    assert [(row._broken, row._warned) for row in rows] == [([], [])] * len(rows)


def test_a_flight_keeps_what_the_source_says(spark: SparkSession, project: Project) -> None:
    line = flight("2013,11,4,1830,1940,NA,NA,BWI,2013-11-04T23:00:00Z") | {"dep_delay": "-5"}
    [row] = typed_rows(spark, project.contracts["flights"], [line])
    assert (row.flight_on, row.flight_month, row.carrier, row.flight) == (date(2013, 11, 4), "2013-11", "UA", 15)
    assert (row.origin, row.dest, row.tailnum, row.distance) == ("JFK", "BWI", None, 1000)
    assert (row.dep_delay_min, row.arr_delay_min, row._known_at) == (-5, None, DELIVERED_AT)


def test_an_arrival_by_another_clock_is_warned_of(spark: SparkSession, project: Project) -> None:
    line = flight("2013,3,9,2145,34,203,89,PBI,2013-03-10T02:00:00Z")
    [row] = typed_rows(spark, project.contracts["flights"], [line])
    assert (row._broken, row._warned) == ([], ["arrives_by_the_clock"])


DAMAGE: tuple[tuple[dict[str, str], str], ...] = (
    ({"sched_dep_time": "1875"}, "sched_dep_is_a_clock_time"),
    ({"sched_dep_time": "2500"}, "sched_dep_is_a_clock_time"),
    ({"sched_dep_time": "-30"}, "sched_dep_is_a_clock_time"),
    ({"sched_dep_time": "2147483647"}, "sched_dep_is_a_clock_time"),
    ({"sched_dep_time": "half six"}, "cast:sched_dep_hhmm"),
    ({"sched_dep_time": ""}, "sched_dep_is_a_clock_time"),
    ({"sched_arr_time": "1975"}, "sched_arr_at_is_known"),
    ({"sched_arr_time": "NA"}, "sched_arr_at_is_known"),
    ({"arr_delay": "cancelled"}, "cast:arr_delay_min"),
    ({"arr_delay": "2147483647"}, "arr_delay_is_plausible"),
    ({"arr_delay": "99999999999"}, "cast:arr_delay_min"),
    ({"dest": "XXX"}, "dest_has_a_zone"),
    ({"dest": ""}, "dest_has_a_zone"),
    ({"time_hour": "2013-11-04T22:00:00Z"}, "sched_dep_at_is_in_its_hour"),
    ({"time_hour": "22:00"}, "sched_dep_at_is_in_its_hour"),
    ({"carrier": ""}, "null_key"),
    ({"month": "13"}, "null_key"),
    ({"day": "4T"}, "null_key"),
    ({"year": "999999"}, "null_key"),
)


def test_damage_is_quarantined_and_fails_nothing(spark: SparkSession, project: Project) -> None:
    sound = flight("2013,11,4,1830,1940,1945,5,BWI,2013-11-04T23:00:00Z")
    rows = typed_rows(spark, project.contracts["flights"], [sound, *(sound | change for change, _ in DAMAGE)])
    broken = [{rule.rule for rule in row._broken} for row in rows]
    assert broken[0] == set()
    missed = [
        (change, rule, rules) for (change, rule), rules in zip(DAMAGE, broken[1:], strict=True) if rule not in rules
    ]
    assert missed == []


def test_a_schedule_has_the_flight_s_key_and_departure(spark: SparkSession, project: Project) -> None:
    line = flight("2013,11,3,520,800,NA,NA,IAH,2013-11-03T10:00:00Z")
    schedules, flights = project.contracts["schedules"], project.contracts["flights"]
    [planned], [flown] = typed_rows(spark, schedules, [line]), typed_rows(spark, flights, [line])
    assert planned._broken == []
    shared = set(schedules.column_names) & set(flights.column_names)
    assert schedules.key == flights.key
    assert {*schedules.key, "sched_dep_at"} <= shared
    assert {name: planned[name] for name in shared} == {name: flown[name] for name in shared}


def test_weather_of_the_hour_that_comes_twice_is_two_rows(spark: SparkSession, project: Project) -> None:
    hours = [{"origin": "JFK", "time_hour": f"2013-11-03T0{hour}:00:00Z", "temp": "50.5"} for hour in (5, 6)]
    first, second = typed_rows(spark, project.contracts["weather"], hours)
    assert (first.observed_at, second.observed_at) == (utc("11-03 05:00"), utc("11-03 06:00"))
    assert (first._known_at, first.temp_f, first.wind_gust_mph) == (utc("11-03 06:00"), 50.5, None)
    assert first._broken == second._broken == []


def test_the_registers_hold_from_before_the_first_flight(spark: SparkSession, project: Project) -> None:
    rows: dict[str, dict[str, Any]] = {
        "planes": {"tailnum": "N10156", "year": "2004", "engines": "2", "seats": "55", "speed": "NA"},
        "airports": {"faa": "04G", "lat": "41.1304722", "lon": "-80.6195833", "alt": "1044", "tz": "-5", "tzone": "NA"},
        "airlines": {"carrier": "9E", "name": "Endeavor Air Inc."},
    }
    for name, raw in rows.items():
        [row] = typed_rows(spark, project.contracts[name], [raw])
        assert (row._broken, row.valid_from) == ([], datetime(2012, 1, 1)), name


def test_what_is_declared_fits_together(project: Project) -> None:
    check_references(project)
    service = project.services["late_arrival_features"]
    assert [view.name for view in service.features] == [
        "carrier_delays", "origin_delays", "destination_delays", "aircraft_delays", "origin_weather",
    ]  # fmt: skip
    windows = (timedelta(days=1), timedelta(days=7), timedelta(days=28))
    for view in service.features[:4]:
        assert (len(view.feature_names), view.windows, view.event_at) == (9, windows, "arrived_at")
    assert project.models["late_arrival"].features == service.name
