"""The feature rows of one view: computed anew where that is needed, compared with the stored rows, and written.

The changed silver rows decide which grid points are computed anew, and these decide which events are read. Only rows
that differ from the stored ones are written.
"""

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.instants import format_instant, instant_to_micros, micros_to_instant
from features.definitions import FeatureView
from features.spark.events import build_events, build_timeliness
from features.spark.feature_rows import build_rows
from features.spark.spans import Bounds, bounds_of, build_extent, build_spans, in_spans
from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import DELETE_MARK, Target, merge_rows
from pipelines.delta.tables import MARKS_ROWS, create_table, drop_table, require_columns, swap_table
from pipelines.gold.plan import FINGERPRINT, GoldReport, ViewPlan
from pipelines.runtime.run_facts import RunFacts


def recompute_view(lake: Lake, plan: ViewPlan, run: RunFacts) -> GoldReport:
    """Compute every row anew. A table of the same meaning is updated where rows differ; any other one is replaced."""
    events = _build_events(plan, lake.read("silver", plan.view.source, plan.source_version))
    rows = build_rows(events, plan.view, instant_to_micros(plan.through))
    shares = _measure_timeliness(events, plan.view)
    if plan.is_same_meaning:
        commit, restated = _merge_difference(lake, plan, rows, lake.read("gold", plan.view.name), None, run)
        return GoldReport(plan.view.name, commit, plan.through, True, restated, *shares)
    path = target = lake.path("gold", plan.view.name)
    if plan.has_table:
        target = f"{path}__rebuilding"
        drop_table(lake.spark, target)
    schema = require_columns(rows.schema, (*plan.grain, "available_at"))
    create_table(lake.spark, target, schema, properties={**MARKS_ROWS, FINGERPRINT: plan.fingerprint})
    commit = merge_rows(lake.spark, Target(target, plan.grain), rows, _stamp(lake, replace(plan, generation=0), run))
    if plan.has_table:
        swap_table(lake.spark, path, target)
    return GoldReport(plan.view.name, commit, plan.through, True, 0, *shares)


def advance_view(lake: Lake, plan: ViewPlan, changes: DataFrame | None, run: RunFacts) -> GoldReport:
    """Compute anew only the rows that the changes touch, and those that became available since the last job.

    Parameters
    ----------
    changes : the rows that changed in silver since the plan's cursor, before and after; None when none did
    """
    view, silver = plan.view, lake.read("silver", plan.view.source, plan.source_version)
    previous_us, through_us = instant_to_micros(plan.previous or plan.through), instant_to_micros(plan.through)
    changed = _build_events(plan, silver.limit(0) if changes is None else changes)
    spans = build_spans(changed, view, previous_us, through_us)
    touched = spans.touched.persist()
    try:
        spans = replace(spans, touched=touched)
        extent = build_extent(spans).collect()[0]
        bounds = bounds_of(view, spans, extent["_first_us"], extent["_last_us"])
        added = None if changes is None else changes.where("_change_type IN ('insert', 'update_postimage')")
        shares = (None, None) if added is None else _measure_timeliness(_build_events(plan, added), view)
        if bounds is None:
            rows = stored = lake.read("gold", view.name).limit(0)
        else:
            events = _build_events(plan, silver.where(_event_range(plan.event_at, bounds)))
            rows = build_rows(events, view, through_us, spans)
            stored = in_spans(lake.read("gold", view.name).where(_point_range(bounds)), spans, view)
        commit, restated = _merge_difference(lake, plan, rows, stored, bounds, run)
    finally:
        touched.unpersist()
    return GoldReport(view.name, commit, plan.through, False, restated, *shares)


def build_difference(rows: DataFrame, stored: DataFrame, grain: Sequence[str]) -> DataFrame:
    """Return what must be written so that ``stored`` becomes ``rows``, lazily.

    Parameters
    ----------
    rows, stored : the same columns, at this grain; no column of the grain is NULL

    Returns
    -------
    at this grain: the rows that are new or differ, and, with ``_delete`` true, those that are in ``stored`` only
    """
    values = [name for name in rows.columns if name not in grain]
    new = rows.select(*grain, F.struct(*values).alias("_new"))
    old = stored.select(*grain, F.struct(*values).alias("_old"))
    pairs = new.join(old, on=list(grain), how="full_outer").where(~F.col("_new").eqNullSafe(F.col("_old")))
    image, is_gone = F.coalesce("_new", "_old"), F.col("_new").isNull()
    return pairs.select(*grain, *[image[name].alias(name) for name in values], is_gone.alias(DELETE_MARK))


def _build_events(plan: ViewPlan, silver: DataFrame) -> DataFrame:
    """Return the events that the view counts among these silver rows, lazily."""
    return build_events(silver, plan.view, plan.contract.event_at, plan.contract.grain)


def _measure_timeliness(events: DataFrame, view: FeatureView) -> tuple[float | None, float | None]:
    row = build_timeliness(events, view).collect()[0]
    return row["share_on_time"], row["share_too_late"]


def _merge_difference(
    lake: Lake, plan: ViewPlan, rows: DataFrame, stored: DataFrame, bounds: Bounds | None, run: RunFacts
) -> tuple[Commit, int]:
    """Write the rows that differ; return the commit, and how many of them could be used before this job."""
    difference = build_difference(rows, stored, plan.grain).persist()
    try:
        restated = difference.where(F.col("available_at") <= F.lit(plan.previous)).count()
        on = [_point_range(bounds, "t.")] if bounds is not None else []
        target = Target(lake.path("gold", plan.view.name), plan.grain, on)
        if plan.is_done and difference.isEmpty():
            return unchanged(lake.version("gold", plan.view.name)), 0
        return merge_rows(lake.spark, target, difference, _stamp(lake, plan, run)), restated
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


def _stamp(lake: Lake, plan: ViewPlan, run: RunFacts) -> Stamp:
    facts = {
        "through": format_instant(plan.through),
        "fingerprint": plan.fingerprint,
        "source": plan.view.source,
        "source_version": plan.source_version,
        "source_id": lake.table_id("silver", plan.view.source),
    }
    has_read_silver = plan.is_same_meaning and plan.cursor >= plan.source_version  # then only ``through`` moves
    through_us = instant_to_micros(plan.through) if has_read_silver else None
    return Stamp(plan.view.name, run, plan.generation, plan.source_version, facts, through_us)
