"""What a plan must know of the files of a table: which were seen, and in which loads their rows came.

It is read from the ledger by table and column and compared as sets. No object is made for a file, so that 100,000
files take less than a second.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

from pipelines.delta.lake import LakeTables
from pipelines.ledger.file_records import FileRecord

SeenFile = tuple[str, int, int]
COLUMNS = ("table_name", "file", "size", "modified_ns", "load")


@dataclass(frozen=True)
class KnownFiles:
    """What the ledger knows of a table's files, as far as a plan needs it.

    Parameters
    ----------
    seen : name, size in bytes and modification time in ns of each file
    loads : the numbers of the bronze loads that brought rows
    """

    seen: frozenset[SeenFile] = frozenset()
    loads: frozenset[int] = frozenset()

    @classmethod
    def of(cls, records: Collection[FileRecord]) -> Self:
        """Return what a plan must know of these records."""
        seen = ((record.file, record.size, record.modified_ns) for record in records)
        return cls(frozenset(seen), frozenset(record.load for record in records if record.load is not None))

    @property
    def last_load(self) -> int:
        """The greatest number of a load; 0 when there was none."""
        return max(self.loads, default=0)


def read_known_files(lake: LakeTables, tables: Iterable[str]) -> dict[str, KnownFiles]:
    """Read what the ledger knows of the files of some tables, in one query of five columns."""
    names = sorted(tables)
    if not names or not lake.exists("ops", "files"):
        return {name: KnownFiles() for name in names}
    wanted = ", ".join(f"'{name}'" for name in names)
    rows = lake.rows("ops", "files", f"table_name IN ({wanted})", COLUMNS)
    seen: dict[str, set[SeenFile]] = {name: set() for name in names}
    loads: dict[str, set[int]] = {name: set() for name in names}
    for table, file, size, modified_ns, load in zip(*(rows[name].to_pylist() for name in COLUMNS), strict=True):
        seen[table].add((file, size, modified_ns))
        if load is not None:
            loads[table].add(load)
    return {name: KnownFiles(frozenset(seen[name]), frozenset(loads[name])) for name in names}
