"""What a registered version takes as inputs, and what it answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import mlflow

from training.model.scores import Numbers, as_scores
from training.registry.tracking import Tracking

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column, SparkSession


def input_kinds(tracking: Tracking, number: int) -> dict[str, str]:
    """Return the inputs of a version in its own order: ``double`` or ``string`` by name."""
    schema = mlflow.models.get_model_info(tracking.uri(number)).signature.inputs
    return {str(column.name): str(column.type.name) for column in schema.inputs}


def predict_scores(tracking: Tracking, number: int, inputs: "pd.DataFrame") -> Numbers:
    """Score rows with a version in this process. Returns one number for each row."""
    return as_scores(mlflow.pyfunc.load_model(tracking.uri(number)).predict(inputs))


def build_scores(spark: "SparkSession", tracking: Tracking, number: int, inputs: Sequence["Column"]) -> "Column":
    """Return the column of a version's scores, computed by Spark's workers with the packages that are installed."""
    from pyspark.sql import functions as F

    uri = tracking.uri(number)
    outputs = mlflow.models.get_model_info(uri).signature.outputs
    kind = "array<double>" if outputs.is_tensor_spec() else "double"
    scores: Column = mlflow.pyfunc.spark_udf(spark, uri, result_type=kind, env_manager="local")(F.struct(*inputs))
    return F.element_at(scores, -1) if outputs.is_tensor_spec() else scores
