"""One model's experiment in MLflow, and what can be written to and read from its runs.

The experiment has the model's name, and so has the registered model.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from conf.errors import TrainingError
from conf.model import ModelDeclaration
from conf.settings import Settings
from training.dataset.pins import TablePin
from training.registry.store import prepare_store


@dataclass(frozen=True)
class Tracking:
    """One model's experiment and registered model."""

    client: MlflowClient
    experiment_id: str
    model: str

    def uri(self, version: int) -> str:
        return f"models:/{self.model}/{version}"


def open_tracking(settings: Settings, declaration: ModelDeclaration) -> Tracking:
    """Open the experiment of a model, or make it. MLflow's pages rank its runs by the gate's metric.

    Raises
    ------
    TrainingError : when the experiment was deleted in MLflow
    """
    prepare_store(settings)
    mlflow.set_tracking_uri(settings.tracking)
    client, model = MlflowClient(), declaration.name
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        return Tracking(client, _create_experiment(client, settings, declaration), model)
    if experiment.lifecycle_stage != "active":
        raise TrainingError(f"the MLflow experiment {model!r} was deleted", "restore it in the MLflow UI")
    return Tracking(client, experiment.experiment_id, model)


def read_document(tracking: Tracking, run_id: str, path: str) -> dict[str, Any]:
    """Read a JSON artifact of a run."""
    content: dict[str, Any] = mlflow.artifacts.load_dict(f"{tracking.client.get_run(run_id).info.artifact_uri}/{path}")
    return content


def log_values(
    tracking: Tracking,
    run_id: str,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add params, metrics and tags to a run in one call, also to a run that has ended. A param can be written once."""
    now = int(time.time() * 1000)
    tracking.client.log_batch(
        run_id,
        params=[Param(name, str(value)) for name, value in (params or {}).items()],
        metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )


def log_tables(tracking: Tracking, run_id: str, pins: Sequence[TablePin]) -> None:
    """Log as dataset inputs which tables a run read, each at which version."""
    tracking.client.log_inputs(run_id, datasets=[_dataset_input(pin) for pin in pins])


def _create_experiment(client: MlflowClient, settings: Settings, declaration: ModelDeclaration) -> str:
    """Make an experiment. A server places artifacts itself; without one they lie where the settings say."""
    name = declaration.name
    location = None if settings.tracking.startswith("http") else f"{settings.artifacts}/{name}"
    tags = {
        "mlflow.experiment.primaryMetric.name": f"holdout_{declaration.primary_metric}",
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(declaration.is_greater_better),
        "mlflow.note.content": declaration.description,
    }
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _dataset_input(pin: TablePin) -> DatasetInput:
    """Describe a pinned table as MLflow's own Delta source does. That source loses version 0, so it is not used."""
    source = json.dumps({"path": pin.path, "delta_table_version": pin.version})
    digest = hashlib.sha256(f"{pin.table_id}@{pin.version}".encode()).hexdigest()[:12]
    dataset = Dataset(f"{pin.full_name}@v{pin.version}", digest, "delta_table", source)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
