"""What it takes to bring one view's table up to an instant, known before any row is read."""

from dataclasses import dataclass, replace
from datetime import datetime

from pyspark.sql import DataFrame

from conf.contract import Contract
from conf.errors import NotFound
from conf.instants import parse_instant
from features.definitions import FeatureView
from features.fingerprint import fingerprint
from features.spark.events import build_events
from pipelines.delta.lake import Lake
from pipelines.delta.log import table_properties

FINGERPRINT = "headwater.fingerprint"


@dataclass(frozen=True)
class ViewPlan:
    """One view: where its table is, and where it is to be brought.

    Parameters
    ----------
    source_version : the newest version of the view's silver table, which is to be read
    changed_version : the newest version of it in which a row changed
    through : up to when the table will be complete
    has_table : a table of the view exists
    is_same_meaning : that table was made under this fingerprint, from this silver table
    cursor : the version of the silver table that it has read; -1 without a table
    previous : up to when it is complete now; None when that is not known
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
    def grain(self) -> tuple[str, ...]:
        return (*self.view.entity.join_keys, "feature_at")

    @property
    def event_at(self) -> str:
        return self.view.event_at or self.contract.event_at

    def build_events(self, silver: DataFrame) -> DataFrame:
        """Return what the view counts of silver rows, lazily."""
        return build_events(silver, self.view, self.contract.event_at, self.contract.grain)


def plan_view(lake: Lake, view: FeatureView, contract: Contract, asked: datetime | None) -> ViewPlan:
    """Compare a view's table with its source, by their logs.

    Parameters
    ----------
    contract : of the view's source
    asked : up to when the table shall be complete; ``through`` never goes back, so it may be complete further than that

    Raises
    ------
    NotFound : when the source has never been loaded
    """
    if not lake.exists("silver", view.source):
        raise NotFound(f"the view {view.name} reads silver.{view.source}, which is not loaded", "run `headwater load`")
    if asked is None:
        raise NotFound(f"silver.{view.source} has no known time yet", "land files for it and run `headwater load`")
    meaning = fingerprint(view, contract)
    newest, changed = lake.version("silver", view.source), lake.changed_version("silver", view.source)
    plan = ViewPlan(view, contract, meaning, newest, changed, asked)
    if not lake.exists("gold", view.name):
        return plan
    last = lake.last_commit("gold", view.name)
    recorded = last.metadata.get("through")
    previous = parse_instant(recorded) if recorded else None
    path = lake.path("gold", view.name)
    is_same = table_properties(lake.spark, path).get(FINGERPRINT) == meaning and previous is not None
    is_same = is_same and last.metadata.get("source_id") == lake.table_id("silver", view.source)
    return replace(
        plan, has_table=True, is_same_meaning=is_same, cursor=last.cursor, generation=last.generation,
        previous=previous, through=max(asked, previous) if previous else asked,
    )  # fmt: skip


def is_complete(lake: Lake, view: FeatureView, contract: Contract, through: datetime | None) -> bool:
    """Tell whether ``materialize`` would find nothing to do for the view."""
    return plan_view(lake, view, contract, through).is_done
