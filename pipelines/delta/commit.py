"""One commit to a Delta table: it records who made it, and up to where the table has read its source (the cursor)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.runtime.run_facts import RunFacts

TXN_APP = "spark.databricks.delta.write.txnAppId"
TXN_VERSION = "spark.databricks.delta.write.txnVersion"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Stamp:
    """Who commits, and where the table's cursor stands after the commit.

    Parameters
    ----------
    generation, cursor : recorded in the commit as Delta's SetTransaction ``<table>/<generation>`` = ``cursor``
    extra : more facts for the commit's metadata
    through_us : for a commit that moves only ``through``: that instant, in microseconds. The cursor stays as it is
        then, and Delta would skip a second commit with the same number. So the instant numbers such commits
    """

    table: str
    run: RunFacts
    generation: int = 0
    cursor: int | None = None
    extra: Mapping[str, Any] | None = None
    through_us: int | None = None

    @property
    def metadata(self) -> str:
        """The commit's ``userMetadata``, as JSON."""
        metadata: dict[str, Any] = {**self.run.as_json(), "table": self.table, **(self.extra or {})}
        if self.cursor is not None:
            metadata |= {"generation": self.generation, "cursor": self.cursor}
        return json.dumps(metadata, sort_keys=True)

    @property
    def transaction(self) -> tuple[str, int] | None:
        """The application and the number of the commit's SetTransaction; None for a commit without a cursor.

        A commit whose application and number a table has recorded already must not be made again.
        """
        if self.cursor is None:
            return None
        app = f"{self.table}/{self.generation}"
        return (app, self.cursor) if self.through_us is None else (f"{app}/through", self.through_us)

    @property
    def confs(self) -> dict[str, str]:
        """The properties of a Spark session that make its next commit carry this stamp."""
        if self.transaction is None:
            return {USER_METADATA: self.metadata}
        app, number = self.transaction
        return {USER_METADATA: self.metadata, TXN_APP: app, TXN_VERSION: str(number)}


class Outcome(StrEnum):
    """What a write did. APPLIED: it wrote rows. ADVANCED: it only moved the cursor. UNCHANGED: it made no commit."""

    APPLIED = "APPLIED"
    ADVANCED = "ADVANCED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True)
class Commit:
    """What one write did to one table, counted in rows. A version of -1 means that there was no table."""

    outcome: Outcome
    version_before: int
    version_after: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_copied: int = 0  # rows that did not change, but were written again with others of their file

    @property
    def rows_written(self) -> int:
        return self.rows_inserted + self.rows_updated + self.rows_deleted


def unchanged(version: int) -> Commit:
    """Report that nothing was written to a table, which stays at ``version``."""
    return Commit(Outcome.UNCHANGED, version, version)


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Say what several writes did together: APPLIED if one of them applied, else ADVANCED if one advanced."""
    return next((outcome for outcome in Outcome if outcome in outcomes), Outcome.UNCHANGED)
