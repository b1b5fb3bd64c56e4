"""A model declaration, ``conf/models/NAME.yml``: spine, label, features, estimator, split, and promotion gate."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from conf.durations import Duration
from conf.instants import Instant
from conf.yaml_file import Declared, Name

CLASSIFICATION_METRICS = ("roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1")
REGRESSION_METRICS = ("rmse", "mae", "r2")
SMALLER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})


class Spine(Declared):
    """The rows for which a model predicts: a silver table, its row key, and the time of each prediction.

    ``columns`` are expressions over the table, known at ``prediction_at``, that the model gets as further inputs.
    The join keys of every feature view must be among the table's columns or ``columns``.
    """

    table: Name
    key: tuple[Name, ...] = Field(min_length=1)
    prediction_at: str
    where: str = "true"
    columns: dict[Name, str] = {}


class Label(Declared):
    """What is predicted: an expression over a silver table that is joined by the spine's key.

    ``happened_at`` is when the labelled event happened. The label is known from then on, or from when its row was
    known, whichever is later.
    """

    table: Name
    name: Name = "label"
    expr: str
    happened_at: str


class Estimator(Declared):
    """The import path and the parameters of a class that has scikit-learn's ``fit`` and ``predict``."""

    path: str = ""
    params: dict[str, Any] = {}


class Split(Declared):
    """The split by time: training before ``split_at - gap``, holdout from ``split_at`` to ``as_of - label_wait``.

    Either ``split_at`` is given, or ``holdout``, the length of the holdout, from which it follows.
    """

    split_at: Instant | None = None
    holdout: Duration | None = None
    gap: Duration = Field(default="0", validate_default=True)
    label_wait: Duration = Field(default="0", validate_default=True)

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if (self.split_at is None) == (self.holdout is None):
            raise ValueError("give either split_at or holdout, not both")
        return self


class Gate(Declared):
    """A challenger is promoted when its metric on the holdout beats baseline and champion by these margins."""

    metric: str = ""
    min_gain_over_baseline: float = Field(0.0, ge=0)
    min_gain_over_champion: float = Field(0.0, ge=0)


class Retraining(Declared):
    """When changed data calls for a retraining: after ``min_new_rows`` new labels, or after ``max_age``."""

    min_new_rows: int = Field(1, ge=1)
    max_age: Duration | None = None


class ModelDeclaration(Declared):
    """One model. Grain of its training set: the spine's key."""

    name: Name
    description: str = ""
    task: Literal["classification", "regression"]
    spine: Spine
    label: Label
    features: Name
    estimator: Estimator = Estimator()
    split: Split
    metrics: tuple[str, ...] = ()
    gate: Gate = Gate()
    retraining: Retraining = Retraining()

    @model_validator(mode="after")
    def _metrics_fit_task(self) -> Self:
        unknown = [name for name in (*self.metrics, self.primary_metric) if name not in self._task_metrics]
        if unknown:
            known = ", ".join(self._task_metrics)
            raise ValueError(f"metrics: {', '.join(unknown)} is not one of {known}, the metrics for {self.task}")
        return self

    @property
    def _task_metrics(self) -> tuple[str, ...]:
        return CLASSIFICATION_METRICS if self.task == "classification" else REGRESSION_METRICS

    @property
    def metric_names(self) -> tuple[str, ...]:
        return self.metrics or self._task_metrics

    @property
    def primary_metric(self) -> str:
        return self.gate.metric or ("roc_auc" if self.task == "classification" else "rmse")

    @property
    def is_greater_better(self) -> bool:
        return self.primary_metric not in SMALLER_IS_BETTER
