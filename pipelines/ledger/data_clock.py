"""The data clock of a table: the greatest known time that has been loaded for it. It stands in for the wall clock."""

from collections.abc import Collection
from datetime import datetime

from pipelines.delta.lake import LakeTables
from pipelines.delta.local import to_python


def data_clock(lake: LakeTables, table: str) -> datetime | None:
    """Return the greatest known time that silver has loaded for a table; None before the first load."""
    return data_clocks(lake, [table]).get(table)


def data_clocks(lake: LakeTables, tables: Collection[str]) -> dict[str, datetime]:
    """Return the data clocks of several tables by one query; a table without data has none."""
    cursors = {table: lake.last_commit("silver", table).cursor for table in tables if lake.exists("silver", table)}
    if not cursors or not lake.exists("ops", "files"):
        return {}
    loaded = (f"(table_name = '{name}' AND (load IS NULL OR load <= {at}))" for name, at in cursors.items())
    found = lake.aggregate("ops", "files", "table_name", "max(known_through)", " OR ".join(loaded))
    clocks = zip(found.column("grouped").to_pylist(), to_python(found.column("value")), strict=True)
    return {table: clock for table, clock in clocks if clock is not None}
