"""The registered versions of a model, and the alias that says which of them is champion.

A version carries the recipe that it was made by. So when a training is killed after it registered a version, the next
run finds that version again. The alias alone says which version is champion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from conf.errors import NotFound, TrainingError
from training.model.estimator import own_types
from training.registry.tracking import Tracking

CHAMPION = "champion"


@dataclass(frozen=True)
class FittedModel:
    """A fitted pipeline and what must be known to register it.

    Parameters
    ----------
    texts : the inputs that are texts; all others are doubles
    example : a few rows of inputs
    requirements : the distributions that the stored pipeline needs, with their versions
    """

    pipeline: Pipeline
    texts: Sequence[str]
    example: pd.DataFrame
    is_classifier: bool
    requirements: Sequence[str]


@dataclass(frozen=True)
class Version:
    """One registered version. ``tags`` are as they were when it was read."""

    number: int
    run_id: str
    tags: Mapping[str, str]


def register_model(tracking: Tracking, run_id: str, model: FittedModel, tags: Mapping[str, str]) -> Version:
    """Log a fitted model in its run, and register it as a version. The version appears with all its tags or not at all.

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
    if not tracking.client.search_registered_models(f"name = '{tracking.model}'"):
        tracking.client.create_registered_model(tracking.model)
    made = tracking.client.create_model_version(
        tracking.model, info.model_uri, run_id, tags=dict(tags), model_id=info.model_id
    )
    return _as_version(made)


def find_versions(tracking: Tracking) -> list[Version]:
    """Return the registered versions, newest first."""
    found = tracking.client.search_model_versions(f"name = '{tracking.model}'")
    return sorted((_as_version(version) for version in found), key=lambda version: -version.number)


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
    """Return the version that the alias names now; None when no version is champion."""
    found = tracking.client.search_registered_models(f"name = '{tracking.model}'")
    number = found[0].aliases.get(CHAMPION) if found else None
    return None if number is None else find_version(tracking, int(number))


def set_champion(tracking: Tracking, number: int) -> None:
    """Move the alias ``champion`` to a version."""
    tracking.client.set_registered_model_alias(tracking.model, CHAMPION, str(number))


def tag_version(tracking: Tracking, number: int, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        tracking.client.set_model_version_tag(tracking.model, str(number), name, value)


def _signature(model: FittedModel) -> ModelSignature:
    kinds = {name: "string" if name in model.texts else "double" for name in model.example.columns}
    output = TensorSpec(np.dtype("float64"), (-1, 2)) if model.is_classifier else ColSpec("double")
    return ModelSignature(Schema([ColSpec(kind, name) for name, kind in kinds.items()]), Schema([output]))


def _as_version(version: ModelVersion) -> Version:
    return Version(int(version.version), str(version.run_id), dict(version.tags))
