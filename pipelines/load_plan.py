"""What a load would do to one table, found out from the landing folder and from the tables' logs, without Spark."""

from collections.abc import Sequence
from dataclasses import dataclass

from conf.contract import Contract
from pipelines.delta.commit import unchanged
from pipelines.delta.lake import LakeTables
from pipelines.landing.listing import LandedFile, find_new_files, list_landed
from pipelines.ledger.known_files import KnownFiles, read_known_files
from pipelines.load_report import BronzeReport, SilverReport, Stage, TableLoad


@dataclass(frozen=True)
class LoadPlan:
    """What is to be loaded into one table.

    Parameters
    ----------
    files_seen : files in the landing folder
    new_files : those whose path, size and modification time the ledger does not have
    unread_loads : bronze loads that silver has not read
    doubt : why only a look by Spark can tell whether there is more to do; '' when there is no doubt
    """

    table: str
    files_seen: int
    new_files: tuple[LandedFile, ...]
    unread_loads: int
    doubt: str = ""

    @property
    def bytes_new(self) -> int:
        return sum(file.size for file in self.new_files)

    @property
    def reason(self) -> str:
        """Why there is something to do, in words; '' when there is nothing."""
        reasons = [self.doubt] if self.doubt else []
        reasons += [f"{len(self.new_files)} new or changed files"] if self.new_files else []
        reasons += [f"silver has not read {self.unread_loads} loads of bronze"] if self.unread_loads else []
        return "; ".join(reasons)

    def has_work(self, only: Stage | None) -> bool:
        """Tell whether a load, or one stage of it, would have something to do."""
        is_bronze_done = only == "silver" or not self.new_files
        is_silver_done = only == "bronze" or not self.unread_loads
        return bool(self.doubt) or not (is_bronze_done and is_silver_done)


def plan_load(lake: LakeTables, contract: Contract, known: KnownFiles) -> LoadPlan:
    """Compare what landed for a table with what its ledger and the logs of its tables say."""
    name = contract.name
    if "://" in lake.settings.landing:
        return LoadPlan(name, 0, (), 0, "the landing folder is not on this machine")
    landed = list_landed(lake.settings.landing, contract)
    new = tuple(find_new_files(landed, known.seen))
    silver_cursor = lake.last_commit("silver", name).cursor
    unread = sum(load > silver_cursor for load in known.loads)
    is_ahead = lake.last_commit("bronze", name).cursor > known.last_load
    doubt = "a killed load left rows that the ledger does not know" if is_ahead else ""
    return LoadPlan(name, len(landed), new, unread, doubt)


def plan_loads(lake: LakeTables, contracts: Sequence[Contract]) -> list[LoadPlan]:
    """Plan the load of several tables; what the ledger knows of them is read once."""
    known = read_known_files(lake, [contract.name for contract in contracts])
    return [plan_load(lake, contract, known[contract.name]) for contract in contracts]


def most_bytes_to_read(lake: LakeTables, plans: Sequence[LoadPlan]) -> int | None:
    """Return how many bytes the loads will read at most; None when a plan is in doubt.

    They read the new files, what silver has not read of bronze, and silver, with which the rows are compared. Of silver
    they usually read far less, because files without a key of the new rows are skipped. Files that come late, which
    need all of bronze, are not foreseen.
    """
    if any(plan.doubt for plan in plans):
        return None
    tables = {("silver", plan.table) for plan in plans if plan.has_work(None)}
    tables |= {("bronze", plan.table) for plan in plans if plan.unread_loads}
    return sum(plan.bytes_new for plan in plans) + sum(lake.size(layer, name) for layer, name in tables)


def report_nothing(lake: LakeTables, plan: LoadPlan, only: Stage | None) -> TableLoad:
    """Return the report on a table for which there was nothing to do."""
    versions = {layer: lake.version(layer, plan.table) for layer in ("bronze", "silver", "quarantine")}
    bronze = None if only == "silver" else BronzeReport(unchanged(versions["bronze"]), plan.files_seen)
    silver = None
    if only != "bronze":
        silver = SilverReport(unchanged(versions["silver"]), unchanged(versions["quarantine"]))
    return TableLoad(plan.table, bronze, silver, unchanged(lake.version("ops", "files")), 0.0)
