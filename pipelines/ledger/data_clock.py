"""The data clock of a table: the greatest known time that has been loaded for it. It stands in for the wall clock."""

from collections.abc import Iterable
from datetime import datetime

from pipelines.delta.lake import LakeTables
from pipelines.ledger.file_records import FileRecord, read_records


def data_clock(lake: LakeTables, table: str) -> datetime | None:
    """Return the greatest known time that silver has loaded for a table; None before the first load."""
    if not lake.exists("silver", table):
        return None
    return clock_of(read_records(lake, table), lake.last_commit("silver", table).cursor)


def clock_of(records: Iterable[FileRecord], cursor: int) -> datetime | None:
    """Return the greatest known time among the records of loads up to ``cursor``."""
    loaded = [record for record in records if record.load is None or record.load <= cursor]
    return max((record.known_through for record in loaded if record.known_through is not None), default=None)
