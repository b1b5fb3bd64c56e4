"""Experiments, models and the registry: the only owner of MLflow. What a run goes through is in ``runs``.

An experiment has the model's name, and so has the registered model. A version carries the recipe it was made by, so
that a train that was killed after registering finds its version again; which version is champion is said by the alias
alone.
"""

import fcntl
import hashlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from sqlalchemy.orm import configure_mappers

from conf.errors import NotFound, TrainingError
from conf.model import ModelDeclaration
from conf.settings import Settings, set_environment
from training.dataset.pins import TablePin
from training.model.estimator import own_types
from training.model.evaluate import Numbers, as_scores
from training.registry.run_record import FittedModel, Version

set_environment(
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_LOGGING_LEVEL="ERROR",
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what MLflow's own modules warn each other of
    import mlflow
    import mlflow.pyfunc
    import mlflow.sklearn
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature
    from mlflow.store.db import utils as database
    from mlflow.types import ColSpec, Schema, TensorSpec

CHAMPION = "champion"
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Tracking:
    """One model's experiment and registered model."""

    client: MlflowClient
    experiment_id: str
    model: str

    def uri(self, version: int) -> str:
        return f"models:/{self.model}/{version}"


def prepare_store(settings: Settings) -> None:
    """Make the SQLite store once, whole or not at all; a server's store is the server's business.

    Two first starters at once, or one that is killed, would leave a half-migrated file behind for ever.
    """
    if not settings.tracking.startswith(_SQLITE):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
        configure_mappers()
    file = Path(settings.tracking.removeprefix(_SQLITE))
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _migrate(file)


def open_tracking(settings: Settings, declaration: ModelDeclaration) -> Tracking:
    """Open the experiment of a model, making it when it is new; the UI ranks its runs by the gate's metric.

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
    """Add params, metrics and tags to a run at once, also to one that has ended. Params are written once."""
    now = int(time.time() * 1000)
    tracking.client.log_batch(
        run_id,
        params=[Param(name, str(value)) for name, value in (params or {}).items()],
        metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )


def log_tables(tracking: Tracking, run_id: str, pins: Sequence[TablePin]) -> None:
    """Say which tables a run read, at which versions."""
    tracking.client.log_inputs(run_id, datasets=[_dataset_input(pin) for pin in pins])


def register_model(tracking: Tracking, run_id: str, model: FittedModel, tags: Mapping[str, str]) -> Version:
    """Log the fitted model in its run; register it together with its tags, as a version or not at all.

    Raises
    ------
    TrainingError : when the estimator holds objects that cannot be stored without pickle
    """
    trusted = own_types(model.pipeline)
    with mlflow.start_run(run_id=run_id, log_system_metrics=False):
        info = mlflow.sklearn.log_model(
            model.pipeline,
            name="model",
            signature=_signature(model),
            input_example=model.example,
            pip_requirements=list(model.requirements),
            pyfunc_predict_fn="predict_proba" if model.is_classifier else "predict",
            serialization_format="skops",
            skops_trusted_types=trusted,
        )
    if info.signature is None:
        raise TrainingError(f"MLflow stored the model of run {run_id} without its signature", "look at its columns")
    _ensure_registered_model(tracking)
    made = tracking.client.create_model_version(
        tracking.model, info.model_uri, run_id, tags=dict(tags), model_id=info.model_id
    )
    return _version(made)


def find_versions(tracking: Tracking) -> list[Version]:
    """Return the registered versions, newest first."""
    found = tracking.client.search_model_versions(f"name = '{tracking.model}'")
    return sorted((_version(version) for version in found), key=lambda version: -version.number)


def find_version(tracking: Tracking, number: int) -> Version:
    """Return one registered version.

    Raises
    ------
    NotFound : when there is no such version
    """
    for version in find_versions(tracking):
        if version.number == number:
            return version
    raise NotFound(f"the model {tracking.model} has no version {number}", "see `headwater ui` for its versions")


def find_champion(tracking: Tracking) -> Version | None:
    """Resolve the alias, once; None when no version is champion."""
    found = tracking.client.search_registered_models(f"name = '{tracking.model}'")
    number = found[0].aliases.get(CHAMPION) if found else None
    return None if number is None else find_version(tracking, int(number))


def set_champion(tracking: Tracking, number: int) -> None:
    """Move the alias."""
    tracking.client.set_registered_model_alias(tracking.model, CHAMPION, str(number))


def tag_version(tracking: Tracking, number: int, tags: Mapping[str, str]) -> None:
    """Set tags on a version."""
    for name, value in tags.items():
        tracking.client.set_model_version_tag(tracking.model, str(number), name, value)


def input_kinds(tracking: Tracking, number: int) -> dict[str, str]:
    """Return what a version takes: ``double`` or ``string`` by name, in its order."""
    schema = mlflow.models.get_model_info(tracking.uri(number)).signature.inputs
    return {str(column.name): str(column.type.name) for column in schema.inputs}


def predict_scores(tracking: Tracking, number: int, inputs: pd.DataFrame) -> Numbers:
    """Score rows in this process with a version, loaded as the function it is. One number a row."""
    return as_scores(mlflow.pyfunc.load_model(tracking.uri(number)).predict(inputs))


def build_scores(spark: SparkSession, tracking: Tracking, number: int, inputs: Sequence[Column]) -> Column:
    """Return the column of a version's scores, computed by Spark's workers in this environment."""
    uri = tracking.uri(number)
    outputs = mlflow.models.get_model_info(uri).signature.outputs
    kind = "array<double>" if outputs.is_tensor_spec() else "double"
    scores: Column = mlflow.pyfunc.spark_udf(spark, uri, result_type=kind, env_manager="local")(F.struct(*inputs))
    return F.element_at(scores, -1) if outputs.is_tensor_spec() else scores


def _migrate(file: Path) -> None:
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    engine = database.create_sqlalchemy_engine(f"{_SQLITE}{draft}")  # type: ignore[no-untyped-call]
    database._initialize_tables(engine)  # type: ignore[no-untyped-call]
    engine.dispose()
    draft.replace(file)


def _create_experiment(client: MlflowClient, settings: Settings, declaration: ModelDeclaration) -> str:
    """A server places artifacts itself; otherwise they lie where the settings say, whatever the working directory."""
    name = declaration.name
    location = None if settings.tracking.startswith("http") else f"{settings.artifacts}/{name}"
    tags = {
        "mlflow.experiment.primaryMetric.name": f"holdout_{declaration.primary_metric}",
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(declaration.is_greater_better),
        "mlflow.note.content": declaration.description,
    }
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _ensure_registered_model(tracking: Tracking) -> None:
    if not tracking.client.search_registered_models(f"name = '{tracking.model}'"):
        tracking.client.create_registered_model(tracking.model)


def _dataset_input(pin: TablePin) -> DatasetInput:
    """Describe a pinned table as MLflow's Delta source would, if it did not lose version 0."""
    source = json.dumps({"path": pin.path, "delta_table_version": pin.version})
    digest = hashlib.sha256(f"{pin.table_id}@{pin.version}".encode()).hexdigest()[:12]
    dataset = Dataset(f"{pin.full_name}@v{pin.version}", digest, "delta_table", source)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _signature(model: FittedModel) -> ModelSignature:
    kinds = {name: "string" if name in model.texts else "double" for name in model.example.columns}
    output = TensorSpec(np.dtype("float64"), (-1, 2)) if model.is_classifier else ColSpec("double")
    return ModelSignature(Schema([ColSpec(kind, name) for name, kind in kinds.items()]), Schema([output]))


def _version(version: ModelVersion) -> Version:
    return Version(int(version.version), str(version.run_id), dict(version.tags))
