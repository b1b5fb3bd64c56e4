"""The ledger is read by table and column: what is read, and that it is the same as what the records say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conf.settings import Settings
from pipelines.delta.lake import LakeTables
from pipelines.ledger.data_clock import data_clock
from pipelines.ledger.file_records import FAILED, count_files, read_last_load, read_newest_record, read_records
from pipelines.ledger.known_files import COLUMNS, KnownFiles, read_known_files
from pipelines.ledger.ledger import Ledger
from tests.projects.small_lake import ORDERS, make_project
from tests.projects.small_ledger import RUN, WatchedTables, file_record, write_ledger, write_table_at


def at(day: int) -> datetime:
    return datetime(2024, 1, day, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_project(tmp_path, {"orders": ORDERS}).settings


@pytest.fixture
def lake(settings: Settings) -> WatchedTables:
    """A lake whose ledger knows three files of ``orders`` and one of ``shops``."""
    records = [
        file_record("orders", "orders/a.csv", 1, known_through=at(2), recorded_at=at(5)),
        file_record("orders", "orders/b.csv", 4, known_through=at(9), recorded_at=at(6), size=20),
        file_record("orders", "orders/c.csv", None, known_through=at(3), recorded_at=at(6), status=FAILED),
        file_record("shops", "orders/a.csv", 9, known_through=at(20), recorded_at=at(20)),
    ]
    write_ledger(settings, records)
    return WatchedTables(settings)


def test_known_files_are_those_of_the_records(lake: WatchedTables) -> None:
    known = read_known_files(lake, ["orders", "nothing"])
    assert known == {"orders": KnownFiles.of(read_records(lake, "orders")), "nothing": KnownFiles()}
    assert known["orders"].loads == {1, 4}
    assert known["orders"].last_load == 4
    assert known["orders"].seen == {("orders/a.csv", 10, 7), ("orders/b.csv", 20, 7), ("orders/c.csv", 10, 7)}


def test_known_files_are_read_by_table_and_column(lake: WatchedTables) -> None:
    read_known_files(lake, ["orders"])
    assert lake.reads == [("ops.files", 3, COLUMNS)]


def test_a_job_reads_the_records_of_its_own_tables_and_once(lake: WatchedTables) -> None:
    ledger = Ledger(lake)
    assert lake.reads == []
    for _ in range(2):
        assert len(ledger.of("orders")) == 3
    ledger.stage([file_record("orders", "orders/d.csv", 5), file_record("orders", "orders/a.csv", 1, size=11)])
    ledger.flush(RUN)
    assert [(table, rows) for table, rows, _ in lake.reads] == [("ops.files", 3)]
    assert {(record.file, record.size) for record in ledger.of("orders")} == {
        ("orders/a.csv", 11), ("orders/b.csv", 20), ("orders/c.csv", 10), ("orders/d.csv", 10),
    }  # fmt: skip
    assert sorted(read_records(lake, "orders"), key=str) == sorted(ledger.of("orders"), key=str)


@pytest.mark.parametrize(("cursor", "clock"), [(0, 3), (1, 3), (3, 3), (4, 9), (9, 9)])
def test_data_clock_is_one_row_of_the_ledger(lake: WatchedTables, cursor: int, clock: int) -> None:
    """A file without a load moves the clock too: here the one of the third."""
    write_table_at(lake.settings, "silver", "orders", cursor)
    assert data_clock(lake, "orders") == at(clock)
    assert lake.reads == [("ops.files", 1, ("grouped", "value"))]


def test_data_clock_before_the_first_load(settings: Settings) -> None:
    lake = LakeTables(settings)
    assert data_clock(lake, "orders") is None
    write_table_at(settings, "silver", "orders", 1)
    assert data_clock(lake, "orders") is None
    write_ledger(settings, [file_record("shops", "shops/a.csv", known_through=at(2))])
    assert data_clock(lake, "orders") is None


def test_newest_record_and_last_load(lake: WatchedTables, settings: Settings) -> None:
    """Of two files that were judged at the same instant, the refused one is the newest."""
    newest = read_newest_record(lake, "orders")
    assert newest is not None
    assert (newest.file, newest.status) == ("orders/c.csv", FAILED)
    assert read_last_load(lake, "orders") == 4
    write_ledger(settings, [file_record("orders", "orders/d.csv", 5, recorded_at=at(7))])
    assert read_newest_record(lake, "orders") == file_record("orders", "orders/d.csv", 5, recorded_at=at(7))
    assert read_last_load(lake, "orders") == 5
    assert (read_newest_record(lake, "nothing"), read_last_load(lake, "nothing")) == (None, -1)
    assert all(rows <= 1 for _, rows, _ in lake.reads)


def test_files_of_some_loads(lake: WatchedTables) -> None:
    assert [record.file for record in read_records(lake, "orders", "load > 1 AND load <= 9")] == ["orders/b.csv"]
    assert [count_files(lake, "orders", until) for until in (0, 1, 9)] == [0, 1, 2]
    assert [rows for _, rows, _ in lake.reads] == [1, 1, 1, 1]
