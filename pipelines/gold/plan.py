"""What must be done to complete one view's table through an instant, found out before any row is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from conf.contract import Contract
from conf.errors import NotFound
from conf.instants import format_instant, parse_instant
from features.definitions import FeatureView
from features.fingerprint import fingerprint
from pipelines.delta.commit import Commit, unchanged
from pipelines.delta.lake import LakeTables
from pipelines.ledger.data_clock import data_clocks
from pipelines.project.project import Project

FINGERPRINT = "headwater.fingerprint"


@dataclass(frozen=True)
class GoldReport:
    """What one materialization did to one view.

    Parameters
    ----------
    rows_restated : rows that could be used before this job and have another value now
    share_on_time, share_too_late : of the events that were counted; None when there were none
    """

    view: str
    commit: Commit
    through: datetime
    is_full: bool = False
    rows_restated: int = 0
    share_on_time: float | None = None
    share_too_late: float | None = None


@dataclass(frozen=True)
class ViewPlan:
    """One view: the state of its gold table, and the state that the table is to reach.

    Parameters
    ----------
    source_version, changed_version : the newest version of the view's silver table, and the newest with a changed row
    through : up to when the gold table will be complete
    is_same_meaning : the gold table was made under this fingerprint, from this silver table
    cursor : the version of the silver table that the gold table has read; -1 without a gold table
    previous : up to when the gold table is complete now; None when that is not known
    """

    view: FeatureView
    contract: Contract
    fingerprint: str
    source_version: int
    changed_version: int
    through: datetime
    has_table: bool = False
    is_same_meaning: bool = False
    cursor: int = -1
    generation: int = 0
    previous: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do: all changes are read, and the table is complete through the instant."""
        return self.is_same_meaning and self.cursor >= self.changed_version and self.previous == self.through

    @property
    def reason(self) -> str:
        """Why there is something to do, in words; '' when there is nothing."""
        if not self.has_table:
            return "it has never been made"
        if not self.is_same_meaning:
            return "its definition changed, or its source is another table: it is made anew"
        if self.cursor < self.changed_version:
            return f"silver.{self.view.source} changed since version {self.cursor}"
        return "" if self.is_done else f"time went on since {format_instant(self.previous or self.through)}"

    @property
    def grain(self) -> tuple[str, ...]:
        return (*self.view.entity.join_keys, "feature_at")

    @property
    def event_at(self) -> str:
        return self.view.event_at or self.contract.event_at


def plan_view(lake: LakeTables, view: FeatureView, contract: Contract, asked: datetime | None) -> ViewPlan:
    """Compare the logs of a view's gold table and of its silver table.

    Parameters
    ----------
    contract : of the view's source
    asked : up to when the table must be complete; where it is already complete through a later instant, that one stays

    Raises
    ------
    NotFound : when the source has never been loaded
    """
    newest = lake.version("silver", view.source)
    if newest < 0:
        raise NotFound(f"the view {view.name} reads silver.{view.source}, which is not loaded", "run `headwater load`")
    if asked is None:
        raise NotFound(f"silver.{view.source} has no known time yet", "land files for it and run `headwater load`")
    meaning = fingerprint(view, contract)
    plan = ViewPlan(view, contract, meaning, newest, lake.changed_version("silver", view.source), asked)
    if not lake.exists("gold", view.name):
        return plan
    last = lake.last_commit("gold", view.name)
    previous = parse_instant(last.metadata["through"]) if last.metadata.get("through") else None
    made_under = lake.properties("gold", view.name).get(FINGERPRINT)
    made_from, source_id = last.metadata.get("source_id"), lake.table_id("silver", view.source)
    return replace(
        plan, has_table=True, cursor=last.cursor, generation=last.generation, previous=previous,
        through=max(asked, previous) if previous else asked,
        is_same_meaning=previous is not None and (made_under, made_from) == (meaning, source_id),
    )  # fmt: skip


def plan_views(
    project: Project, lake: LakeTables, views: Sequence[FeatureView], through: datetime | None
) -> list[ViewPlan]:
    """Plan several views; ``through`` is by default each source's own data clock.

    Raises
    ------
    NotFound : when a source has never been loaded
    """
    clocks = {} if through else data_clocks(lake, {view.source for view in views})
    return [plan_view(lake, view, project.contract(view.source), through or clocks.get(view.source)) for view in views]


def most_bytes_to_read(lake: LakeTables, plans: Sequence[ViewPlan]) -> int:
    """Return how many bytes will be read at most: the views' feature tables, and the silver tables that they read.

    Usually far less is read, because files without an event or a row of the time in question are skipped.
    """
    working = [plan for plan in plans if not plan.is_done]
    tables = {("gold", plan.view.name) for plan in working} | {("silver", plan.view.source) for plan in working}
    return sum(lake.size(layer, name) for layer, name in tables)


def report_nothing(lake: LakeTables, plan: ViewPlan) -> GoldReport:
    """Return the report on a view for which there was nothing to do."""
    return GoldReport(plan.view.name, unchanged(lake.version("gold", plan.view.name)), plan.through)


def is_complete(lake: LakeTables, view: FeatureView, contract: Contract, through: datetime | None) -> bool:
    """Tell whether ``materialize`` would find nothing to do for the view."""
    return plan_view(lake, view, contract, through).is_done
