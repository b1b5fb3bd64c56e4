"""The trace of a table's version: who committed it, from which tables it was made, and from which files those came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conf.errors import NotFound
from pipelines.delta.lake import LakeTables
from pipelines.delta.log import committed_at, our_metadata
from pipelines.ledger.file_records import FileRecord, count_files, read_records


@dataclass(frozen=True)
class TableTrace:
    """One commit of one table, and the commits of the tables from which it was made.

    Parameters
    ----------
    run : which job made the commit, and under Airflow which try of which task of which DAG run
    through : up to when a gold table was complete; None for other tables
    files : the landed files whose rows came with this commit
    files_through : how many landed files the table had read after this commit
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


def trace_table(lake: LakeTables, layer: str, name: str, version: int) -> TableTrace:
    """Trace a version of a table to the commit that last changed its rows, and that commit to its sources.

    Raises
    ------
    NotFound : when there is no such table or version, or its log entry has been cleaned away
    """
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", "`headwater history` shows a table's versions")
    version, commit = _find_maker(lake, layer, name, version)
    metadata = our_metadata(commit)
    facts = ("run", "job", "code", "dag", "dag_run", "task", "try")
    run: dict[str, Any] = {fact: metadata[fact] for fact in facts if fact in metadata}
    operation, made_at = commit["operation"], committed_at(commit)
    files = _files(lake, layer, name, version, metadata)
    made_of = metadata.get("sources", {})
    if layer == "gold" and "source" in metadata:
        made_of = {f"silver.{metadata['source']}": metadata["source_version"]}
    sources = []
    for full_name, source_version in made_of.items():
        source_layer, _, source_name = full_name.partition(".")
        sources.append(trace_table(lake, source_layer, source_name, int(source_version)))
    return TableTrace(
        f"{layer}.{name}", version, made_at, operation, run, metadata.get("through"), *files, tuple(sources)
    )


def _find_maker(lake: LakeTables, layer: str, name: str, version: int) -> tuple[int, dict[str, Any]]:
    """Return the newest commit up to ``version`` that names what it was made from; if none does, the version's own."""
    own = None
    for found in lake.commits(layer, name, version):
        own = own or found
        metadata = our_metadata(found)
        if "cursor" in metadata or "sources" in metadata:
            return int(found["version"]), found
    if own is None:
        newest = lake.version(layer, name)
        raise NotFound(f"{layer}.{name} has no version {version} in its log", f"the newest is {newest}")
    return version, own


def _files(
    lake: LakeTables, layer: str, name: str, version: int, metadata: Mapping[str, Any]
) -> tuple[tuple[FileRecord, ...], int | None]:
    """Return the files whose rows came with a commit of bronze or silver, and how many files the table had read."""
    if layer not in ("bronze", "silver") or "cursor" not in metadata:
        return (), None
    until = int(metadata["cursor"])
    commits = lake.commits(layer, name, version - 1) if version else iter(())
    earlier = (our_metadata(commit) for commit in commits)
    since = next((int(before["cursor"]) for before in earlier if "cursor" in before), -1)
    came = read_records(lake, name, f"load > {since} AND load <= {until}")
    return tuple(sorted(came, key=lambda record: record.file)), count_files(lake, name, until)
