"""The rows of ``ops.files``, one for each file name and content that was ever seen.

Grain (table_name, file, file_hash): the same name with other content is another row, and so is the same content
under another name. Each row of a file is counted as one of these:

- accepted: it became the silver row of its key when it was loaded,
- quarantined: it broke a rule,
- superseded: another version of its key was kept,
- repeated: its content was there already.
"""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from pipelines.delta.lake import LakeTables
from pipelines.delta.local import as_records

GRAIN = ("table_name", "file", "file_hash")
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in GRAIN), ("size", pa.int64()),
        ("modified_ns", pa.int64()), ("delivered_at", pa.timestamp("us", "UTC")),
        pa.field("status", pa.string(), nullable=False), ("reason", pa.string()), ("duplicate_of", pa.string()),
        ("load", pa.int64()), ("rows_in_file", pa.int64()), ("rows_accepted", pa.int64()),
        ("rows_quarantined", pa.int64()), ("rows_superseded", pa.int64()), ("rows_repeated", pa.int64()),
        ("known_through", pa.timestamp("us", "UTC")), ("recorded_at", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip
LOADED, DUPLICATE, EMPTY, FAILED = "loaded", "duplicate", "empty", "failed"


@dataclass(frozen=True)
class FileRecord:
    """One row of ``ops.files``. A row count is None until it is known.

    Parameters
    ----------
    file : the path below the landing root
    file_hash : SHA-256 of the content, hex
    duplicate_of : the file that brought the same content first
    load : the number of the bronze load that the file came with; None when it brought no rows
    known_through : the greatest known time among the file's rows
    recorded_at : when the file was judged, by the wall clock
    """

    table_name: str
    file: str
    file_hash: str
    size: int
    modified_ns: int
    delivered_at: datetime | None
    status: str
    reason: str | None = None
    duplicate_of: str | None = None
    load: int | None = None
    rows_in_file: int | None = None
    rows_accepted: int | None = None
    rows_quarantined: int | None = None
    rows_superseded: int | None = None
    rows_repeated: int | None = None
    known_through: datetime | None = None
    recorded_at: datetime | None = None


def read_records(lake: LakeTables, table: str, where: str = "true") -> list[FileRecord]:
    """Return rows of one table's files, an object for each. Where sets or a sum will do, ask for those."""
    if not lake.exists("ops", "files"):
        return []
    return as_records(lake.rows("ops", "files", f"table_name = '{table}' AND {where}"), FileRecord)


def read_newest_record(lake: LakeTables, table: str) -> FileRecord | None:
    """Return the record of the file that was judged last; of files judged at the same instant, a refused one."""
    if not lake.exists("ops", "files"):
        return None
    newest = f"recorded_at DESC NULLS LAST, status = '{FAILED}' DESC"
    rows = lake.rows("ops", "files", f"table_name = '{table}' ORDER BY {newest} LIMIT 1")
    return next(iter(as_records(rows, FileRecord)), None)


def read_last_load(lake: LakeTables, table: str) -> int:
    """Return the number of the last bronze load that brought new content; -1 before the first."""
    if not lake.exists("ops", "files"):
        return -1
    of_table = f"table_name = '{table}' AND status = '{LOADED}'"
    return int(lake.value("ops", "files", "coalesce(max(load), -1)", of_table))


def count_files(lake: LakeTables, table: str, until: int) -> int:
    """Return how many files the bronze loads up to ``until`` brought."""
    if not lake.exists("ops", "files"):
        return 0
    of_loads = f"table_name = '{table}' AND load <= {until}"
    return int(lake.value("ops", "files", "count(*)", of_loads))
