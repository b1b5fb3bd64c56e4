"""Loading: nothing lost, nothing twice, whatever the order in which files are read."""

from datetime import datetime
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from conf.errors import ExpectationFailed
from pipelines.delta.commit import Outcome
from pipelines.load import load_tables
from tests.projects.small_lake import RUN, SmallLake, accounting, make_lake

SILVER = ("id", "shop", "amount_eur", "version_no", "_known_at")


def test_rows_land_in_silver_once(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path)
    small.orders("2024-01-02T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1", "2,south,,2024-01-01T11:00:00Z,1")
    first = small.load()
    assert (first.outcome, first.silver and first.silver.rows_accepted) == (Outcome.APPLIED, 2)
    known = datetime(2024, 1, 2)
    assert small.rows("silver", "orders", *SILVER) == [(1, "north", 9.5, 1, known), (2, "south", None, 1, known)]
    before = small.versions()
    again = small.load()
    assert again.outcome is Outcome.UNCHANGED
    assert small.versions() == before


def test_a_table_whose_creation_was_killed_is_created(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path)
    for layer in ("bronze", "silver"):  # as SIGKILL leaves it: a log that no commit has reached
        (Path(small.lake.path(layer, "orders")) / "_delta_log" / "_staged_commits").mkdir(parents=True)
    small.orders("2024-01-02T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1")
    small.load()
    assert small.rows("silver", "orders", "id") == [(1,)]


def test_a_touched_file_changes_only_the_ledger(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path)
    small.orders("2024-01-02T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1")
    small.load()
    before = small.versions()
    next(Path(small.project.settings.landing).rglob("orders.csv")).touch()
    assert small.load().outcome is Outcome.APPLIED
    assert small.versions() == {**before, "ops.files": before["ops.files"] + 1}  # it holds the new modification time
    assert small.load().outcome is Outcome.UNCHANGED


def test_a_file_that_the_ledger_has_lost_is_not_added_again(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path)
    small.orders("2024-01-02T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1")
    small.orders("2024-01-03T00-00", "2,north,9.5,2024-01-02T10:00:00Z,1")
    small.load()
    DeltaTable.forPath(spark, small.lake.path("ops", "files")).delete("file LIKE 'orders/d=2024-01-02%'")
    load_tables(small.lake, [small.project.contracts["orders"]], "bronze", RUN, lambda _: None)
    assert small.rows("bronze", "orders", "id", "_load") == [("1", 1), ("2", 1)]


def test_bad_rows_are_set_aside_with_their_reason(spark: SparkSession, tmp_path: Path) -> None:
    rules = [{"name": "amount_is_positive", "expr": "amount_eur > 0", "action": "quarantine"}]
    small = make_lake(spark, tmp_path, orders={"expectations": rules})
    rows = {
        "1,north,9.5,2024-01-01T10:00:00Z,1": None,
        ",north,9.5,2024-01-01T10:00:00Z,1": "null_key",
        "2,north,NaN,2024-01-01T10:00:00Z,1": "cast:amount_eur",
        "3,north,1e400,2024-01-01T10:00:00Z,1": "cast:amount_eur",
        "4,north,1d,2024-01-01T10:00:00Z,1": "cast:amount_eur",
        '5,north,"12,5",2024-01-01T10:00:00Z,1': "cast:amount_eur",
        "6,north,9.5,yesterday,1": "cast:ordered_at",
        "99999999999,north,9.5,2024-01-01T10:00:00Z,1": "cast:id",
        "8,north,-1,2024-01-01T10:00:00Z,1": "amount_is_positive",
        "9,north": "malformed",
    }
    small.orders("2024-01-02T00-00", *rows)
    done = small.load()
    found = set(small.rows("quarantine", "orders", "_row_number", "rule"))
    assert {(number, rule) for number, rule in enumerate(rows.values(), 1) if rule} <= found
    assert done.silver is not None
    assert (done.silver.rows_accepted, done.silver.rows_quarantined) == (1, 9)
    raw = [text for (text,) in small.rows("quarantine", "orders", "raw")]
    assert any('"12,5"' in text for text in raw)
    assert accounting(small)["orders/d=2024-01-02T00-00/orders.csv"] == ("loaded", 10, 1, 9, 0, 0)


def test_a_fail_expectation_stops_before_silver(spark: SparkSession, tmp_path: Path) -> None:
    rules = [{"name": "has_shop", "expr": "shop IS NOT NULL", "action": "fail"}]
    small = make_lake(spark, tmp_path, orders={"expectations": rules})
    small.orders("2024-01-02T00-00", "1,,9.5,2024-01-01T10:00:00Z,1")
    with pytest.raises(ExpectationFailed, match="has_shop"):
        small.load()
    assert small.rows("silver", "orders", "id") == []
    mended = make_lake(spark, tmp_path, orders={"expectations": []})
    mended.load()
    assert mended.rows("silver", "orders", "id") == [(1,)]


FILES = (
    ("2024-01-02T00-00", "a.csv", ("1,north,1,2024-01-01T10:00:00Z,1", "2,north,2,2024-01-01T10:00:00Z,1")),
    ("2024-01-04T00-00", "b.csv", ("1,north,5,2024-01-01T10:00:00Z,1", "3,east,3,2024-01-01T10:00:00Z,2")),
    ("2024-01-03T00-00", "c.csv", ("1,south,3,2024-01-01T10:00:00Z,1", "3,west,4,2024-01-01T10:00:00Z,1")),
    ("2024-01-01T00-00", "d.csv", ("1,north,5,2024-01-01T10:00:00Z,1", "3,east,3,2024-01-01T10:00:00Z,2")),
)


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_any_order_of_loads_gives_the_same_silver(
    spark: SparkSession, tmp_path: Path, order: tuple[int, ...], once: list[tuple[object, ...]]
) -> None:
    """Corrections, a late file, and one content under two names of which the earlier comes later."""
    small = make_lake(spark, tmp_path, orders={"order_by": ["version_no"]})
    for number in order:
        _land(small, number)
        small.load()
    assert small.rows("silver", "orders", *SILVER) == once
    unclosed = [row for row in accounting(small).values() if row[1] != sum(row[2:])]
    assert unclosed == []


@pytest.fixture(scope="module")
def once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    small = make_lake(spark, tmp_path_factory.mktemp("once"), orders={"order_by": ["version_no"]})
    for number in range(len(FILES)):
        _land(small, number)
    small.load()
    first = datetime(2024, 1, 1)
    rows = small.rows("silver", "orders", *SILVER)
    assert rows == [(1, "south", 3.0, 1, first), (2, "north", 2.0, 1, datetime(2024, 1, 2)), (3, "east", 3.0, 2, first)]
    return rows


def test_a_table_without_a_key_keeps_every_row(spark: SparkSession, tmp_path: Path) -> None:
    small = make_lake(spark, tmp_path, orders={"key": []})
    row = "1,north,9.5,2024-01-01T10:00:00Z,1"
    small.orders("2024-01-02T00-00", row, row)
    small.load()
    small.orders("2024-01-03T00-00", row, row, name="again.csv")
    small.orders("2024-01-03T00-00", row, row, row, name="more.csv")
    small.load()
    assert len(small.rows("silver", "orders", "id")) == 5
    assert [row[0] for row in accounting(small).values()].count("duplicate") == 1


def _land(small: SmallLake, number: int) -> None:
    delivered, name, rows = FILES[number]
    small.orders(delivered, *rows, name=name)
