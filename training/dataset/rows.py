"""The rows of a training set in this process's memory, as an estimator takes them, always in the same order."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from conf.errors import TrainingError
from training.dataset.columns import FATE, HOLDOUT, LABEL, PARTS, PREDICTION_AT, ROW_HASH, TRAINING
from training.dataset.grain import check_row_count
from training.dataset.inputs import Inputs


@dataclass(frozen=True)
class Part:
    """The rows of one part, ordered by ``prediction_at``. In ``inputs``, numbers are float64 and texts are objects."""

    inputs: pd.DataFrame
    labels: NDArray[np.float64]


@dataclass(frozen=True)
class TrainingRows:
    """The training and holdout rows. ``fates`` counts all rows of the spine by their fate.

    ``table`` has the grain (spine key), ordered by prediction_at and row hash: the key, prediction_at, ``_label``,
    ``_label_known_at``, ``_fate``, the inputs, with numbers as doubles, and ``_row_hash``
    """

    table: pa.Table
    inputs: Inputs
    fates: Mapping[str, int]

    @property
    def content_hash(self) -> str:
        return content_hash(self.table.num_rows, _exact_sum(self.table.column(ROW_HASH)))

    @property
    def training(self) -> Part:
        return self._part(TRAINING)

    @property
    def holdout(self) -> Part:
        return self._part(HOLDOUT)

    def _part(self, part: str) -> Part:
        rows = self.table.filter(pa.compute.equal(self.table.column(FATE), part))
        inputs = rows.select(list(self.inputs.names)).cast(self.inputs.schema)
        return Part(inputs.to_pandas(), rows.column(LABEL).to_numpy())


def order_rows(table: pa.Table, inputs: Inputs, fates: Mapping[str, int]) -> TrainingRows:
    """Order the rows of a training set, whichever engine made them.

    Raises
    ------
    GrainError : when the point-in-time join has lost or repeated rows
    """
    check_row_count(table.num_rows, sum(fates.get(part, 0) for part in PARTS))
    ordered = table.sort_by([(PREDICTION_AT, "ascending"), (ROW_HASH, "ascending")])
    return TrainingRows(ordered, inputs, fates)


def content_hash(row_count: int, hash_sum: int) -> str:
    """Make the hash of a set of rows from their number and the sum of their hashes. Their order does not matter."""
    return f"{row_count}:{hash_sum}"


def check_trainable(rows: TrainingRows, task: str) -> None:
    """Check that the rows can train a model of the task.

    Raises
    ------
    TrainingError : when a part has no rows; for a classification also when a label is neither 0 nor 1, or when the
        training rows all have the same label
    """
    for part in PARTS:
        if not rows.fates.get(part):
            raise TrainingError(f"the {part} part has no rows", "move --as-of or the split, or load more data")
    if task != "classification":
        return
    strange = set(np.unique(rows.table.column(LABEL).to_numpy())) - {0.0, 1.0}
    if strange:
        values = ", ".join(f"{value:g}" for value in sorted(strange)[:3])
        raise TrainingError(f"a classification's label is 0 or 1, not {values}", "mend label.expr")
    if len(np.unique(rows.training.labels)) < 2:
        raise TrainingError("all training rows have the same label", "move --as-of or the split, or load more data")


def _exact_sum(hashes: pa.ChunkedArray) -> int:
    """Sum 64-bit numbers exactly. Their upper and lower halves are summed apart, so that no sum overflows."""
    values = hashes.to_numpy()
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
