"""What a write did: the typed outcome every job reports."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """APPLIED: rows were written. ADVANCED: only the cursor moved, in a commit without files. UNCHANGED: no commit."""

    APPLIED = "APPLIED"
    ADVANCED = "ADVANCED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True)
class Commit:
    """One write to one table, in rows of the table."""

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
    """Return the commit that was not made."""
    return Commit(Outcome.UNCHANGED, version, version)


def worst(outcomes: list[Outcome]) -> Outcome:
    """Return what several writes did together: APPLIED if any applied, else ADVANCED if any advanced."""
    for outcome in (Outcome.APPLIED, Outcome.ADVANCED):
        if outcome in outcomes:
            return outcome
    return Outcome.UNCHANGED
