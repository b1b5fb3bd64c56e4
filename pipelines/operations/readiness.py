"""Whether the data is ready to train on: its last loads succeeded, and no layer lags behind its source."""

from collections.abc import Iterable, Sequence

from features.definitions import FeatureView
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import is_complete
from pipelines.ledger.data_clock import data_clock
from pipelines.ledger.file_records import FAILED, read_last_load, read_newest_record
from pipelines.operations.journal import DONE, read_newest_run
from pipelines.project.project import Project


def find_reasons_not_to_train(
    project: Project, lake: LakeTables, tables: Sequence[str], views: Sequence[FeatureView]
) -> list[str]:
    """Return every reason not to train on these tables and views. No reason means that the data is clean."""
    return [
        *find_failed_loads(lake, tables),
        *(reason for table in tables for reason in _table_reasons(lake, table)),
        *(reason for view in views for reason in _view_reasons(project, lake, view)),
    ]


def find_failed_loads(lake: LakeTables, tables: Sequence[str]) -> list[str]:
    """Name the newest load of each stage that worked on one of the tables, if it did not succeed."""
    failed = {}  # by run, because a `load` without a stage is the newest of both
    for stage in ("bronze", "silver"):
        newest = read_newest_run(lake, ["load", f"load {stage}"], tables)
        if newest is not None and newest.status != DONE:
            failed[newest.run] = f"the last `{newest.job}` {newest.status}: {newest.reason}"
    return list(failed.values())


def _table_reasons(lake: LakeTables, table: str) -> Iterable[str]:
    newest = read_newest_record(lake, table)
    if newest is not None and newest.status == FAILED:
        yield f"the newest delivery of {table} was refused: {newest.file}: {newest.reason}"
    if not lake.exists("silver", table):
        yield f"silver.{table} has never been loaded"
    elif read_last_load(lake, table) > lake.last_commit("silver", table).cursor:
        yield f"silver.{table} has not read all of bronze.{table}"


def _view_reasons(project: Project, lake: LakeTables, view: FeatureView) -> Iterable[str]:
    if not lake.exists("silver", view.source):
        return
    clock = data_clock(lake, view.source)
    if clock is None or not is_complete(lake, view, project.contract(view.source), clock):
        yield f"gold.{view.name} has not read all of silver.{view.source}"
