"""The columns of a labelled spine and of a training set, and the fates that a spine row can have."""

from collections.abc import Sequence

from features.join_keys import PREDICTION_AT as PREDICTION_AT

KNOWN_AT = "_known_at"
LABEL, LABEL_KNOWN_AT, FATE, ROW_HASH = "_label", "_label_known_at", "_fate", "_row_hash"

# A row trains the model, judges it, or does neither though it has a label …
TRAINING, HOLDOUT, BETWEEN = "training", "holdout", "between"
PARTS = (TRAINING, HOLDOUT)
# … or it is left out. Where several reasons apply, its fate is the first of them in this order.
NO_TIME = "without_prediction_at"
AFTER_AS_OF = "asked_after_as_of"
KNOWN_TOO_LATE = "known_after_prediction_at"
WITHOUT_LABEL = "without_label"
LABEL_NOT_KNOWN = "label_not_yet_known"


def is_unique_by(key: Sequence[str], contract_key: Sequence[str]) -> bool:
    """Tell whether a table is sure to have one row per ``key``, because its contract's key is part of ``key``."""
    return bool(contract_key) and set(contract_key) <= set(key)
