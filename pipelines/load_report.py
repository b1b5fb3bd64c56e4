"""What a load did to one table, in files and rows."""

from dataclasses import dataclass
from typing import Literal

from pipelines.delta.commit import Commit, Outcome, combine_outcomes

Stage = Literal["bronze", "silver"]


@dataclass(frozen=True)
class BronzeReport:
    """What one load did to one bronze table, in files and rows. ``failures`` name each damaged file and its reason."""

    commit: Commit
    files_seen: int
    files_new: int = 0
    files_duplicate: int = 0
    files_failed: int = 0
    rows: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class SilverReport:
    """What one load did to one silver table, in rows of the batch."""

    commit: Commit
    quarantine: Commit
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_superseded: int = 0
    rows_repeated: int = 0
    rows_warned: int = 0
    heaviest_key_share: float | None = None


@dataclass(frozen=True)
class TableLoad:
    """What a load did to one table, and how long it took."""

    table: str
    bronze: BronzeReport | None
    silver: SilverReport | None
    ledger: Commit
    seconds: float

    @property
    def outcome(self) -> Outcome:
        commits = [self.ledger, *([self.bronze.commit] if self.bronze else [])]
        commits += [self.silver.commit, self.silver.quarantine] if self.silver else []
        return combine_outcomes([commit.outcome for commit in commits])
