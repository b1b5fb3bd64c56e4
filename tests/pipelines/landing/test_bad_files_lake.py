"""Every bad file of ``bad_files`` through the lake at once: the good rows load, the rest is accounted for."""

import pytest
from pyspark.sql import SparkSession

from pipelines.load import TableLoad
from tests.pipelines.landing.bad_files import CASES
from tests.projects.small_lake import SmallLake, accounting, make_lake

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
    assert len(CASES) >= 25
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


def test_good_rows_are_in_bronze_as_they_came(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    wanted = [row for _, _, status, good, _ in CASES if status == "ok" for row in good]
    found = small.lake.read("bronze", "small").where("_problem IS NULL").select("id", "name", "amount").collect()
    assert sorted(map(tuple, found)) == sorted(set(wanted))


def test_rows_that_cannot_be_read_keep_their_text(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    wanted = sorted(text for _, _, status, _, problems in CASES if status == "ok" for text in problems)
    found = small.lake.read("quarantine", "small").where("rule = 'malformed'").select("raw").collect()
    assert sorted(row[0] for row in found) == wanted


def test_a_second_load_opens_nothing(loaded: tuple[SmallLake, TableLoad]) -> None:
    small, _ = loaded
    before = small.versions()
    again = small.load("small")
    assert again.bronze is not None
    assert (again.bronze.files_new, again.bronze.files_failed) == (0, 0)
    assert small.versions() == before
