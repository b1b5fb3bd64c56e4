"""The job ``load``: landing → bronze → silver, for several tables at once."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from pyspark.sql import SparkSession

from conf.contract import Contract
from pipelines.bronze.load import load_bronze
from pipelines.delta.commit import Commit, Outcome
from pipelines.delta.lake import Lake
from pipelines.ledger.ledger import Ledger
from pipelines.load_report import Stage, TableLoad
from pipelines.runtime.parallel_sessions import run_in_parallel_sessions
from pipelines.runtime.run_facts import RunFacts
from pipelines.silver.load import load_silver

Say = Callable[[str], None]


def load_tables(
    lake: Lake, contracts: Sequence[Contract], only: Stage | None, run: RunFacts, say: Say
) -> list[TableLoad]:
    """Load what landed for each table into bronze, then what silver has not read into silver.

    Parameters
    ----------
    only : one stage alone; None for both
    say : told what is being done, as text for the user

    Raises
    ------
    FileRejected, ExpectationFailed : where a contract says so; the other tables are loaded first
    """
    ledger = Ledger(lake)

    def load_table(contract: Contract, spark: SparkSession) -> TableLoad:
        own_lake = lake.with_session(spark)
        started = datetime.now().astimezone()
        before = own_lake.version("ops", "files")
        bronze = silver = None
        try:
            if only != "silver":
                say(f"{contract.name}: landing → bronze")
                bronze = load_bronze(own_lake, contract, ledger, started, run)
            if only != "bronze":
                say(f"{contract.name}: bronze → silver")
                silver = load_silver(own_lake, contract, ledger, run)
        finally:
            ledger.flush(run)
        after = own_lake.version("ops", "files")
        entries = Commit(Outcome.APPLIED if after > before else Outcome.UNCHANGED, before, after)
        seconds = round((datetime.now().astimezone() - started).total_seconds(), 1)
        return TableLoad(contract.name, bronze, silver, entries, seconds)

    return run_in_parallel_sessions(lake.spark, [partial(load_table, contract) for contract in contracts])
