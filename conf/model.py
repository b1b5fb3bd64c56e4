"""A model declaration: ``conf/models/NAME.yml``, from the spine it is asked about to the gate it must pass."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from conf.durations import Duration
from conf.instants import Instant
from conf.yaml_file import Declared, Name

CLASSIFICATION_METRICS = ("roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1")
REGRESSION_METRICS = ("rmse", "mae", "r2")
SMALLER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})


class Spine(Declared):
    """The rows a model is asked about: a silver table, its row key, the instant of the question.

    ``columns`` are expressions over the table, known at that instant, passed along to the model by name.
    The join keys of every feature view must be among the table's columns or ``columns``.
    """

    table: Name
    key: tuple[Name, ...] = Field(min_length=1)
    prediction_at: str
    where: str = "true"
    columns: dict[Name, str] = {}


class Label(Declared):
    """What is to be predicted: an expression over a silver table joined by the spine's key.

    ``happened_at`` is when the labelled thing happened; the label is known at the later of that and of the moment
    its row was known.
    """

    table: Name
    name: Name = "label"
    expr: str
    happened_at: str


class Estimator(Declared):
    """An import path and its parameters; anything with scikit-learn's ``fit`` and ``predict``."""

    path: str = ""
    params: dict[str, Any] = {}


class Split(Declared):
    """The split by time: training before ``split_at - gap``, holdout from ``split_at`` to ``as_of - label_wait``.

    ``split_at`` is an instant, or follows from ``holdout``, the length of the holdout.
    """

    split_at: Instant | None = None
    holdout: Duration | None = None
    gap: Duration = Field(default="0", validate_default=True)
    label_wait: Duration = Field(default="0", validate_default=True)

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.split_at is None) == (self.holdout is None):
            raise ValueError("give either split_at or holdout, not both")
        return self


class Gate(Declared):
    """A challenger is promoted when its metric on the holdout beats baseline and champion by these margins."""

    metric: str = ""
    min_gain_over_baseline: float = Field(0.0, ge=0)
    min_gain_over_champion: float = Field(0.0, ge=0)


class Retraining(Declared):
    """When a retraining is worth its cost, by the data."""

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
        known = CLASSIFICATION_METRICS if self.task == "classification" else REGRESSION_METRICS
        unknown = [name for name in (*self.metrics, self.primary_metric) if name not in known]
        if unknown:
            raise ValueError(f"metrics: {', '.join(unknown)} is none of {', '.join(known)} for {self.task}")
        return self

    @property
    def metric_names(self) -> tuple[str, ...]:
        known = CLASSIFICATION_METRICS if self.task == "classification" else REGRESSION_METRICS
        return self.metrics or known

    @property
    def primary_metric(self) -> str:
        return self.gate.metric or ("roc_auc" if self.task == "classification" else "rmse")

    @property
    def is_greater_better(self) -> bool:
        return self.primary_metric not in SMALLER_IS_BETTER
