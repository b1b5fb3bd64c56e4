"""The split by time: which labelled rows train a model, which judge it, and which do neither.

The split is by ``prediction_at``. A gap before the holdout keeps what it is asked about out of the training rows.
The holdout ends ``label_wait`` before ``as_of``, so that slow labels have had time to arrive.
"""

from dataclasses import dataclass
from datetime import datetime

from conf.errors import TrainingError
from conf.instants import format_instant
from conf.model import Split


@dataclass(frozen=True)
class SplitBounds:
    """The instants of a split made as of ``as_of``.

    Training rows have ``prediction_at < train_until`` and ``label_known_at <= split_at``; holdout rows have
    ``split_at <= prediction_at < holdout_until``. Other labelled rows are ``between``: they neither train nor judge.
    """

    as_of: datetime
    split_at: datetime
    train_until: datetime
    holdout_until: datetime


def place_split(split: Split, as_of: datetime) -> SplitBounds:
    """Compute the instants of a declared split for one ``as_of``.

    Raises
    ------
    TrainingError : when the holdout would end before it begins, so that no data could fill it
    """
    holdout_until = as_of - split.label_wait
    split_at = split.split_at if split.holdout is None else holdout_until - split.holdout
    if split_at is None or split_at >= holdout_until:
        raise TrainingError(
            f"as of {format_instant(as_of)} the holdout is empty: it ends at {format_instant(holdout_until)}",
            "choose a later --as-of, an earlier split_at or a shorter label_wait",
        )
    return SplitBounds(as_of, split_at, split_at - split.gap, holdout_until)
