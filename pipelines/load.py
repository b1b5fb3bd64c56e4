"""The load job: landing → bronze → silver, table by table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from conf.contract import Contract
from pipelines.bronze import BronzeReport, load_bronze
from pipelines.lake import Lake
from pipelines.outcome import Outcome, worst
from pipelines.silver import SilverReport, load_silver

Stage = Literal["bronze", "silver"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class TableLoad:
    """What a load did to one table, and how long it took."""

    table: str
    bronze: BronzeReport | None
    silver: SilverReport | None
    seconds: float

    @property
    def outcome(self) -> Outcome:
        commits = [self.bronze.commit, self.bronze.ledger] if self.bronze else []
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
    loads = []
    for contract in contracts:
        started = datetime.now().astimezone()
        bronze = silver = None
        if only != "silver":
            say(f"{contract.name}: landing → bronze")
            bronze = load_bronze(lake, contract, started, run)
        if only != "bronze":
            say(f"{contract.name}: bronze → silver")
            silver = load_silver(lake, contract, run)
        seconds = (datetime.now().astimezone() - started).total_seconds()
        loads.append(TableLoad(contract.name, bronze, silver, round(seconds, 1)))
    return loads
