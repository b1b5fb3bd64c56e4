"""The way back from a version of a table: who committed it, what it was made from, down to the files that landed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conf.errors import NotFound
from pipelines.delta.lake import Lake
from pipelines.delta.log import our_metadata, read_commit
from pipelines.ledger.file_records import FileRecord, read_records


@dataclass(frozen=True)
class TableTrace:
    """One commit of one table. ``files`` came with it; ``files_through`` counts all that the table holds by then.

    ``run`` says which job made it, and under Airflow which try of which task of which DAG run.
    """

    table: str
    version: int
    committed_at: datetime
    operation: str
    run: Mapping[str, Any]
    through: str | None
    files: tuple[FileRecord, ...]
    files_through: int | None
    sources: tuple["TableTrace", ...]


def trace_table(lake: Lake, layer: str, name: str, version: int) -> TableTrace:
    """Trace a version of a table to the commit that last changed its rows, and that commit to its sources.

    Raises
    ------
    NotFound : when there is no such table or version, or its log entry has been cleaned away
    """
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", "`headwater history` shows a table's versions")
    version, commit = _made_by(lake, layer, name, version)
    metadata = our_metadata(commit)
    files, through = _files(lake, layer, name, version, metadata)
    return TableTrace(
        f"{layer}.{name}",
        version,
        datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
        commit["operation"],
        {fact: metadata[fact] for fact in ("run", "job", "code", "dag", "dag_run", "task", "try") if fact in metadata},
        metadata.get("through"),
        files,
        through,
        tuple(_trace_source(lake, source, at) for source, at in _sources(layer, metadata).items()),
    )


def _trace_source(lake: Lake, full_name: str, version: int) -> TableTrace:
    layer, _, name = full_name.partition(".")
    return trace_table(lake, layer, name, version)


def _made_by(lake: Lake, layer: str, name: str, version: int) -> tuple[int, dict[str, Any]]:
    """Return the newest commit up to a version that says from what it was made; else the commit itself."""
    newest = _commit(lake, layer, name, version)
    for earlier in range(version, -1, -1):
        commit = read_commit(lake.spark, lake.path(layer, name), earlier)
        if commit is None:
            break
        metadata = our_metadata(commit)
        if "cursor" in metadata or "sources" in metadata:
            return earlier, commit
    return version, newest


def _commit(lake: Lake, layer: str, name: str, version: int) -> dict[str, Any]:
    commit = read_commit(lake.spark, lake.path(layer, name), version) if version >= 0 else None
    if commit is None:
        newest = lake.version(layer, name)
        raise NotFound(f"{layer}.{name} has no version {version} in its log", f"the newest is {newest}")
    return commit


def _sources(layer: str, metadata: Mapping[str, Any]) -> dict[str, int]:
    if layer == "gold" and "source" in metadata:
        return {f"silver.{metadata['source']}": int(metadata["source_version"])}
    return {name: int(version) for name, version in metadata.get("sources", {}).items()}


def _files(
    lake: Lake, layer: str, name: str, version: int, metadata: Mapping[str, Any]
) -> tuple[tuple[FileRecord, ...], int | None]:
    """Return the files whose rows came with a commit of bronze or silver, and how many the table holds by then."""
    if layer not in ("bronze", "silver") or "cursor" not in metadata:
        return (), None
    until = int(metadata["cursor"])
    since = _cursor_before(lake, layer, name, version)
    records = [record for record in read_records(lake, name) if record.load is not None and record.load <= until]
    came = [record for record in records if record.load is not None and record.load > since]
    return tuple(sorted(came, key=lambda record: record.file)), len(records)


def _cursor_before(lake: Lake, layer: str, name: str, version: int) -> int:
    for earlier in range(version - 1, -1, -1):
        commit = read_commit(lake.spark, lake.path(layer, name), earlier)
        metadata = our_metadata(commit) if commit else {}
        if "cursor" in metadata:
            return int(metadata["cursor"])
    return -1
