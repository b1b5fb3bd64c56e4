"""What a job on one model works with: the project, the lake, and who runs it."""

from dataclasses import dataclass
from datetime import datetime

from conf.errors import NotFound
from conf.model import ModelDeclaration
from features.definitions import FeatureService, FeatureView
from features.fingerprint import fingerprint
from pipelines.delta.lake import Lake
from pipelines.gold.materialize import materialize
from pipelines.ledger.data_clock import data_clock
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts


@dataclass(frozen=True)
class ModelJob:
    """One model of a project in a lake. Every commit of the job is stamped with ``run``."""

    project: Project
    lake: Lake
    model: str
    run: RunFacts

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

    def complete_features(self, through: datetime) -> None:
        """Bring the gold tables of the model's feature views up to an instant."""
        materialize(self.project, self.lake, self.views, through, self.run)
