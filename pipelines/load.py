"""The load job: landing → bronze → silver, table by table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from conf.contract import Contract
from pipelines.bronze import BronzeReport, load_bronze
from pipelines.lake import Lake
from pipelines.ledger import Ledger
from pipelines.outcome import Commit, Outcome, worst
from pipelines.silver import SilverReport, load_silver

Stage = Literal["bronze", "silver"]
Say = Callable[[str], None]


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
        return worst([commit.outcome for commit in commits])


def load_tables(
    lake: Lake, contracts: Sequence[Contract], only: Stage | None, run: dict[str, Any], say: Say
) -> list[TableLoad]:
    """Load what landed for each table, then what silver has not read.

    Raises
    ------
    FileRejected, ExpectationFailed : where a contract says so; tables before it stay loaded
    """
    ledger = Ledger(lake)
    loads = []
    for contract in contracts:
        started = datetime.now().astimezone()
        before = lake.version("ops", "files")
        bronze = silver = None
        try:
            if only != "silver":
                say(f"{contract.name}: landing → bronze")
                bronze = load_bronze(lake, contract, ledger, started, run)
            if only != "bronze":
                say(f"{contract.name}: bronze → silver")
                silver = load_silver(lake, contract, ledger, run)
        finally:
            written = ledger.flush(run)
        outcome = Outcome.APPLIED if written.version_after > before else Outcome.UNCHANGED
        seconds = (datetime.now().astimezone() - started).total_seconds()
        entries = Commit(outcome, before, written.version_after)
        loads.append(TableLoad(contract.name, bronze, silver, entries, round(seconds, 1)))
    return loads
