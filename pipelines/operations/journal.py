"""The journal ``ops.runs``: what ran, when, by whom, with which outcome. One row for each job that held the lease.

A job writes its row when it ends. A job that is killed cannot. But it has written its facts to a file beside the
lease, and the next job makes the row from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.delta.commit import Outcome, Stamp
from pipelines.delta.lake import LakeTables
from pipelines.delta.local import append_records, as_records
from pipelines.runtime.run_facts import RunFacts

if TYPE_CHECKING:
    from pipelines.operations.lease import Holder

_TEXT, _TIME = pa.string(), pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        *(pa.field(name, _TEXT, nullable=False) for name in ("run", "job", "status")), ("outcome", _TEXT),
        ("reason", _TEXT), ("tables", pa.list_(_TEXT)), ("started_at", _TIME), ("ended_at", _TIME), ("code", _TEXT),
        ("spark_app", _TEXT), ("dag", _TEXT), ("dag_run", _TEXT), ("task", _TEXT), ("try_number", pa.int32()),
        ("spread", _TEXT),
    ]
)  # fmt: skip
DONE, FAILED, KILLED = "DONE", "FAILED", "KILLED"


@dataclass(frozen=True, kw_only=True)
class JournalRow(RunFacts):
    """One row of ``ops.runs``: the facts of a run, and what became of it.

    Parameters
    ----------
    tables : the names of the contracts, views or models that the job worked on
    spread : how a cluster's executors shared the work; None where Spark runs embedded
    """

    status: str
    outcome: str | None = None
    reason: str | None = None
    tables: Sequence[str] = ()
    ended_at: datetime | None = None
    spread: str | None = None


def end_run(
    run: RunFacts, outcome: Outcome | None, tables: Sequence[str], reason: str | None = None, spread: str | None = None
) -> JournalRow:
    """Return the row of a job that ends now. With a reason, it failed."""
    return JournalRow(
        **vars(run), status=DONE if reason is None else FAILED, ended_at=datetime.now(UTC).replace(microsecond=0),
        outcome=outcome, tables=tuple(tables), reason=reason, spread=spread,
    )  # fmt: skip


def killed_run(holder: "Holder") -> JournalRow | None:
    """Return the row of a job that died while it held the lease; None when the holder was no job."""
    if holder.run is None:
        return None
    reason = f"its process {holder.pid} on {holder.host} ended before the job did"
    return JournalRow(**vars(holder.run), status=KILLED, reason=reason)


def write_journal(lake: LakeTables, row: JournalRow, run: RunFacts) -> None:
    """Add a row to the journal; ``run`` is the run that writes it."""
    rows = pa.Table.from_pylist([vars(row)], SCHEMA)
    append_records(lake.path("ops", "runs"), lake.options, rows, Stamp("runs", run))


def read_newest_run(lake: LakeTables, jobs: Sequence[str], tables: Sequence[str]) -> JournalRow | None:
    """Return the newest run of one of the jobs that worked on one of the tables."""
    if not lake.exists("ops", "runs"):
        return None
    job, table = (", ".join(f"'{name}'" for name in names) for names in (jobs, tables))
    wanted = f"job IN ({job}) AND array_has_any(tables, ARRAY[{table}])"
    rows = lake.rows("ops", "runs", f"{wanted} ORDER BY started_at DESC, ended_at DESC LIMIT 1")
    return next(iter(as_records(rows, JournalRow)), None)
