"""How good predictions are: metrics on a holdout, and the trivial baseline that every model must beat. Pure numpy.

Where a metric is not defined it is NaN, never an error: without rows, for labels of one class only, or when a
prediction is not a finite number.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from sklearn import metrics as sk

from training.model.scores import Numbers

THRESHOLD = 0.5
_Metric = Callable[[Numbers, Numbers], float]

_METRICS: dict[str, _Metric] = {
    "roc_auc": lambda y, p: float(sk.roc_auc_score(y, p)),
    "average_precision": lambda y, p: float(sk.average_precision_score(y, p)),
    "log_loss": lambda y, p: float(sk.log_loss(y, p, labels=[0.0, 1.0])),
    "brier": lambda y, p: float(np.mean((p - y) ** 2)),
    "accuracy": lambda y, p: float(np.mean((p >= THRESHOLD) == (y == 1))),
    "f1": lambda y, p: float(sk.f1_score(y, (p >= THRESHOLD).astype(float), zero_division=0.0)),
    "rmse": lambda y, p: math.sqrt(float(np.mean((p - y) ** 2))),
    "mae": lambda y, p: float(np.mean(np.abs(p - y))),
    "r2": lambda y, p: float(sk.r2_score(y, p)),
}
_RANKING = ("roc_auc", "average_precision")


def evaluate(names: Sequence[str], labels: Numbers, scores: Numbers) -> dict[str, float]:
    """Measure scores against labels.

    Parameters
    ----------
    names : metrics of one task, as a model declares them
    labels : 0 and 1, or the true values
    scores : the positive class's probabilities, or the predicted values
    """
    if not len(labels) or not np.isfinite(scores).all():
        return dict.fromkeys(names, math.nan)
    return {name: _measure(name, labels, scores) for name in names}


def baseline_scores(training_labels: Numbers, rows: int) -> Numbers:
    """Predict the mean of the training labels for every row. For labels of 0 and 1 it is the share of positives."""
    mean = float(np.mean(training_labels)) if len(training_labels) else math.nan
    return np.full(rows, mean)


def _measure(name: str, labels: Numbers, scores: Numbers) -> float:
    if name in _RANKING and len(np.unique(labels)) < 2:
        return math.nan
    if name == "r2" and len(labels) < 2:
        return math.nan
    return _METRICS[name](labels, scores)
