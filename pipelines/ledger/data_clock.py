"""The data clock of a table: the greatest known time that has been loaded for it. It stands in for the wall clock."""

from datetime import datetime

from pipelines.delta.lake import LakeTables


def data_clock(lake: LakeTables, table: str) -> datetime | None:
    """Return the greatest known time that silver has loaded for a table; None before the first load."""
    if not lake.exists("silver", table) or not lake.exists("ops", "files"):
        return None
    cursor = lake.last_commit("silver", table).cursor
    is_loaded = f"table_name = '{table}' AND (load IS NULL OR load <= {cursor})"
    clock: datetime | None = lake.value("ops", "files", "max(known_through)", is_loaded)
    return clock
