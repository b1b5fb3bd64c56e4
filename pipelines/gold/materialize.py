"""The job ``materialize``: silver → gold. Its cost depends on how much changed since the last job.

A view's table records in its own commits which version of silver it has read, and up to when it is complete
(``through``). The rows that changed in silver since that version are read once for all views of a source. When the
definition of a view has changed, its fingerprint has too: then the table is rebuilt beside the old one and replaces it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from pyspark.sql import DataFrame, SparkSession

from features.definitions import FeatureView
from pipelines.delta.lake import Lake
from pipelines.delta.tables import read_changes
from pipelines.gold.plan import GoldReport, ViewPlan, plan_views
from pipelines.gold.still_view import report_still_views
from pipelines.gold.write_view import advance_view, recompute_view
from pipelines.project.project import Project
from pipelines.runtime.parallel_sessions import run_in_parallel_sessions
from pipelines.runtime.run_facts import RunFacts


def materialize(
    project: Project, lake: Lake, views: Sequence[FeatureView], through: datetime | None, run: RunFacts,
    is_full: bool = False,
) -> list[GoldReport]:  # fmt: skip
    """Complete each view's gold table through an instant. A table that is complete through a later one stays so.

    Parameters
    ----------
    through : by default each source's own data clock
    is_full : compute every row anew and write those that differ; the result is the same

    Raises
    ------
    NotFound : when a source has never been loaded
    """
    plans = plan_views(project, lake, views, through)
    reports = {} if is_full else report_still_views(lake, plans, run)
    moving = [plan for plan in plans if plan.view.name not in reports]
    with read_source_changes(lake, [plan for plan in moving if plan.is_same_meaning and not is_full]) as changes:

        def carry_out(plan: ViewPlan, spark: SparkSession) -> GoldReport:
            own_lake = lake.with_session(spark)
            if is_full or not plan.is_same_meaning:
                return recompute_view(own_lake, plan, run)
            return advance_view(own_lake, plan, changes.get((plan.view.source, plan.cursor)), run)

        done = run_in_parallel_sessions(lake.spark, [partial(carry_out, plan) for plan in moving])
    reports |= {report.view: report for report in done}
    return [reports[plan.view.name] for plan in plans]


@contextmanager
def read_source_changes(lake: Lake, plans: Sequence[ViewPlan]) -> Iterator[dict[tuple[str, int], DataFrame]]:
    """Yield the rows that changed in each source since each cursor, by (source, cursor).

    Each frame is read once and kept in memory for all views that need it, until the body ends.
    """
    frames: dict[tuple[str, int], DataFrame] = {}
    for plan in plans:
        key = (plan.view.source, plan.cursor)
        if plan.cursor < plan.source_version and key not in frames:
            path = lake.path("silver", plan.view.source)
            frames[key] = read_changes(lake.spark, path, plan.cursor, plan.source_version).persist()
    try:
        yield frames
    finally:
        for frame in frames.values():
            frame.unpersist()
