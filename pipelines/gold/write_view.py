"""The feature rows of one view: computed anew where that is needed, compared with the stored rows, and written.

The changed silver rows decide which grid points are computed anew, and these decide which events are read. Only rows
that differ from the stored ones are written. Where none differs, a commit without rows moves the cursor.
"""

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.instants import instant_to_micros, micros_to_instant
from features.spark.events import build_events, build_timeliness
from features.spark.feature_rows import build_rows
from features.spark.spans import Bounds, Spans, bounds_of, build_extent, build_spans, in_spans
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import DELETE_MARK, Difference, Target, append_rows, write_difference
from pipelines.delta.tables import MARKS_ROWS, create_table, drop_table, require_columns, swap_table
from pipelines.gold.plan import FINGERPRINT, GoldReport, ViewPlan
from pipelines.gold.still_view import move_view
from pipelines.gold.view_stamp import stamp_of
from pipelines.runtime.run_facts import RunFacts

NEW_MARK = "_is_new"


def recompute_view(lake: Lake, plan: ViewPlan, run: RunFacts) -> GoldReport:
    """Compute every row anew. A table of the same meaning is updated where rows differ; any other one is replaced."""
    events = _build_events(plan, lake.read("silver", plan.view.source, plan.source_version))
    rows = build_rows(events, plan.view, instant_to_micros(plan.through))
    counted = build_timeliness(events, plan.view).collect()[0]
    shares = counted["share_on_time"], counted["share_too_late"]
    if plan.is_same_meaning:
        commit, restated = _write_rows_that_differ(lake, plan, rows, _read_stored(lake, plan), None, run)
        return GoldReport(plan.view.name, commit, plan.through, True, restated, *shares)
    path = target = lake.path("gold", plan.view.name)
    if plan.has_table:
        target = f"{path}__rebuilding"
        drop_table(lake.spark, target)
    schema = require_columns(rows.schema, (*plan.grain, "available_at"))
    create_table(lake.spark, target, schema, properties={**MARKS_ROWS, FINGERPRINT: plan.fingerprint})
    commit = append_rows(lake.spark, target, rows, stamp_of(lake, replace(plan, generation=0), run))
    if plan.has_table:
        swap_table(lake.spark, path, target)
    return GoldReport(plan.view.name, commit, plan.through, True, 0, *shares)


def advance_view(lake: Lake, plan: ViewPlan, changes: DataFrame | None, run: RunFacts) -> GoldReport:
    """Compute anew only the rows that the changes touch, and those that became available since the last job.

    Parameters
    ----------
    changes : the rows that changed in silver since the plan's cursor, before and after; None when none did
    """
    view, previous_us, through_us = plan.view, *map(instant_to_micros, (plan.previous or plan.through, plan.through))
    spans = build_spans(None if changes is None else _build_events(plan, changes), view, previous_us, through_us)
    if changes is None or spans.touched is None:
        return _advance_spans(lake, plan, spans, bounds_of(view, spans, None, None), run)
    touched = spans.touched.persist()
    try:
        extent, counted = _measure_changes(plan, touched, changes)
        first_us, last_us = extent["_first_us"], extent["_last_us"]
        spans = replace(spans, touched=None if first_us is None else touched)
        report = _advance_spans(lake, plan, spans, bounds_of(view, spans, first_us, last_us), run)
        return replace(report, share_on_time=counted["share_on_time"], share_too_late=counted["share_too_late"])
    finally:
        touched.unpersist()


def _advance_spans(lake: Lake, plan: ViewPlan, spans: Spans, bounds: Bounds | None, run: RunFacts) -> GoldReport:
    """Compute the rows of the spans anew and write those that differ; without bounds there is no span."""
    if bounds is None:
        return move_view(lake, plan, run)
    silver = lake.read("silver", plan.view.source, plan.source_version)
    events = _build_events(plan, silver.where(_event_range(plan.event_at, bounds)))
    rows = build_rows(events, plan.view, instant_to_micros(plan.through), spans)
    stored = in_spans(_read_stored(lake, plan).where(_point_range(bounds)), spans, plan.view)
    commit, restated = _write_rows_that_differ(lake, plan, rows, stored, bounds, run)
    return GoldReport(plan.view.name, commit, plan.through, False, restated)


