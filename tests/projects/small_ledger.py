"""A ledger with made-up files, and tables whose cursor stands somewhere, written without Spark."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from conf.settings import Settings
from pipelines.delta.lake import LakeTables
from pipelines.ledger.file_records import LOADED, FileRecord
from pipelines.ledger.ledger import Ledger
from pipelines.runtime.run_facts import RunFacts

RUN = RunFacts("test", "test", "test", datetime(2024, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class WatchedTables(LakeTables):
    """Tables that note what is read of them: table, number of rows, names of columns."""

    reads: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)

    def query(
        self, tables: Collection[tuple[str, str]], sql: str, versions: Mapping[tuple[str, str], int] | None = None
    ) -> pa.Table:
        found = pa.table(super().query(tables, sql, versions))
        self.reads.append((" ".join(".".join(table) for table in tables), found.num_rows, tuple(found.column_names)))
        return found


def file_record(table: str, file: str, load: int | None = 1, **facts: Any) -> FileRecord:
    """Return the record of a file of 10 bytes, changed at 7 ns, whose content no other file has."""
    given = {"file_hash": f"hash of {file}", "size": 10, "modified_ns": 7, "delivered_at": None, "status": LOADED}
    return FileRecord(table, file, load=load, **(given | facts))


def write_ledger(settings: Settings, records: Sequence[FileRecord]) -> None:
    """Enter the records into the ledger of a lake, in one commit."""
    ledger = Ledger(LakeTables(settings))
    ledger.stage(records)
    ledger.flush(RUN)


def write_table_at(settings: Settings, layer: str, name: str, cursor: int) -> None:
    """Write a table of one row whose newest commit has this cursor."""
    metadata = json.dumps({"run": "test", "generation": 0, "cursor": cursor})
    stamp = CommitProperties({"userMetadata": metadata}, app_transactions=[Transaction(f"{name}/0", cursor)])
    write_deltalake(f"{settings.lake}/{layer}/{name}", pa.table({"id": [1]}), mode="append", commit_properties=stamp)
