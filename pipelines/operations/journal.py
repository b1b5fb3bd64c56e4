"""The journal ``ops.runs``: what ran, when, by whom, with which outcome. One row for each job that held the lease.

A job writes its row when it ends. A job that was killed cannot: it left its facts beside the lease, and the next job
writes the row for it.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

from pipelines.delta.commit import Outcome, Stamp
from pipelines.delta.lake import Lake
from pipelines.delta.merge import append_rows
from pipelines.delta.tables import collect_records, create_table
from pipelines.operations.lease import Holder
from pipelines.runtime.run_facts import RunFacts

SCHEMA = """run string NOT NULL, job string NOT NULL, status string NOT NULL, outcome string, reason string,
 tables array<string>, started_at timestamp, ended_at timestamp, code string, spark_app string, dag string,
 dag_run string, task string, try_number int, spread string"""
DONE, FAILED, KILLED = "DONE", "FAILED", "KILLED"


@dataclass(frozen=True)
class JournalRow:
    """One row of ``ops.runs``.

    Parameters
    ----------
    tables : what the job worked on, by the name of the contract, view or model
    spread : how a cluster's executors shared the work; None where Spark runs embedded
    """

    run: str
    job: str
    status: str
    outcome: str | None = None
    reason: str | None = None
    tables: Sequence[str] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    code: str | None = None
    spark_app: str | None = None
    dag: str | None = None
    dag_run: str | None = None
    task: str | None = None
    try_number: int | None = None
    spread: str | None = None


def end_run(
    run: RunFacts, outcome: Outcome | None, tables: Sequence[str], reason: str | None = None, spread: str | None = None
) -> JournalRow:
    """Return the row of a job that ends now. With a reason, it failed."""
    row = _begin_row(run, DONE if reason is None else FAILED)
    ended_at = datetime.now(UTC).replace(microsecond=0)
    return replace(row, ended_at=ended_at, outcome=outcome, tables=tuple(tables), reason=reason, spread=spread)


def killed_run(holder: Holder) -> JournalRow | None:
    """Return the row of a job that died while it held the lease; None when the holder was no job."""
    if holder.run is None:
        return None
    reason = f"its process {holder.pid} on {holder.host} ended before the job did"
    return replace(_begin_row(holder.run, KILLED), reason=reason)


def write_journal(lake: Lake, row: JournalRow, run: RunFacts) -> None:
    """Add a row to the journal; ``run`` is the run that writes it."""
    path = lake.path("ops", "runs")
    schema = lake.spark.createDataFrame([], SCHEMA).schema
    create_table(lake.spark, path, schema)
    append_rows(lake.spark, path, lake.spark.createDataFrame([astuple(row)], schema).coalesce(1), Stamp("runs", run))


def read_journal(lake: Lake) -> list[JournalRow]:
    """Return the journal, oldest first."""
    if not lake.exists("ops", "runs"):
        return []
    rows = collect_records(lake.read("ops", "runs"), JournalRow)
    return sorted(rows, key=lambda row: (row.started_at is not None, row.started_at))


def _begin_row(run: RunFacts, status: str) -> JournalRow:
    return JournalRow(
        run.run, run.job, status, started_at=run.started_at, code=run.code, spark_app=run.spark_app, dag=run.dag,
        dag_run=run.dag_run, task=run.task, try_number=run.try_number,
    )  # fmt: skip
