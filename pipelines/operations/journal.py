"""``ops.runs``: what ran, when, by whom, with which outcome. Grain (run): one row for each job that took the lease.

A row is written when its job ends. A job that was killed cannot write its own: it left its name beside the lease, and
the next one writes the row for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any

from conf.instants import as_utc, parse_instant
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import Lake
from pipelines.delta.merge import Stamp, append_rows, create_table

SCHEMA = """run string NOT NULL, job string NOT NULL, status string NOT NULL, outcome string, reason string,
 tables array<string>, started_at timestamp, ended_at timestamp, code string, spark_app string, dag string,
 dag_run string, task string, try_number int, spread string"""
DONE, FAILED, KILLED = "DONE", "FAILED", "KILLED"


@dataclass(frozen=True)
class RunRow:
    """One row of ``ops.runs``. ``tables`` are what it worked on, by contract, view or model name.

    ``spread`` says how a cluster's executors shared the work.
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


def ended_run(
    run: Mapping[str, Any], ended_at: datetime, outcome: Outcome | None, tables: Sequence[str], reason: str | None
) -> RunRow:
    """Return the row of a job that ends now; with a reason it failed."""
    status = DONE if reason is None else FAILED
    return _row(run, status, ended_at=ended_at, outcome=outcome, tables=tuple(tables), reason=reason)


def killed_run(holder: Mapping[str, Any]) -> RunRow | None:
    """Return the row of a job that died holding the lease, from what it left beside it; None when that says no run."""
    if "run" not in holder:
        return None
    return _row(holder, KILLED, reason=f"its process {holder['pid']} on {holder['host']} ended before the job did")


def write_runs(lake: Lake, rows: Sequence[RunRow], run: Mapping[str, Any]) -> None:
    """Add rows to the journal."""
    path = lake.path("ops", "runs")
    schema = lake.spark.createDataFrame([], SCHEMA).schema
    create_table(lake.spark, path, schema, (), {})
    frame = lake.spark.createDataFrame([astuple(row) for row in rows], schema)
    append_rows(lake.spark, path, frame.coalesce(1), Stamp("runs", run))


def read_runs(lake: Lake) -> list[RunRow]:
    """Return the journal, oldest first."""
    if not lake.exists("ops", "runs"):
        return []
    names = [field.name for field in fields(RunRow)]
    rows = lake.read("ops", "runs").select(*names).collect()
    found = [RunRow(*(_utc(value) for value in row)) for row in rows]
    return sorted(found, key=lambda row: (row.started_at is not None, row.started_at))


def _row(run: Mapping[str, Any], status: str, **facts: Any) -> RunRow:
    return RunRow(
        run=run["run"], job=run["job"], status=status, code=run.get("code"), spark_app=run.get("spark_app"),
        started_at=parse_instant(run["started_at"]), dag=run.get("dag"), dag_run=run.get("dag_run"),
        task=run.get("task"), try_number=int(run["try"]) if "try" in run else None, **facts,
    )  # fmt: skip


def _utc(value: Any) -> Any:
    return as_utc(value) if isinstance(value, datetime) else value
