"""What a load would do, told by the landing folder, the ledger and the logs; no Spark."""

from pathlib import Path

from pipelines.landing.listing import list_landed
from pipelines.load_plan import plan_loads
from tests.projects.small_lake import ORDERS, make_project
from tests.projects.small_ledger import WatchedTables, file_record, write_ledger, write_table_at

SHOPS = {**ORDERS, "landing": ORDERS["landing"] | {"path": "shops"}}


def test_plan_of_one_table_reads_nothing_of_another(tmp_path: Path) -> None:
    project = make_project(tmp_path, {"orders": ORDERS, "shops": SHOPS})
    lake, orders = WatchedTables(project.settings), project.contracts["orders"]
    folder = Path(project.settings.landing) / "orders" / "d=2024-01-02T00-00"
    folder.mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / f"{name}.csv").write_text("id\n", encoding="utf-8")
    a, b, c = list_landed(project.settings.landing, orders)
    known = [
        file_record("orders", a.name, 1, size=a.size, modified_ns=a.modified_ns),
        file_record("orders", b.name, 2, size=b.size + 1, modified_ns=b.modified_ns),
        file_record("orders", b.name, 3, size=b.size + 1, modified_ns=b.modified_ns, file_hash="second name"),
    ]
    others = [
        file_record("shops", c.name, 7, size=c.size, modified_ns=c.modified_ns, file_hash=str(n)) for n in range(5)
    ]
    write_ledger(project.settings, [*known, *others])
    write_table_at(project.settings, "silver", "orders", 1)
    write_table_at(project.settings, "bronze", "orders", 3)
    (plan,) = plan_loads(lake, [orders])
    assert (plan.files_seen, plan.new_files, plan.unread_loads, plan.doubt) == (3, (b, c), 2, "")
    assert [(table, rows) for table, rows, _ in lake.reads] == [("ops.files", len(known))]


def test_plan_of_all_tables_reads_the_ledger_once(tmp_path: Path) -> None:
    project = make_project(tmp_path, {"orders": ORDERS, "shops": SHOPS})
    lake = WatchedTables(project.settings)
    write_ledger(
        project.settings, [file_record("orders", "x", 1), file_record("shops", "x", 2), file_record("gone", "x")]
    )
    write_table_at(project.settings, "bronze", "shops", 3)
    plans = {plan.table: plan for plan in plan_loads(lake, list(project.contracts.values()))}
    assert [(table, rows) for table, rows, _ in lake.reads] == [("ops.files", 2)]
    assert {name: plan.unread_loads for name, plan in plans.items()} == {"orders": 1, "shops": 1}
    assert plans["orders"].doubt == ""
    assert plans["shops"].doubt == "a killed load left rows that the ledger does not know"
