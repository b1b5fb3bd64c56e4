"""A training set collected into this process's memory, as an estimator takes it, always in the same order."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import functions as F

from conf.errors import TrainingError
from training.dataset.description import ROW_HASH, build_hashed, content_hash
from training.dataset.inputs import Inputs
from training.dataset.labels import FATE, LABEL
from training.dataset.spine import PREDICTION_AT
from training.dataset.split import HOLDOUT, TRAINING
from training.dataset.training_set import TrainingSet, check_row_count


@dataclass(frozen=True)
class Part:
    """The rows of one part, ordered by ``prediction_at``. In ``inputs``, numbers are float64 and texts are objects."""

    inputs: pd.DataFrame
    labels: NDArray[np.float64]


@dataclass(frozen=True)
class CollectedRows:
    """The two parts of a training set, and the content hash of both together."""

    training: Part
    holdout: Part
    inputs: Inputs
    content_hash: str


def collect_rows(training_set: TrainingSet, task: str) -> CollectedRows:
    """Run the one large Spark job of a training set, and check that its rows can train a model of the task.

    Raises
    ------
    GrainError : when the point-in-time join has lost or repeated rows
    TrainingError : when a part has no rows; for a classification also when a label is neither 0 nor 1, or when the
        training rows all have the same label
    """
    inputs = training_set.inputs
    wanted = [F.col(PREDICTION_AT), F.col(LABEL), F.col(FATE), F.col(ROW_HASH)]
    table = build_hashed(training_set).select(*wanted, *inputs.columns).toArrow()
    check_row_count(table.num_rows, training_set.row_count)
    ordered = table.sort_by([(PREDICTION_AT, "ascending"), (ROW_HASH, "ascending")])
    parts = {part: _part(ordered, part, inputs) for part in (TRAINING, HOLDOUT)}
    _check_labels(parts, task)
    content = content_hash(table.num_rows, _exact_sum(table.column(ROW_HASH)))
    return CollectedRows(parts[TRAINING], parts[HOLDOUT], inputs, content)


def _part(table: pa.Table, part: str, inputs: Inputs) -> Part:
    rows = table.filter(pa.compute.equal(table.column(FATE), part))
    return Part(rows.select(list(inputs.names)).to_pandas(), rows.column(LABEL).to_numpy())


def _exact_sum(hashes: pa.ChunkedArray) -> int:
    """Sum 64-bit numbers exactly. Their upper and lower halves are summed apart, so that no sum overflows."""
    values = hashes.to_numpy()
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _check_labels(parts: dict[str, Part], task: str) -> None:
    for name, part in parts.items():
        if not len(part.labels):
            raise TrainingError(f"the {name} part has no rows", "move --as-of or the split, or load more data")
    if task != "classification":
        return
    strange = set(np.unique(np.concatenate([part.labels for part in parts.values()]))) - {0.0, 1.0}
    if strange:
        values = ", ".join(f"{value:g}" for value in sorted(strange)[:3])
        raise TrainingError(f"a classification's label is 0 or 1, not {values}", "mend label.expr")
    if len(np.unique(parts[TRAINING].labels)) < 2:
        raise TrainingError("all training rows have the same label", "move --as-of or the split, or load more data")
