"""The ledger while its one writer works: read once, added to in memory, written by ``flush``."""

from collections.abc import Iterable
from dataclasses import astuple
from threading import RLock

from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Target, merge_rows
from pipelines.delta.tables import create_table
from pipelines.ledger.file_records import GRAIN, SCHEMA, FileRecord, read_records
from pipelines.runtime.run_facts import RunFacts


class Ledger:
    """What is known of all files, as it grows during a load. Several threads may use it at once."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._records: dict[tuple[str, str, str], FileRecord] = {_key(r): r for r in read_records(lake)}
        self._staged: dict[tuple[str, str, str], FileRecord] = {}
        self._lock = RLock()

    def of(self, table: str) -> list[FileRecord]:
        """Return the records of a table's files, staged ones included."""
        with self._lock:
            return [record for record in self._records.values() if record.table_name == table]

    def stage(self, records: Iterable[FileRecord]) -> None:
        """Add records, or replace known ones by newer facts. The next ``flush`` writes them."""
        with self._lock:
            for record in records:
                self._records[_key(record)] = self._staged[_key(record)] = record

    def flush(self, run: RunFacts) -> Commit:
        """Write the staged records in one commit. When none is staged, nothing is committed."""
        with self._lock:
            spark, path = self._lake.spark, self._lake.path("ops", "files")
            if not self._staged:
                return unchanged(self._lake.version("ops", "files"))
            schema = spark.createDataFrame([], SCHEMA).schema
            create_table(spark, path, schema)
            tables = sorted({record.table_name for record in self._staged.values()})
            bounds = [f"t.table_name IN ({', '.join(map(sql_literal, tables))})"]
            rows = spark.createDataFrame([astuple(record) for record in self._staged.values()], schema)
            commit = merge_rows(spark, Target(path, GRAIN, bounds), rows, Stamp("files", run))
            self._staged.clear()
            return commit


def _key(record: FileRecord) -> tuple[str, str, str]:
    return record.table_name, record.file, record.file_hash
