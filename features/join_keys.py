"""The check that rows which ask for features have what a point-in-time join compares, in the types of the tables."""

from collections.abc import Mapping

from conf.errors import ConfigError, Problem
from features.definitions import FeatureView

PREDICTION_AT = "prediction_at"


def check_join_keys(view: FeatureView, spine: Mapping[str, str], stored: Mapping[str, str]) -> None:
    """Check the columns of a spine against those of a view's stored rows, both given with their types in words.

    Raises
    ------
    ConfigError : when the spine lacks prediction_at or a join key, or has a join key in another type
    """
    where = f"feature view {view.name}"
    problems = []
    for name in (PREDICTION_AT, *view.entity.join_keys):
        if name not in spine:
            hint = f"add it to the spine's columns; it has {', '.join(spine)}"
            problems.append(Problem(where, name, "is not in the spine", hint))
    for key in view.entity.join_keys:
        if key in spine and spine[key] != stored[key]:
            message = f"is {spine[key]} in the spine and {stored[key]} in the feature table"
            problems.append(Problem(where, key, message, "cast one of them, so that equal keys are equal values"))
    if problems:
        raise ConfigError(problems)
