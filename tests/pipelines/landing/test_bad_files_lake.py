"""Every bad file of ``bad_files`` through the lake at once: the good rows load, the rest is accounted for."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.errors import FileRejected
from pipelines.load import TableLoad, load_tables
from tests.pipelines.landing.bad_files import CASES, HEADER
from tests.projects.small_lake import ORDERS, RUN, SmallLake, accounting, make_lake

SMALL = {
    "landing": {"path": "small", "format": "csv", "delivered": "d=%Y-%m-%d"},
    "raw": ["id", "name", "amount"],
    "event_at": "seen_at",
    "columns": [
        {"name": "id", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "seen_at", "type": "timestamp", "expr": "TIMESTAMP '2024-01-01 00:00:00'"},
    ],
}
FOLDER = "small/d=2024-01-02"


@pytest.fixture(scope="module")
def loaded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLake, TableLoad]:
    small = make_lake(spark, tmp_path_factory.mktemp("bad"), others={"small": SMALL})
    for name, content, *_ in CASES:
        small.land(f"{FOLDER}/{name}", content)
    small.land("small/no-delivery-time/x.csv", b"id,name,amount\n1,a,1\n")
    return small, small.load("small")


def test_every_file_is_accounted_for(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    found = accounting(small, "small")
    for name, _, status, good, problems in CASES:
        outcome, in_file, accepted, quarantined, superseded, repeated = found[f"{FOLDER}/{name}"]
        rows = len(good) + len(problems)
        wanted = {"ok": "loaded" if rows else "empty"}.get(status, status)
        if outcome == "duplicate":
            assert (in_file, repeated) == (rows, rows), name
        else:
            assert (outcome, in_file, accepted, quarantined) == (wanted, rows, len(good), len(problems)), name
        assert in_file == accepted + quarantined + superseded + repeated, name
    assert found["small/no-delivery-time/x.csv"][0] == "failed"


def test_good_rows_are_as_they_came_and_the_others_keep_their_text(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    good = {row for _, _, status, rows, _ in CASES if status == "ok" for row in rows}
    found = small.lake.read("bronze", "small").where("_problem IS NULL").select("id", "name", "amount").collect()
    assert sorted(map(tuple, found)) == sorted(good)
    broken = sorted(text for _, _, status, _, texts in CASES if status == "ok" for text in texts)
    found = small.lake.read("quarantine", "small").where("rule = 'malformed'").select("raw").collect()
    assert sorted(row[0] for row in found) == broken


def test_a_second_load_opens_nothing(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    before = small.versions()
    again = small.load("small")
    assert again.bronze is not None
    assert (again.bronze.files_new, again.bronze.files_failed) == (0, 0)
    assert small.versions() == before


def test_a_bad_file_that_must_fail_stops_its_own_table_alone(spark: SparkSession, tmp_path: Path) -> None:
    failing = {"landing": {**ORDERS["landing"], "on_bad_file": "fail"}}
    small = make_lake(spark, tmp_path, orders=failing, others={"small": SMALL})
    small.orders("2024-01-02T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1")
    small.land("orders/d=2024-01-02T00-00/bad.csv", b"\xff\n")
    small.land(f"{FOLDER}/a.csv", HEADER + b"1,a,1\n")
    contracts = [small.project.contracts[name] for name in ("orders", "small")]
    with pytest.raises(FileRejected, match=r"orders/d=2024-01-02T00-00/bad\.csv: byte 0xff .*\n.*nothing was loaded"):
        load_tables(small.lake, contracts, None, RUN, lambda _: None)
    versions = small.versions()
    assert {versions[f"{layer}.orders"] for layer in ("bronze", "silver", "quarantine")} == {-1}
    assert accounting(small) == {}
    assert small.rows("silver", "small", "id") == [("1",)]
    small.orders("2024-01-02T00-00", "2,north,9.5,2024-01-01T10:00:00Z,1", name="bad.csv")
    small.load()
    assert small.rows("silver", "orders", "id") == [(1,), (2,)]
