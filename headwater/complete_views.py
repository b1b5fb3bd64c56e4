"""Completing feature views for a command: Spark starts only where rows change, the lease is held only for a commit."""

from collections.abc import Sequence
from datetime import datetime

from features.definitions import FeatureView
from headwater import lake_job
from headwater.options import Options
from headwater.output import say
from pipelines.delta.commit import combine_outcomes
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import GoldReport, most_bytes_to_read, plan_views, report_nothing
from pipelines.gold.still_view import needs_spark, report_still_views
from pipelines.project.project import Project


def complete_views(
    options: Options, project: Project, views: Sequence[FeatureView], through: datetime | None,
    is_full: bool = False, command: str = "materialize",
) -> list[GoldReport]:  # fmt: skip
    """Complete views through an instant, by default each source's own data clock.

    Raises
    ------
    NotFound : when a source has never been loaded
    LakeBusy : when another process writes to the lake
    """
    lake, names = LakeTables(project.settings), [view.name for view in views]
    plans = plan_views(project, lake, views, through)
    if not is_full and all(plan.is_done for plan in plans):
        return [report_nothing(lake, plan) for plan in plans]
    if not is_full and not needs_spark(lake, plans):
        with lake_job.open_without_spark(options, project, command, names) as job:
            reports = report_still_views(lake, plan_views(project, lake, views, through), job.run)
            job.outcome = combine_outcomes([report.commit.outcome for report in reports.values()])
        if len(reports) == len(views):  # else another process loaded rows between the plan and the lease
            return [reports[name] for name in names]
    from pipelines.gold.materialize import materialize

    with lake_job.open_for_writing(options, project, command, names, most_bytes_to_read(lake, plans)) as job:
        say(f"materializing {', '.join(names)}")
        done = materialize(project, job.spark_lake, views, through, job.run, is_full=is_full)
        job.outcome = combine_outcomes([report.commit.outcome for report in done])
    return done
