"""The delivery time in a path: which paths match, which times they say, and which names are no data."""

from datetime import UTC, datetime

import pytest

from conf.errors import ConfigError, FileRejected
from pipelines.landing.delivery import delivered_at, is_ignored

HOURLY = "delivered=%Y-%m-%dT%H-%M"


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("delivered=2013-11-02T11-00/part.csv", HOURLY, datetime(2013, 11, 2, 11)),
        ("delivered=2013-11-02T11-00", HOURLY, datetime(2013, 11, 2, 11)),
        ("eu/delivered=2013-11-02T11-00/a b/ü.csv", HOURLY, datetime(2013, 11, 2, 11)),
        ("delivered=2013-1-2T3-4/part.csv", HOURLY, datetime(2013, 1, 2, 3, 4)),
        ("2013/11/02/part.csv", "%Y/%m/%d", datetime(2013, 11, 2)),
        ("a/2013/x9/11/part.csv", "%Y/*/%m", datetime(2013, 11, 1)),
        ("orders_20131102.csv.gz", "orders_%Y%m%d.csv.gz", datetime(2013, 11, 2)),
        ("orders_20131102_v7.csv", "orders_%Y%m%d*", datetime(2013, 11, 2)),
        ("x12-11-2013.csv", "*%d-%m-%Y*", datetime(2013, 11, 12)),
        ("2013-306/part.csv", "%Y-%j", datetime(2013, 11, 2)),
        ("02Nov2013/part.csv", "%d%b%Y", datetime(2013, 11, 2)),
        ("y=2013/y2013m11/part.csv", "y=%Y/y%Ym%m", datetime(2013, 11, 1)),
        ("100%_2013-11/part.csv", "100%%_%Y-%m", datetime(2013, 11, 1)),
        ("t=2013-11-02T11-00-00.25/part.csv", "t=%Y-%m-%dT%H-%M-%S.%f", datetime(2013, 11, 2, 11, 0, 0, 250_000)),
        ("t=2013-11-02T11-00+0545/part.csv", "t=%Y-%m-%dT%H-%M%z", datetime(2013, 11, 2, 5, 15)),
        ("t=2013-11-02T11-00Z/part.csv", "t=%Y-%m-%dT%H-%M%z", datetime(2013, 11, 2, 11)),
        ("d=2013-11-02/d=2013-11-02.csv/x", "d=%Y-%m-%d*", datetime(2013, 11, 2)),
    ],
)
def test_path_that_matches_says_a_time_in_utc(path: str, pattern: str, expected: datetime) -> None:
    assert delivered_at(path, pattern) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "pattern", "message"),
    [
        ("part.csv", HOURLY, "part.csv does not match its pattern"),
        ("xdelivered=2013-11-02T11-00/part.csv", HOURLY, "does not match its pattern"),
        ("delivered=2013-11-02T11-00x/part.csv", HOURLY, "does not match its pattern"),
        ("delivered=2013-13-02T11-00/part.csv", HOURLY, "is not a time"),
        ("delivered=2013-02-30T11-00/part.csv", HOURLY, "is not a time"),
        ("delivered=2013-11-02T24-00/part.csv", HOURLY, "is not a time"),
        ("delivered=0000-11-02T11-00/part.csv", HOURLY, "is not a time"),
        ("delivered=٢٠١٣-11-02T11-00/part.csv", HOURLY, "does not match its pattern"),
        ("2013111/part.csv", "%Y%m%d", "does not match its pattern"),
        ("2013/a/b/11/part.csv", "%Y/*/%m", "does not match its pattern"),
        ("y=2013/y2014m11/part.csv", "y=%Y/y%Ym%m", "does not match its pattern"),
        ("d=2013-11-02/d=2013-11-03/part.csv", "d=%Y-%m-%d", "in one place only: 2013-11-02"),
        ("aXb_2013/part.csv", "a.b_%Y", "does not match its pattern"),
    ],
)
def test_path_that_does_not_match_is_rejected(path: str, pattern: str, message: str) -> None:
    with pytest.raises(FileRejected, match=message):
        delivered_at(path, pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("d=%Q%Y", "unknown directive %Q"), ("%H-%M", "has no year"), ("%Y-%", "unknown directive %")],
)
def test_pattern_that_cannot_say_a_time_is_a_config_error(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        delivered_at("2013/part.csv", pattern)


@pytest.mark.parametrize(
    "name", ["_SUCCESS", ".hidden", "_temporary", ".part-0.csv.crc", "a.csv.tmp", "a.crc", "a.csv.part", "x_SUCCESS"]
)
def test_markers_hidden_and_unfinished_files_are_ignored(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize("name", ["a.csv", "part-0.csv.gz", "a_b.csv", "a.tmp.csv", "delivered=2013", "partition"])
def test_other_files_are_data(name: str) -> None:
    assert not is_ignored(name)
