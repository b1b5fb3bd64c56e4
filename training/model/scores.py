"""Scores: one number for each row, whatever kind of prediction an estimator makes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def as_scores(prediction: Any) -> Numbers:
    """Return one number for each row: the predicted value or, of two class probabilities, the positive class's."""
    values = np.asarray(prediction, dtype=np.float64)
    return values[:, -1] if values.ndim == 2 else values
