"""The feature values of one entity at one instant, as the point-in-time join gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import functions as F

from conf.contract import Contract
from conf.errors import UsageError, did_you_mean
from conf.instants import as_utc, instant_to_micros
from features.definitions import FeatureView
from features.spark.as_of import join_as_of
from pipelines.delta.lake import Lake


@dataclass(frozen=True)
class FeatureValues:
    """The feature values of an entity that could be used at an instant.

    Parameters
    ----------
    feature_at, available_at : of the newest grid point whose values could be used
    changed_at : the ``feature_at`` of the stored row that holds the values; None where no row is stored
    """

    view: str
    entity: dict[str, Any]
    feature_at: datetime
    available_at: datetime
    changed_at: datetime | None
    values: dict[str, Any]


def read_features(
    lake: Lake, view: FeatureView, contract: Contract, entity: Mapping[str, str], at: datetime
) -> FeatureValues:
    """Look up the feature values of one entity. The view's table must be complete through ``at``.

    Parameters
    ----------
    contract : of the view's source; it gives the types of the join keys
    entity : the value of each join key, as text

    Raises
    ------
    UsageError : when the join keys are not the view's, or a value is not of the key's type
    """
    keys = list(view.entity.join_keys)
    if sorted(entity) != sorted(keys):
        unknown = [name for name in entity if name not in keys]
        hint = did_you_mean(unknown[0], keys) if unknown else f"give {' '.join(f'{key}=…' for key in keys)}"
        raise UsageError(f"{view.name} is asked by {', '.join(keys)}", hint)
    typed = [F.lit(entity[key]).try_cast(contract.type_of(key)).alias(key) for key in keys]
    spine = lake.spark.range(1).select(*typed, F.lit(at).alias("prediction_at"))
    joined = join_as_of(spine, [(view, lake.read("gold", view.name))], instant_to_micros(at), with_times=True)
    row = joined.collect()[0].asDict()
    for key in keys:
        if row[key] is None:
            raise UsageError(f"{entity[key]!r} is not a {contract.type_of(key)}, as {key} is", "give a valid value")
    times = (row[f"{view.name}__{name}"] for name in ("feature_at", "available_at", "changed_at"))
    feature_at, available_at, changed_at = (time and as_utc(time) for time in times)
    values = {name: row[view.column_of(name)] for name in view.feature_names}
    return FeatureValues(view.name, {key: row[key] for key in keys}, feature_at, available_at, changed_at, values)
