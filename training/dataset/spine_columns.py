"""The columns of a spine as expressions over its table, for whichever engine computes them."""

from collections.abc import Sequence

from conf.errors import ConfigError, Problem
from conf.model import Spine
from training.dataset.columns import PREDICTION_AT


def spine_expressions(spine: Spine, join_keys: Sequence[str]) -> dict[str, str]:
    """Return each column of the spine's rows with its expression: key, prediction_at, request columns, join keys.

    Parameters
    ----------
    join_keys : the join keys of the features; each is the request column of its name, else the table's column

    Raises
    ------
    ConfigError : when a request column is named ``prediction_at``, or like a key column but computed otherwise
    """
    selected = {name: f"`{name}`" for name in spine.key}
    selected[PREDICTION_AT] = spine.prediction_at
    for name, expression in spine.columns.items():
        if name not in selected:
            selected[name] = expression
        elif expression.strip() != name or name == PREDICTION_AT:
            message = f"{name} is already the name of a key column or of prediction_at"
            hint = "give the request column a new name"
            raise ConfigError([Problem(spine.table, f"spine.columns.{name}", message, hint)])
    for name in join_keys:
        selected.setdefault(name, f"`{name}`")
    return selected
