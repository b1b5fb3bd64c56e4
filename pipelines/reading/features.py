"""The feature values of one entity at one instant, as the point-in-time join gives them, read without Spark."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from conf.contract import Contract
from conf.errors import UsageError, did_you_mean
from conf.instants import instant_to_micros, micros_to_instant, parse_instant
from features.definitions import FeatureView
from features.grid import last_point
from features.local.as_of import join_as_of
from pipelines.delta.lake import LakeTables
from pipelines.delta.literals import standard_literal

_BOOLEANS = {"true": True, "false": False}


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


def read_features(lake: LakeTables, view: FeatureView, entity: Mapping[str, Any], at: datetime) -> FeatureValues:
    """Look up the feature values of an entity, as ``parse_entity`` returns it.

    The view's table must be complete through ``at``.
    """
    at_us = instant_to_micros(at)
    where = [f'"{key}" = {standard_literal(value)}' for key, value in entity.items()]
    where.append(f"feature_at <= {standard_literal(micros_to_instant(last_point(view, at_us)))}")
    stored = pl.DataFrame(pl.from_arrow(lake.rows("gold", view.name, " AND ".join(where))))
    keys = {key: pl.Series([value], dtype=stored.schema[key]) for key, value in entity.items()}
    spine = pl.DataFrame({**keys, "prediction_at": pl.Series([at], dtype=pl.Datetime("us", "UTC"))})
    row = join_as_of(spine, [(view, stored)], at_us, with_times=True).row(0, named=True)
    feature_at, available_at, changed_at = (
        row[view.column_of(name)] for name in ("feature_at", "available_at", "changed_at")
    )
    values = {name: row[view.column_of(name)] for name in view.feature_names}
    return FeatureValues(view.name, dict(entity), feature_at, available_at, changed_at, values)


def parse_entity(view: FeatureView, contract: Contract, entity: Mapping[str, str]) -> dict[str, Any]:
    """Return the join keys of an entity in the view's order, each of its own type.

    Raises
    ------
    UsageError : when the join keys are not the view's, or a value is not of the key's type
    """
    keys = list(view.entity.join_keys)
    if sorted(entity) != sorted(keys):
        unknown = [name for name in entity if name not in keys]
        hint = did_you_mean(unknown[0], keys) if unknown else f"give {' '.join(f'{key}=…' for key in keys)}"
        raise UsageError(f"{view.name} is asked by {', '.join(keys)}", hint)
    return {key: _parse(key, entity[key], contract.type_of(key)) for key in keys}


def _parse(key: str, text: str, kind: str) -> Any:
    try:
        match kind:
            case "string":
                return text
            case "boolean":
                return _BOOLEANS[text.lower()]
            case "int" | "bigint":
                return _in_range(int(text), 31 if kind == "int" else 63)
            case "date":
                return date.fromisoformat(text)
            case "timestamp":
                return parse_instant(text)
        return Decimal(text)
    except (ValueError, KeyError, ArithmeticError, UsageError):
        raise UsageError(f"{text!r} is not a {kind}, as {key} is", "give a valid value") from None


def _in_range(number: int, bits: int) -> int:
    if not -(2**bits) <= number < 2**bits:
        raise ValueError(number)
    return number
