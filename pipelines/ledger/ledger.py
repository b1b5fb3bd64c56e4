"""``ops.files``: what became of every file that landed, with its row accounting, and the data clock.

Grain (table_name, file, file_hash): the same name with other content is another row, the same content under another
name too. Rows of a file are accepted (they became the standing version of their key when they were loaded),
quarantined, superseded (another version of the key won) or repeated (the content was there already).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from threading import RLock
from typing import Any

from pyspark.sql import functions as F

from conf.instants import as_utc
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Stamp, Target, create_table, merge_rows

GRAIN = ("table_name", "file", "file_hash")
SCHEMA = """table_name string NOT NULL, file string NOT NULL, file_hash string NOT NULL, size bigint,
 modified_ns bigint, delivered_at timestamp, status string NOT NULL, reason string, duplicate_of string, load bigint,
 rows_in_file bigint, rows_accepted bigint, rows_quarantined bigint, rows_superseded bigint, rows_repeated bigint,
 known_through timestamp, recorded_at timestamp"""
LOADED, DUPLICATE, EMPTY, FAILED = "loaded", "duplicate", "empty", "failed"


@dataclass(frozen=True)
class FileRecord:
    """One row of ``ops.files``. ``load`` is the bronze load the file came with; None when it brought no rows."""

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


def read_records(lake: Lake, table: str | None = None) -> list[FileRecord]:
    """Return the ledger's rows, of one table or of all."""
    if not lake.exists("ops", "files"):
        return []
    names = [field.name for field in fields(FileRecord)]
    files = lake.read("ops", "files")
    rows = (files if table is None else files.where(F.col("table_name") == table)).select(*names).collect()
    return [FileRecord(*(_utc(value) for value in row)) for row in rows]


class Ledger:
    """The ledger while its one writer works: read once, added to in memory, written by ``flush``. Safe for threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._records: dict[tuple[str, str, str], FileRecord] = {_key(r): r for r in read_records(lake)}
        self._staged: dict[tuple[str, str, str], FileRecord] = {}
        self._lock = RLock()

    def of(self, table: str) -> list[FileRecord]:
        """Return all that is known of a table's files, written or staged."""
        with self._lock:
            return [record for record in self._records.values() if record.table_name == table]

    def stage(self, records: Iterable[FileRecord]) -> None:
        """Add records, or new facts about known ones."""
        with self._lock:
            for record in records:
                self._records[_key(record)] = self._staged[_key(record)] = record

    def flush(self, run: dict[str, Any]) -> Commit:
        """Write what is staged in one commit. Nothing staged, no commit."""
        with self._lock:
            lake, path = self._lake, self._lake.path("ops", "files")
            if not self._staged:
                return unchanged(lake.version("ops", "files"))
            schema = lake.spark.createDataFrame([], SCHEMA).schema
            create_table(lake.spark, path, schema, (), {})
            tables = sorted({record.table_name for record in self._staged.values()})
            bounds = [f"t.table_name IN ({', '.join(map(sql_literal, tables))})"]
            rows = lake.spark.createDataFrame([astuple(record) for record in self._staged.values()], schema)
            commit = merge_rows(lake.spark, Target(path, GRAIN, bounds), rows, Stamp("files", run))
            self._staged.clear()
            return commit


def data_clock(lake: Lake, table: str) -> datetime | None:
    """Return the greatest known time that silver has loaded for the table; None before the first load."""
    if not lake.exists("silver", table):
        return None
    return clock_of(read_records(lake, table), lake.standing("silver", table).cursor)


def clock_of(records: Iterable[FileRecord], cursor: int) -> datetime | None:
    """Return the greatest known time among the records of loads up to ``cursor``."""
    known = [
        record.known_through
        for record in records
        if record.known_through is not None and (record.load is None or record.load <= cursor)
    ]
    return max(known, default=None)


def _key(record: FileRecord) -> tuple[str, str, str]:
    return record.table_name, record.file, record.file_hash


def _utc(value: Any) -> Any:
    return as_utc(value) if isinstance(value, datetime) else value
