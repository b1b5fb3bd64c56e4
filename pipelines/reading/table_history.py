"""The versions of a table: when each was committed, by which run, and what it did."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from conf.errors import NotFound
from pipelines.delta.lake import LakeTables
from pipelines.delta.log import committed_at, our_metadata, written_rows


@dataclass(frozen=True)
class TableVersion:
    """One commit. ``metadata`` is what Headwater wrote into it; empty when somebody else made the commit.

    A count of rows is None where the commit does not say it.
    """

    version: int
    committed_at: datetime
    operation: str
    metadata: dict[str, Any]
    metrics: dict[str, str]
    rows_inserted: int | None
    rows_updated: int | None
    rows_deleted: int | None


def read_history(lake: LakeTables, layer: str, name: str, limit: int) -> list[TableVersion]:
    """Return the newest versions of a table, newest first.

    Raises
    ------
    NotFound : when there is no such table
    """
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", "`headwater query` and `history` name tables layer.table")
    commits = islice(lake.commits(layer, name), limit)
    return [
        TableVersion(
            int(row["version"]),
            committed_at(row),
            row["operation"],
            our_metadata(row),
            dict(row.get("operationMetrics") or {}),
            *written_rows(row),
        )
        for row in commits
    ]
