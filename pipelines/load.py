"""The load job: landing → bronze → silver, table by table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from conf.contract import Contract
from pipelines.bronze.load import BronzeReport, load_bronze
from pipelines.delta.commit import Commit, Outcome, worst
from pipelines.delta.lake import Lake
from pipelines.ledger.ledger import Ledger
from pipelines.runtime.parallel_sessions import run_side_by_side
from pipelines.silver.load import SilverReport, load_silver

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
    """Load what landed for each table, then what silver has not read; several tables at once.

    Raises
    ------
    FileRejected, ExpectationFailed : where a contract says so; the other tables are loaded
    """
    ledger = Ledger(lake)

    def work(contract: Contract, lake: Lake) -> TableLoad:
        return _load_table(lake, contract, _Task(only, ledger, run, say))

    return run_side_by_side(lake, [partial(work, contract) for contract in contracts])


@dataclass(frozen=True)
class _Task:
    """What the loads of all tables share."""

    only: Stage | None
    ledger: Ledger
    run: dict[str, Any]
    say: Say


def _load_table(lake: Lake, contract: Contract, task: _Task) -> TableLoad:
    started = datetime.now().astimezone()
    before = lake.version("ops", "files")
    bronze = silver = None
    try:
        if task.only != "silver":
            task.say(f"{contract.name}: landing → bronze")
            bronze = load_bronze(lake, contract, task.ledger, started, task.run)
        if task.only != "bronze":
            task.say(f"{contract.name}: bronze → silver")
            silver = load_silver(lake, contract, task.ledger, task.run)
    finally:
        task.ledger.flush(task.run)
    after = lake.version("ops", "files")
    entries = Commit(Outcome.APPLIED if after > before else Outcome.UNCHANGED, before, after)
    seconds = (datetime.now().astimezone() - started).total_seconds()
    return TableLoad(contract.name, bronze, silver, entries, round(seconds, 1))
