"""Silver → gold: bring feature views up to an instant, at a cost that follows what changed.

A view's table records in its commits which silver version it has read and ``through`` when it is complete. What
changed in silver since is read once for all views; from it follow the grid points to make anew, and from those the
events to read, with literal bounds. Only rows that differ are written. A table made under another fingerprint is
rebuilt beside and swapped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import Contract
from conf.errors import NotFound
from conf.instants import format_instant, instant_to_micros, micros_to_instant, parse_instant
from features.definitions import FeatureView
from features.fingerprint import fingerprint
from features.spark.events import build_events, build_timeliness
from features.spark.feature_rows import build_rows
from features.spark.spans import Bounds, bounds_of, build_extent, build_spans, in_spans
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.literals import sql_literal
from pipelines.delta.log import table_properties
from pipelines.delta.merge import (
    DELETE_MARK,
    MARKS_ROWS,
    Stamp,
    Target,
    create_table,
    drop_table,
    merge_rows,
    read_changes,
    swap_table,
)
from pipelines.ledger.ledger import data_clock
from pipelines.project.project import Project
from pipelines.runtime.parallel_sessions import run_side_by_side

FINGERPRINT = "headwater.fingerprint"


@dataclass(frozen=True)
class GoldReport:
    """What one materialization did to one view; the shares are of the events it counted, None when there were none."""

    view: str
    commit: Commit
    through: datetime
    is_full: bool = False
    rows_restated: int = 0
    share_on_time: float | None = None
    share_too_late: float | None = None


@dataclass(frozen=True)
class _Task:
    """One view to bring from where its table stands to a silver version and a ``through``."""

    view: FeatureView
    contract: Contract
    fingerprint: str
    source_version: int
    changed_version: int
    through: datetime
    is_known: bool = False
    is_same_meaning: bool = False
    cursor: int = -1
    generation: int = 0
    previous: datetime | None = None

    @property
    def is_done(self) -> bool:
        return self.is_same_meaning and self.cursor >= self.changed_version and self.previous == self.through

    @property
    def grain(self) -> tuple[str, ...]:
        return (*self.view.entity.join_keys, "feature_at")

    @property
    def event_at(self) -> str:
        return self.view.event_at or self.contract.event_at

    def events(self, silver: DataFrame) -> DataFrame:
        return build_events(silver, self.view, self.contract.event_at, self.contract.grain)


def materialize(
    project: Project, lake: Lake, views: Sequence[FeatureView], through: datetime | None, run: dict[str, Any],
    is_full: bool = False,
) -> list[GoldReport]:  # fmt: skip
    """Complete each view's gold table through an instant; by default its source's data clock, and never back.

    Raises
    ------
    NotFound : when a source has never been loaded
    """
    sources = {view.source for view in views if lake.exists("silver", view.source)}
    clocks = {} if through else {source: data_clock(lake, source) for source in sources}
    tasks = [_plan(project, lake, view, through or clocks.get(view.source)) for view in views]
    with _changes(lake, [task for task in tasks if task.is_same_meaning and not is_full]) as changes:

        def work(task: _Task, lake: Lake) -> GoldReport:
            if is_full or not task.is_same_meaning:
                return _recompute(lake, task, run)
            if task.is_done:
                return GoldReport(task.view.name, unchanged(lake.version("gold", task.view.name)), task.through)
            return _advance(lake, task, changes.get((task.view.source, task.cursor)), run)

        return run_side_by_side(lake, [partial(work, task) for task in tasks])


def is_complete(project: Project, lake: Lake, view: FeatureView, through: datetime | None) -> bool:
    """Tell whether ``materialize`` would find nothing to do for the view."""
    return _plan(project, lake, view, through).is_done


def _plan(project: Project, lake: Lake, view: FeatureView, asked: datetime | None) -> _Task:
    contract = project.contract(view.source)
    if not lake.exists("silver", view.source):
        raise NotFound(f"the view {view.name} reads silver.{view.source}, which is not loaded", "run `headwater load`")
    if asked is None:
        raise NotFound(f"silver.{view.source} has no known time yet", "land files for it and run `headwater load`")
    meaning = fingerprint(view, contract)
    newest, changed = lake.version("silver", view.source), lake.changed_version("silver", view.source)
    task = _Task(view, contract, meaning, newest, changed, asked)
    if not lake.exists("gold", view.name):
        return task
    standing = lake.standing("gold", view.name)
    recorded = standing.metadata.get("through")
    previous = parse_instant(recorded) if recorded else None
    path = lake.path("gold", view.name)
    is_same = table_properties(lake.spark, path).get(FINGERPRINT) == meaning and previous is not None
    is_same = is_same and standing.metadata.get("source_id") == lake.table_id("silver", view.source)
    return replace(
        task, is_known=True, is_same_meaning=is_same, cursor=standing.cursor, generation=standing.generation,
        previous=previous, through=max(asked, previous) if previous else asked,
    )  # fmt: skip


@contextmanager
def _changes(lake: Lake, tasks: Sequence[_Task]) -> Iterator[dict[tuple[str, int], DataFrame]]:
    """Read what changed in each source once, keep it in memory for all its views, and release it."""
    frames: dict[tuple[str, int], DataFrame] = {}
    for task in tasks:
        key = (task.view.source, task.cursor)
        if task.cursor < task.source_version and key not in frames:
            path = lake.path("silver", task.view.source)
            frames[key] = read_changes(lake.spark, path, task.cursor, task.source_version).persist()
    try:
        yield frames
    finally:
        for frame in frames.values():
            frame.unpersist()


def _recompute(lake: Lake, task: _Task, run: dict[str, Any]) -> GoldReport:
    """Make every row; where a table of the same meaning stands, write only what differs."""
    events = task.events(lake.read("silver", task.view.source, task.source_version))
    rows = build_rows(events, task.view, instant_to_micros(task.through))
    timeliness = build_timeliness(events, task.view).collect()[0]
    shares = (timeliness["share_on_time"], timeliness["share_too_late"])
    if task.is_same_meaning:
        commit, restated = _merge_difference(lake, task, rows, lake.read("gold", task.view.name), None, run)
        return GoldReport(task.view.name, commit, task.through, True, restated, *shares)
    path = lake.path("gold", task.view.name)
    beside = f"{path}__rebuilding" if task.is_known else path
    if task.is_known:
        drop_table(lake.spark, beside)
    properties = {**MARKS_ROWS, FINGERPRINT: task.fingerprint}
    create_table(lake.spark, beside, _required(rows.schema, task.grain), (), properties)
    commit = merge_rows(lake.spark, Target(beside, task.grain), rows, _stamp(lake, replace(task, generation=0), run))
    if task.is_known:
        swap_table(lake.spark, path, beside)
    return GoldReport(task.view.name, commit, task.through, True, 0, *shares)


def _advance(lake: Lake, task: _Task, changes: DataFrame | None, run: dict[str, Any]) -> GoldReport:
    """Make anew only the rows that the changes touch, and those that became available since."""
    view, silver = task.view, lake.read("silver", task.view.source, task.source_version)
    changed = task.events(silver.limit(0) if changes is None else changes)
    previous = instant_to_micros(task.previous or task.through)
    spans = build_spans(changed, view, previous, instant_to_micros(task.through))
    touched = spans.touched.persist()
    try:
        spans = replace(spans, touched=touched)
        extent = build_extent(spans).collect()[0]
        bounds = bounds_of(view, spans, extent["_first_us"], extent["_last_us"])
        shares: tuple[float | None, float | None] = (None, None)
        if changes is not None:
            images = task.events(changes.where("_change_type IN ('insert', 'update_postimage')"))
            timeliness = build_timeliness(images, view).collect()[0]
            shares = (timeliness["share_on_time"], timeliness["share_too_late"])
        if bounds is None:
            rows = stored = lake.read("gold", view.name).limit(0)
        else:
            events = task.events(silver.where(_event_range(task, bounds)))
            rows = build_rows(events, view, instant_to_micros(task.through), spans)
            stored = in_spans(lake.read("gold", view.name).where(_point_range(bounds)), spans, view)
        commit, restated = _merge_difference(lake, task, rows, stored, bounds, run)
    finally:
        touched.unpersist()
    return GoldReport(view.name, commit, task.through, False, restated, *shares)


def build_difference(rows: DataFrame, stored: DataFrame, grain: Sequence[str]) -> DataFrame:
    """Return what must be written so that ``stored`` becomes ``rows``: both of grain ``grain``, keys never NULL.

    Returns
    -------
    grain ``grain``: the rows that are new or differ, and with ``_delete`` true those that are no longer there
    """
    values = [name for name in rows.columns if name not in grain]
    made = rows.select(*grain, F.struct(*values).alias("_new"))
    kept = stored.select(*grain, F.struct(*values).alias("_old"))
    pairs = made.join(kept, on=list(grain), how="full_outer").where(~F.col("_new").eqNullSafe(F.col("_old")))
    is_gone = F.col("_new").isNull()
    image = F.coalesce("_new", "_old")
    return pairs.select(*grain, *[image[name].alias(name) for name in values], is_gone.alias(DELETE_MARK))


def _merge_difference(
    lake: Lake, task: _Task, rows: DataFrame, stored: DataFrame, bounds: Bounds | None, run: dict[str, Any]
) -> tuple[Commit, int]:
    difference = build_difference(rows, stored, task.grain).persist()
    try:
        previous = F.lit(task.previous)
        restated = difference.where(F.col("available_at") <= previous).count()
        on = [_point_range(bounds, "t.")] if bounds is not None else []
        target = Target(lake.path("gold", task.view.name), task.grain, on)
        if task.is_done and difference.isEmpty():
            return unchanged(lake.version("gold", task.view.name)), 0
        return merge_rows(lake.spark, target, difference, _stamp(lake, task, run)), restated
    finally:
        difference.unpersist()


def _event_range(task: _Task, bounds: Bounds) -> str:
    high = f"{task.event_at} < {sql_literal(micros_to_instant(bounds.event_hi_us))}"
    if bounds.event_lo_us is None:
        return high
    return f"{task.event_at} >= {sql_literal(micros_to_instant(bounds.event_lo_us))} AND {high}"


def _point_range(bounds: Bounds, alias: str = "") -> str:
    first, last = (sql_literal(micros_to_instant(us)) for us in (bounds.first_us, bounds.last_us))
    return f"{alias}feature_at >= {first} AND {alias}feature_at <= {last}"


def _stamp(lake: Lake, task: _Task, run: dict[str, Any]) -> Stamp:
    facts = {
        "through": format_instant(task.through),
        "fingerprint": task.fingerprint,
        "source": task.view.source,
        "source_version": task.source_version,
        "source_id": lake.table_id("silver", task.view.source),
    }
    stamp = Stamp(task.view.name, run, task.generation, task.source_version, facts)
    if task.is_same_meaning and task.cursor >= task.source_version:
        return replace(stamp, through_us=instant_to_micros(task.through))
    return stamp


def _required(schema: StructType, grain: Sequence[str]) -> StructType:
    for column in schema.fields:
        column.nullable = column.name not in (*grain, "available_at")
    return schema
