"""Why not to train: what the journal says of the last loads. It answers with one run, however long it is; no Spark."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.operations.journal import DONE, FAILED, KILLED, JournalRow, write_journal
from pipelines.operations.readiness import find_failed_loads
from tests.projects.small_lake import ORDERS, make_project
from tests.projects.small_ledger import RUN, WatchedTables


def test_the_newest_load_of_each_stage_counts(tmp_path: Path) -> None:
    lake = WatchedTables(make_project(tmp_path, {"orders": ORDERS}).settings)
    hours = iter(range(24))

    def ran(job: str, status: str, *tables: str) -> None:
        started = datetime(2024, 1, 1, next(hours), tzinfo=UTC)
        facts = vars(replace(RUN, run=f"{job} {started.hour}", job=job, started_at=started))
        write_journal(lake, JournalRow(**facts, status=status, reason="it broke", tables=tables, ended_at=started), RUN)

    assert find_failed_loads(lake, ["orders"]) == []
    ran("load", FAILED, "orders", "shops")
    assert find_failed_loads(lake, ["orders"]) == ["the last `load` FAILED: it broke"]
    assert find_failed_loads(lake, ["weather", "shops"]) == ["the last `load` FAILED: it broke"]
    assert find_failed_loads(lake, ["weather"]) == []
    ran("load bronze", DONE, "orders")
    ran("materialize", FAILED, "orders")
    assert find_failed_loads(lake, ["orders"]) == ["the last `load` FAILED: it broke"]
    ran("load silver", KILLED, "orders")
    assert find_failed_loads(lake, ["orders"]) == ["the last `load silver` KILLED: it broke"]
    ran("load", DONE, "orders")
    assert find_failed_loads(lake, ["orders"]) == []
    assert find_failed_loads(lake, ["shops", "orders"]) == []
    assert all(rows <= 1 for _, rows, _ in lake.reads)
