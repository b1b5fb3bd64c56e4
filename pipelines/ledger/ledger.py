"""The ledger while its one writer works: each table's records read once, added to in memory, written by ``flush``."""

from collections.abc import Iterable
from threading import RLock

import pyarrow as pa

from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import LakeTables
from pipelines.delta.local import merge_records
from pipelines.ledger.file_records import GRAIN, SCHEMA, FileRecord, read_records
from pipelines.runtime.run_facts import RunFacts

_Key = tuple[str, str, str]


class Ledger:
    """What is known of all files, as it grows during a load. Several threads may use it at once."""

    def __init__(self, lake: LakeTables) -> None:
        self._lake = lake
        self._records: dict[str, dict[_Key, FileRecord]] = {}  # by table
        self._staged: dict[_Key, FileRecord] = {}
        self._lock = RLock()

    def of(self, table: str) -> list[FileRecord]:
        """Return the records of a table's files, staged ones included."""
        with self._lock:
            return list(self._of(table).values())

    def stage(self, records: Iterable[FileRecord]) -> None:
        """Add records, or replace known ones by newer facts. The next ``flush`` writes them."""
        with self._lock:
            for record in records:
                self._of(record.table_name)[_key(record)] = self._staged[_key(record)] = record

    def flush(self, run: RunFacts) -> Commit:
        """Write the staged records in one commit. When none is staged, nothing is committed."""
        with self._lock:
            lake, path = self._lake, self._lake.path("ops", "files")
            if not self._staged:
                return unchanged(lake.version("ops", "files"))
            rows = pa.Table.from_pylist([vars(record) for record in self._staged.values()], SCHEMA)
            commit = merge_records(path, lake.options, rows, GRAIN, Stamp("files", run))
            self._staged.clear()
            return commit

    def _of(self, table: str) -> dict[_Key, FileRecord]:
        if table not in self._records:
            self._records[table] = {_key(record): record for record in read_records(self._lake, table)}
        return self._records[table]


def _key(record: FileRecord) -> _Key:
    return record.table_name, record.file, record.file_hash
