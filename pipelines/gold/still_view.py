"""The views that keep all their rows although time went on or silver changed: they are found and moved without Spark.

New rows of silver often count only from a grid point that is not available yet: the flights of a day come at 11:00, and
their features with ``available_after: 12h`` only at 12:00. Then the view's rows stay as they are, and a commit without
rows moves its cursor.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from conf.instants import instant_to_micros
from features.grid import last_point
from pipelines.delta.lake import LakeTables
from pipelines.delta.local import move_cursor, read_changes
from pipelines.gold.plan import GoldReport, ViewPlan, report_nothing
from pipelines.gold.view_stamp import stamp_of
from pipelines.runtime.run_facts import RunFacts

INSTANT = pa.timestamp("us", "UTC")


def is_still(lake: LakeTables, plan: ViewPlan) -> bool:
    """Tell whether the table already holds every row that it will hold when the plan is carried out.

    That is so when no grid point became available, and no changed row of silver, before or after its change, counts by
    the newest point that was available before. The view's ``where`` is not asked, so False can be wrong; True cannot.
    """
    if plan.previous is None or not plan.is_same_meaning:
        return False
    newest_us = last_point(plan.view, instant_to_micros(plan.previous))
    if last_point(plan.view, instant_to_micros(plan.through)) > newest_us:
        return False
    return plan.cursor >= plan.changed_version or not _counts_by(lake, plan, newest_us)


def needs_spark(lake: LakeTables, plans: Sequence[ViewPlan]) -> bool:
    """Tell whether one of these views has to be computed, so that its plan cannot be carried out without Spark."""
    return not all(plan.is_done or is_still(lake, plan) for plan in plans)


def report_still_views(lake: LakeTables, plans: Sequence[ViewPlan], run: RunFacts) -> dict[str, GoldReport]:
    """Bring the views up to date that keep all their rows, without Spark; report on them by name."""
    reports = {plan.view.name: report_nothing(lake, plan) for plan in plans if plan.is_done}
    for plan in plans:
        if not plan.is_done and is_still(lake, plan):
            reports[plan.view.name] = move_view(lake, plan, run)
    return reports


def move_view(lake: LakeTables, plan: ViewPlan, run: RunFacts) -> GoldReport:
    """Move the cursor and ``through`` of a view whose rows stay as they are, without Spark."""
    commit = move_cursor(lake.path("gold", plan.view.name), lake.options, stamp_of(lake, plan, run))
    return GoldReport(plan.view.name, commit, plan.through)


def _counts_by(lake: LakeTables, plan: ViewPlan, newest_us: int) -> bool:
    """Tell whether a changed row counts at the grid point ``newest_us`` or before; also True where only Spark can tell.

    A row counts from the end of its hop, and from the first point whose value may be used when the row is known. So it
    counts by a grid point p if ``event_at < p`` and ``known_at <= p + available_after``.
    """
    path, event_at = lake.path("silver", plan.view.source), plan.event_at
    hop_ends_by = pa.scalar(newest_us, INSTANT)
    known_by = pa.scalar(newest_us + plan.view.available_after_micros, INSTANT)
    columns = [event_at, "_known_at"]
    try:
        changes = read_changes(path, lake.options, columns, plan.cursor, plan.source_version)
        if changes is None:
            return True
        for changed in changes:
            event, known = (changed.column(name).cast(INSTANT) for name in (event_at, "_known_at"))
            if pc.any(pc.and_(pc.less(event, hop_ends_by), pc.less_equal(known, known_by))).as_py():
                return True
    except DeltaError:  # then Spark reads the changes, or says why they cannot be read
        return True
    return False
