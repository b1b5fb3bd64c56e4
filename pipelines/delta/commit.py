"""One commit to a Delta table: it says who made it, and the cursor of what was read moves in the same commit."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pyspark.sql import SparkSession

from pipelines.delta.log import read_commit, table_version
from pipelines.runtime.run_facts import RunFacts
from pipelines.runtime.session import temporary_confs

TXN_APP = "spark.databricks.delta.write.txnAppId"
TXN_VERSION = "spark.databricks.delta.write.txnVersion"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Stamp:
    """Who commits, and where the table's cursor stands after the commit.

    Parameters
    ----------
    table : the table's name
    generation, cursor : recorded in the commit as Delta's SetTransaction ``<table>/<generation>`` = ``cursor``
    through_us : for a commit that moves only ``through``: that instant, in microseconds. The cursor stands still
        then, and Delta would skip a second commit with the same number, so such commits are numbered by the instant
    extra : more facts for the commit's metadata
    """

    table: str
    run: RunFacts
    generation: int = 0
    cursor: int | None = None
    extra: Mapping[str, Any] | None = None
    through_us: int | None = None

    @property
    def transaction(self) -> tuple[str, int] | None:
        """The application id and the number that Delta records; it skips a commit whose number it has already."""
        if self.cursor is None:
            return None
        if self.through_us is not None:
            return f"{self.table}/{self.generation}/through", self.through_us
        return f"{self.table}/{self.generation}", self.cursor

    @property
    def metadata(self) -> str:
        """The commit's ``userMetadata``, as JSON."""
        content: dict[str, Any] = {**self.run.as_json(), "table": self.table, **(self.extra or {})}
        if self.cursor is not None:
            content |= {"generation": self.generation, "cursor": self.cursor}
        return json.dumps(content, sort_keys=True)


class Outcome(StrEnum):
    """APPLIED: rows were written. ADVANCED: only the cursor moved, in a commit without files. UNCHANGED: no commit."""

    APPLIED = "APPLIED"
    ADVANCED = "ADVANCED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True)
class Commit:
    """One write to one table, in rows of the table. A version of -1 means that there was no table."""

    outcome: Outcome
    version_before: int
    version_after: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_copied: int = 0

    @property
    def rows_written(self) -> int:
        return self.rows_inserted + self.rows_updated + self.rows_deleted


def write_commit(spark: SparkSession, path: str, write: Callable[[], object], stamp: Stamp) -> Commit:
    """Run one write under a stamp and report what it did, by the table's own log."""
    before = table_version(spark, path)
    with temporary_confs(spark, _stamp_confs(stamp)):
        write()
    after = table_version(spark, path)
    if after == before:
        return Commit(Outcome.UNCHANGED, before, after)
    metrics = (read_commit(spark, path, after) or {}).get("operationMetrics", {})
    rows = [int(metrics.get(f"numTargetRows{kind}", 0)) for kind in ("Inserted", "Updated", "Deleted", "Copied")]
    if "numTargetRowsInserted" not in metrics:  # an append counts its rows under another name than a MERGE
        rows[0] += int(metrics.get("numOutputRows", 0))
    return Commit(Outcome.APPLIED if any(rows[:3]) else Outcome.ADVANCED, before, after, *rows)


def _stamp_confs(stamp: Stamp) -> dict[str, str]:
    confs = {USER_METADATA: stamp.metadata}
    if stamp.transaction is not None:
        confs |= {TXN_APP: stamp.transaction[0], TXN_VERSION: str(stamp.transaction[1])}
    return confs


def unchanged(version: int) -> Commit:
    """Report that nothing was written to a table, which stays at ``version``."""
    return Commit(Outcome.UNCHANGED, version, version)


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Say what several writes did together: APPLIED if one of them applied, else ADVANCED if one advanced."""
    for outcome in (Outcome.APPLIED, Outcome.ADVANCED):
        if outcome in outcomes:
            return outcome
    return Outcome.UNCHANGED
