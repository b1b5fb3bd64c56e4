"""A fitted model becomes a registered version: its pipeline is stored without pickle, with its signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from conf.errors import TrainingError
from training.model.estimator import own_types
from training.registry.tracking import Tracking
from training.registry.versions import Version, as_version


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
    return as_version(made)


def _signature(model: FittedModel) -> ModelSignature:
    kinds = {name: "string" if name in model.texts else "double" for name in model.example.columns}
    output = TensorSpec(np.dtype("float64"), (-1, 2)) if model.is_classifier else ColSpec("double")
    return ModelSignature(Schema([ColSpec(kind, name) for name, kind in kinds.items()]), Schema([output]))
