"""What a job on one model works with: the project, the lake, and who runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from conf.errors import NotFound
from conf.model import ModelDeclaration
from features.definitions import FeatureService, FeatureView
from features.fingerprint import fingerprint
from pipelines.delta.lake import Lake, LakeTables
from pipelines.gold.plan import ViewPlan, plan_views
from pipelines.gold.still_view import needs_spark, report_still_views
from pipelines.ledger.data_clock import data_clock
from pipelines.operations.locks import SparkLock
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts


def _no_session() -> Lake:
    raise TypeError("this job was begun without a way to open Spark")


@dataclass(frozen=True)
class ModelJob:
    """One model of a project in a lake. Every commit of the job is stamped with ``run``.

    Parameters
    ----------
    lake : a ``Lake`` where Spark commits what the job writes; ``LakeTables`` where nothing or this process does
    open_spark : opens a session for reading, where ``lake`` has none; called at the first need of Spark
    """

    project: Project
    lake: LakeTables
    model: str
    run: RunFacts
    open_spark: Callable[[], Lake] = _no_session

    @property
    def declaration(self) -> ModelDeclaration:
        return self.project.model(self.model)

    @property
    def service(self) -> FeatureService:
        return self.project.service(self.declaration.features)

    @property
    def views(self) -> tuple[FeatureView, ...]:
        return tuple(self.service.features)

    @property
    def join_keys(self) -> tuple[str, ...]:
        """The join keys of all views of the service, each once."""
        return tuple(dict.fromkeys(key for view in self.views for key in view.entity.join_keys))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The model's inputs in their declared order: request columns, then features."""
        return (*self.declaration.spine.columns, *self.service.columns)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each view, by its name."""
        return {view.name: fingerprint(view, self.project.contract(view.source)) for view in self.views}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to measure: the declared ones and the gate's, each once."""
        return tuple(dict.fromkeys((*self.declaration.metric_names, self.declaration.primary_metric)))

    def clock(self, table: str) -> datetime:
        """Return the data clock of a table: the greatest known time that silver has loaded for it.

        Raises
        ------
        NotFound : when nothing of the table has been loaded
        """
        instant = data_clock(self.lake, table)
        if instant is None:
            raise NotFound(f"silver.{table} has no data yet", "land files for it and run `headwater load`")
        return instant

    @property
    def spark_lake(self) -> Lake:
        """The lake with a Spark session, which is opened if there is none."""
        return self.lake if isinstance(self.lake, Lake) else self.open_spark()

    def has_features(self, through: datetime) -> bool:
        """Tell whether the gold tables of the model's feature views are complete up to an instant."""
        return all(plan.is_done for plan in self._plan_views(through))

    def needs_spark_for_features(self, through: datetime) -> bool:
        """Tell whether rows must be computed to complete the features up to an instant."""
        return needs_spark(self.lake, self._plan_views(through))

    def complete_features(self, through: datetime) -> None:
        """Bring the gold tables of the model's feature views up to an instant."""
        reports = report_still_views(self.lake, self._plan_views(through), self.run)
        if len(reports) == len(self.views):
            return
        if not isinstance(self.lake, Lake):
            raise TypeError("features are computed by a job whose lake has a Spark session")
        from pipelines.gold.materialize import materialize

        materialize(self.project, self.lake, self.views, through, self.run)

    def _plan_views(self, through: datetime) -> list[ViewPlan]:
        return plan_views(self.project, self.lake, self.views, through)

    def check_lease(self) -> None:
        """Check that this job still holds the lake's lease, before it writes anything outside the lake.

        Raises
        ------
        LeaseLost : when Spark's JVM held it and is gone
        """
        if isinstance(self.lake, Lake):
            SparkLock(self.lake.spark).check()
