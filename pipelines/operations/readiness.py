"""Whether the data is ready to train on: its last loads succeeded, and no layer lags behind its source."""

from collections.abc import Iterable, Sequence

from features.definitions import FeatureView
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import is_complete
from pipelines.ledger.data_clock import clock_of
from pipelines.ledger.file_records import FAILED, LOADED, FileRecord, read_records_by_table
from pipelines.operations.journal import DONE, read_journal
from pipelines.project.project import Project


def find_reasons_not_to_train(
    project: Project, lake: LakeTables, tables: Sequence[str], views: Sequence[FeatureView]
) -> list[str]:
    """Return every reason not to train on these tables and views. No reason means that the data is clean."""
    records = read_records_by_table(lake)
    return [
        *find_failed_loads(lake, tables),
        *(reason for table in tables for reason in _table_reasons(lake, table, records[table])),
        *(reason for view in views for reason in _view_reasons(project, lake, view, records[view.source])),
    ]


def find_failed_loads(lake: LakeTables, tables: Sequence[str]) -> list[str]:
    """Name the newest load of each stage that worked on one of the tables, if it did not succeed."""
    runs = [run for run in read_journal(lake) if set(run.tables) & set(tables)]
    failed = {}  # by run, because a `load` without a stage is the newest of both
    for stage in ("bronze", "silver"):
        newest = next((run for run in reversed(runs) if run.job in ("load", f"load {stage}")), None)
        if newest is not None and newest.status != DONE:
            failed[newest.run] = f"the last `{newest.job}` {newest.status}: {newest.reason}"
    return list(failed.values())


def _table_reasons(lake: LakeTables, table: str, records: Sequence[FileRecord]) -> Iterable[str]:
    newest = max(records, key=_judged_at, default=None)
    if newest is not None and newest.status == FAILED:
        yield f"the newest delivery of {table} was refused: {newest.file}: {newest.reason}"
    if not lake.exists("silver", table):
        yield f"silver.{table} has never been loaded"
        return
    loads = [record.load for record in records if record.status == LOADED and record.load is not None]
    if max(loads, default=-1) > lake.last_commit("silver", table).cursor:
        yield f"silver.{table} has not read all of bronze.{table}"


def _view_reasons(
    project: Project, lake: LakeTables, view: FeatureView, records: Sequence[FileRecord]
) -> Iterable[str]:
    if not lake.exists("silver", view.source):
        return
    clock = clock_of(records, lake.last_commit("silver", view.source).cursor)
    if clock is None or not is_complete(lake, view, project.contract(view.source), clock):
        yield f"gold.{view.name} has not read all of silver.{view.source}"


def _judged_at(record: FileRecord) -> tuple[float, bool]:
    """Order files by when they were accepted or refused. At the same instant a refused file counts as the newer one."""
    return (record.recorded_at.timestamp() if record.recorded_at else 0.0, record.status == FAILED)
