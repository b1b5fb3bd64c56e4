"""The versions of a table: when each was committed, by which run, and what it did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conf.errors import NotFound
from conf.instants import as_utc
from pipelines.delta.lake import Lake
from pipelines.delta.log import our_metadata, read_commits


@dataclass(frozen=True)
class TableVersion:
    """One commit. ``metadata`` is what Headwater wrote into it; empty when somebody else made the commit."""

    version: int
    committed_at: datetime
    operation: str
    metadata: dict[str, Any]
    metrics: dict[str, str]


def read_history(lake: Lake, layer: str, name: str, limit: int) -> list[TableVersion]:
    """Return the newest versions of a table, newest first.

    Raises
    ------
    NotFound : when there is no such table
    """
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", "`headwater query` and `history` name tables layer.table")
    commits = [row.asDict() for row in read_commits(lake.spark, lake.path(layer, name), limit)]
    return [
        TableVersion(
            row["version"], as_utc(row["timestamp"]), row["operation"], our_metadata(row), row["operationMetrics"] or {}
        )
        for row in commits
    ]