def _measure_changes(plan: ViewPlan, touched: DataFrame, changes: DataFrame) -> tuple[Row, Row]:
    """Return the rows of ``build_extent`` and, for the added events, of ``build_timeliness``, by one Spark action."""
    added = changes.where("_change_type IN ('insert', 'update_postimage')")
    extent, timeliness = build_extent(touched), build_timeliness(_build_events(plan, added), plan.view)
    rows = extent.unionByName(timeliness, allowMissingColumns=True).collect()
    (with_events,) = [row for row in rows if row["events"] is not None]
    (with_extent,) = [row for row in rows if row["events"] is None]
    return with_extent, with_events


def build_difference(rows: DataFrame, stored: DataFrame, grain: Sequence[str]) -> DataFrame:
    """Return what must be written so that ``stored`` becomes ``rows``, lazily.

    Parameters
    ----------
    rows, stored : the same columns, at this grain; no column of the grain is NULL

    Returns
    -------
    at this grain: the rows that are new (``_is_new``) or differ, and, with ``_delete`` true, those that are in
    ``stored`` only
    """
    values = [name for name in rows.columns if name not in grain]
    new = rows.select(*grain, F.struct(*values).alias("_new"))
    old = stored.select(*grain, F.struct(*values).alias("_old"))
    pairs = new.join(old, on=list(grain), how="full_outer").where(~F.col("_new").eqNullSafe(F.col("_old")))
    image, is_gone, is_new = F.coalesce("_new", "_old"), F.col("_new").isNull(), F.col("_old").isNull()
    marks = (is_gone.alias(DELETE_MARK), is_new.alias(NEW_MARK))
    return pairs.select(*grain, *[image[name].alias(name) for name in values], *marks)


def _build_events(plan: ViewPlan, silver: DataFrame) -> DataFrame:
    """Return the events that the view counts among these silver rows, lazily."""
    return build_events(silver, plan.view, plan.contract.event_at, plan.contract.grain)


def _read_stored(lake: Lake, plan: ViewPlan) -> DataFrame:
    name = plan.view.name
    return lake.read("gold", name, lake.version("gold", name))


def _write_rows_that_differ(
    lake: Lake, plan: ViewPlan, rows: DataFrame, stored: DataFrame, bounds: Bounds | None, run: RunFacts
) -> tuple[Commit, int]:
    """Write the rows that differ; return the commit, and how many of them could be used before this job."""
    difference = build_difference(rows, stored, plan.grain).persist()
    try:
        is_new, is_restated = F.col(NEW_MARK), F.col("available_at") <= F.lit(plan.previous)
        counts = [
            F.count_if(condition).alias(name)
            for name, condition in {"new": is_new, "changed": ~is_new, "restated": is_restated}.items()
        ]
        counted = difference.agg(*counts).collect()[0]
        found = Difference(counted["new"], counted["changed"])
        if plan.is_done and not found.rows:
            return unchanged(lake.version("gold", plan.view.name)), 0
        on = [_point_range(bounds, "t.")] if bounds is not None else []
        target = Target(lake.path("gold", plan.view.name), plan.grain, on)
        stamp = stamp_of(lake, plan, run)
        return write_difference(lake.spark, target, difference.drop(NEW_MARK), found, stamp), counted["restated"]
    finally:
        difference.unpersist()


def _event_range(event_at: str, bounds: Bounds) -> str:
    is_before_end = f"{event_at} < {sql_literal(micros_to_instant(bounds.event_hi_us))}"
    if bounds.event_lo_us is None:
        return is_before_end
    return f"{event_at} >= {sql_literal(micros_to_instant(bounds.event_lo_us))} AND {is_before_end}"


def _point_range(bounds: Bounds, alias: str = "") -> str:
    first, last = (sql_literal(micros_to_instant(us)) for us in (bounds.first_us, bounds.last_us))
    return f"{alias}feature_at >= {first} AND {alias}feature_at <= {last}"
