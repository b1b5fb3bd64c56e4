"""What a Delta table's own log says: its version, who made its last commits, and where its cursor stands.

The cursor of a table is Delta's SetTransaction ``<table>/<generation>``, written in the same commit as the rows. A
RESTORE takes rows back but leaves SetTransactions as they are. So it opens a new generation, which begins with the
cursor that the restored version had.

The log is read by ``deltalake``, without Spark and without a JVM, in milliseconds. ``options`` are those of
``conf.storage``; a local path needs none.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

Options = dict[str, str] | None
FEW_COMMITS = 8
# The counts of inserted, updated and deleted rows, as Spark's MERGE and append name them, and as deltalake's do.
_COUNTS = (
    ("numTargetRowsInserted", "num_target_rows_inserted", "numOutputRows", "num_added_rows"),
    ("numTargetRowsUpdated", "num_target_rows_updated"),
    ("numTargetRowsDeleted", "num_target_rows_deleted"),
)


@dataclass(frozen=True)
class LastCommit:
    """What Headwater's newest commit to a table left behind. ``cursor`` is -1 before the first commit with a cursor."""

    generation: int
    cursor: int
    metadata: dict[str, Any]


def open_log(path: str, options: Options = None, version: int | None = None) -> DeltaTable | None:
    """Open a table as of a version (None: the newest); None when there is no table, or not yet a commit in its log."""
    try:
        return DeltaTable(path, version=version, storage_options=options)
    except TableNotFoundError:
        return None


def table_version(path: str, options: Options = None) -> int:
    """Return the newest version of the table at ``path``; -1 when there is no table."""
    table = open_log(path, options)
    return -1 if table is None else int(table.version())


def version_at(path: str, instant: datetime, options: Options = None) -> int:
    """Return the newest version that was committed at or before an instant; -1 when there was no table."""
    for commit in walk_commits_back(path, options):
        if committed_at(commit) <= instant:
            return int(commit["version"])
    return -1


def changed_version(path: str, options: Options = None) -> int:
    """Return the newest version in which a row was added, changed or removed; -1 when there is no table.

    Commits that only compacted files or moved a cursor do not count.
    """
    version = table_version(path, options) + 1
    for commit in walk_commits_back(path, options):
        version = int(commit["version"])
        if version == 0 or _changed_rows(commit):
            return version
    return version - 1  # the log before is cleaned away, or there is no table


def _changed_rows(commit: dict[str, Any]) -> bool:
    operation = commit.get("operation")
    if operation not in ("MERGE", "WRITE"):
        return operation not in ("OPTIMIZE", "VACUUM START", "VACUUM END")
    known = [count for count in written_rows(commit) if count is not None]
    return not known or sum(known) > 0


def written_rows(commit: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Return how many rows a MERGE or an append inserted, updated and deleted; None where the commit does not say."""
    metrics = commit.get("operationMetrics") or {}
    inserted, updated, deleted = (
        next((int(metrics[name]) for name in names if name in metrics), None) for names in _COUNTS
    )
    return inserted, updated, deleted


def table_id(path: str, options: Options = None) -> str:
    """Return the id that Delta gave the table. A table that is made anew at the same path gets another id."""
    table = open_log(path, options)
    return "" if table is None else str(table.metadata().id)


def table_properties(path: str, options: Options = None) -> dict[str, str]:
    """Return the table's properties as they are stored; none when there is no table."""
    table = open_log(path, options)
    return {} if table is None else dict(table.metadata().configuration)


def table_files(path: str, options: Options = None, version: int | None = None) -> list[dict[str, Any]]:
    """Return the data files of a version (None: the newest): path, partition (a dict of values), and size_bytes."""
    table = open_log(path, options, version)
    if table is None:
        return []
    actions = pa.table(table.get_add_actions())
    names = [name for name in ("path", "size_bytes", "partition") if name in actions.column_names]
    found: list[dict[str, Any]] = actions.select(names).to_pylist()
    return found


def table_schema(path: str, options: Options = None, version: int | None = None) -> pa.Schema:
    """Return the columns of the table at a version (None: the newest) with their types; none when there is no table."""
    table = open_log(path, options, version)
    return pa.schema([]) if table is None else pa.schema(table.schema().to_arrow())


def read_last_commit(path: str, name: str, options: Options = None, until: int | None = None) -> LastCommit:
    """Return what Headwater's newest commit to the table ``name`` left behind; with ``until``, of those up to there."""
    newest = open_log(path, options)
    table = newest if until is None else open_log(path, options, until)
    if newest is None or table is None:
        return LastCommit(0, -1, {})
    for commit in _walk_back(newest, until):
        metadata = our_metadata(commit)
        if "generation" in metadata:
            generation = int(metadata["generation"])
            return LastCommit(generation, _transaction(table, f"{name}/{generation}"), metadata)
        if commit.get("operation") == "RESTORE":
            restored = read_last_commit(path, name, options, int(commit["operationParameters"]["version"]))
            version = int(commit["version"])  # it numbers the new generation
            return LastCommit(version, restored.cursor, restored.metadata)
    return LastCommit(0, _transaction(table, f"{name}/0"), {})


def walk_commits_back(path: str, options: Options = None, version: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the commitInfo of each commit, ``version`` in it, from a version back to the oldest that the log keeps."""
    newest = open_log(path, options)
    return iter(()) if newest is None else _walk_back(newest, version)


def _walk_back(newest: DeltaTable, version: int | None) -> Iterator[dict[str, Any]]:
    """Walk the commits of a table that was opened at its newest version: of an older one deltalake numbers wrongly."""
    skipped = 0 if version is None else newest.version() - version
    if skipped < 0:
        return
    seen = skipped
    for limit in (skipped + FEW_COMMITS, None):  # mostly the newest commits suffice
        commits = newest.history(limit)
        yield from commits[seen:]
        if limit is None or len(commits) < limit:
            return
        seen = len(commits)


def read_commit(path: str, version: int, options: Options = None) -> dict[str, Any]:
    """Return the commitInfo of one version; empty when its log entry has been cleaned away."""
    commit = next(walk_commits_back(path, options, version), {})
    return commit if commit.get("version") == version else {}


def committed_at(commit: Mapping[str, Any]) -> datetime:
    """Return when a commit was made."""
    return datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)


def our_metadata(commit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the userMetadata that Headwater wrote into a commit; empty when somebody else made the commit."""
    try:
        metadata = json.loads(commit.get("userMetadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) and "run" in metadata else {}


def _transaction(table: DeltaTable, app_id: str) -> int:
    """Return the number of a SetTransaction; -1 when the table has no such number."""
    recorded = table.transaction_version(app_id)
    return -1 if recorded is None else int(recorded)
