"""What a write did: the typed outcome that every job reports."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


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


def unchanged(version: int) -> Commit:
    """Report that nothing was written to a table, which stays at ``version``."""
    return Commit(Outcome.UNCHANGED, version, version)


def combine_outcomes(outcomes: Collection[Outcome]) -> Outcome:
    """Say what several writes did together: APPLIED if one of them applied, else ADVANCED if one advanced."""
    for outcome in (Outcome.APPLIED, Outcome.ADVANCED):
        if outcome in outcomes:
            return outcome
    return Outcome.UNCHANGED
