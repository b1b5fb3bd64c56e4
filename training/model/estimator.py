"""The estimator: one scikit-learn Pipeline from raw feature columns to a prediction.

Everything is fitted inside the pipeline, on training rows only. What the estimator is given depends on its kind:

- LightGBM (the default), or another estimator that accepts missing values: numbers as they are, texts as category
  codes. A text that was not seen in training counts as missing.
- any other estimator: numbers with the median in place of missing ones, texts as one-hot columns.
- an estimator that is a Pipeline itself: the raw columns.
"""

import importlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils import get_tags

from conf.errors import ConfigError, Problem, TrainingError
from conf.model import Estimator
from training.model.scores import Numbers

DEFAULT_PATHS = {"classification": "lightgbm.LGBMClassifier", "regression": "lightgbm.LGBMRegressor"}
ALWAYS_REQUIRED = {"mlflow", "numpy", "pandas", "scikit-learn", "skops"}
DEFAULT_PARAMS: dict[str, Any] = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "importance_type": "gain",
    "random_state": 0,
    "n_jobs": 2,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def estimator_path(estimator: Estimator, task: str) -> str:
    return estimator.path or DEFAULT_PATHS[task]


def estimator_params(estimator: Estimator, task: str) -> dict[str, Any]:
    """Return the parameters that the estimator is made with. LightGBM is deterministic unless they say otherwise."""
    is_lightgbm = estimator_path(estimator, task).startswith("lightgbm.")
    return {**DEFAULT_PARAMS, **estimator.params} if is_lightgbm else dict(estimator.params)


def make_pipeline(estimator: Estimator, task: str, numbers: Sequence[str], texts: Sequence[str]) -> Pipeline:
    """Make the unfitted pipeline that takes the columns ``numbers`` (double) and ``texts``.

    Raises
    ------
    ConfigError : when the import path or its parameters do not make an estimator for the task
    """
    model = _make_estimator(estimator, task)
    if isinstance(model, Pipeline):
        return model
    return Pipeline([("encode", _make_encoder(model, numbers, texts)), ("model", model)])


def fit_pipeline(pipeline: Pipeline, inputs: pd.DataFrame, labels: Numbers, texts: Sequence[str]) -> Pipeline:
    """Fit on training rows. LightGBM is told which columns are categories: the first ones, by the encoder's order."""
    name, model = pipeline.steps[-1]
    extra: dict[str, Any] = {}
    if pipeline.steps[0][0] == "encode" and _is_lightgbm(model) and texts:
        extra[f"{name}__categorical_feature"] = list(range(len(texts)))
    return pipeline.fit(inputs, labels, **extra)


def predict(pipeline: Pipeline, inputs: pd.DataFrame, task: str) -> Any:
    """Return class probabilities, or predicted values."""
    return pipeline.predict_proba(inputs) if task == "classification" else pipeline.predict(inputs)


def feature_importance(pipeline: Pipeline) -> dict[str, float]:
    """Return the weight of each feature in a fitted estimator; empty when the estimator does not tell it."""
    model = pipeline.steps[-1][1]
    weights = getattr(model, "feature_importances_", None)
    if weights is None:
        weights = np.abs(np.atleast_2d(getattr(model, "coef_", np.empty((1, 0))))).mean(axis=0)
    weights = np.asarray(weights, dtype=float)
    if not len(weights):
        return {}
    names = pipeline[:-1].get_feature_names_out() if len(pipeline.steps) > 1 else range(len(weights))
    return {str(name): float(weight) for name, weight in zip(names, weights, strict=True)}


def own_types(pipeline: Pipeline) -> list[str]:
    """Name the types in a fitted pipeline that skops must be told to trust before it loads the stored pipeline.

    Raises
    ------
    TrainingError : when the pipeline cannot be stored without pickle
    """
    try:
        return list(skops.io.get_untrusted_types(data=skops.io.dumps(pipeline)))
    except Exception as error:
        kind = type(pipeline.steps[-1][1]).__name__
        hint = "use an estimator whose parts are classes of importable modules"
        raise TrainingError(f"{kind} cannot be stored without pickle: {error}", hint) from error


def requirements(pipeline: Pipeline) -> list[str]:
    """Name the packages that a stored pipeline needs, each with its installed version."""
    modules = {type(step).__module__.partition(".")[0] for _, step in pipeline.steps}
    return sorted(f"{name}=={version(name)}" for name in ALWAYS_REQUIRED | {_package_of(name) for name in modules})


def _package_of(module: str) -> str:
    """Name the package that a module belongs to. Searching all packages takes a second, so it comes last."""
    if module == "sklearn":
        return "scikit-learn"
    try:
        return distribution(module).name
    except PackageNotFoundError:
        return packages_distributions()[module][0]


def _make_encoder(model: object, numbers: Sequence[str], texts: Sequence[str]) -> ColumnTransformer:
    if get_tags(model).input_tags.allow_nan or _is_lightgbm(model):
        for_numbers: Any = "passthrough"
        for_texts: Any = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, dtype=np.float64
        )
    else:
        for_numbers = SimpleImputer(strategy="median", keep_empty_features=True)
        for_texts = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False)
    steps = [("texts", for_texts, list(texts)), ("numbers", for_numbers, list(numbers))]
    encoder = ColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False)
    return encoder.set_output(transform="pandas")


def _is_lightgbm(model: object) -> bool:
    return type(model).__module__.startswith("lightgbm.")


def _make_estimator(estimator: Estimator, task: str) -> Any:
    path = estimator_path(estimator, task)
    module, _, name = path.rpartition(".")
    try:
        model = getattr(importlib.import_module(module), name)(**estimator_params(estimator, task))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        hint = "an import path such as lightgbm.LGBMClassifier"
        raise _wrong_path(path, f"{type(error).__name__}: {error}", hint) from None
    wanted = ("fit", "predict_proba") if task == "classification" else ("fit", "predict")
    missing = [method for method in wanted if not hasattr(model, method)]
    if missing:
        raise _wrong_path(path, f"has no {' and no '.join(missing)}", f"choose an estimator for {task}")
    return model


def _wrong_path(path: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem("conf/models", f"estimator.path: {path}", message, hint)])
