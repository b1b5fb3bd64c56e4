"""The rows that a caller of the Python API asks about, in the types that the feature tables have."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import polars as pl

from conf.errors import UsageError
from features.definitions import FeatureView
from features.join_keys import PREDICTION_AT
from features.local.as_of import INSTANT
from pipelines.delta.lake import LakeTables

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EntityRows = Union["pd.DataFrame", pl.DataFrame, "pa.Table", Sequence[Mapping[str, Any]]]


def as_frame(rows: EntityRows) -> pl.DataFrame:
    """Return the rows as a Polars frame.

    Raises
    ------
    UsageError : when they are no rows with named columns
    """
    try:
        return rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        hint = "give a pandas or Polars DataFrame, an Arrow table, or a list of dicts"
        raise UsageError(f"these are not rows with named columns: {error}", hint) from None


def read_entities(rows: EntityRows, views: Sequence[FeatureView], lake: LakeTables) -> pl.DataFrame:
    """Return the rows with their join keys in the types of the feature tables, and ``prediction_at`` in UTC.

    Raises
    ------
    UsageError : when a column is missing, or a value does not fit the type of its key
    """
    frame = as_frame(rows)
    kinds = {key: kind for view in views for key, kind in _key_types(lake, view).items()}
    missing = [name for name in (PREDICTION_AT, *kinds) if name not in frame.columns]
    if missing:
        raise UsageError(f"the rows lack {', '.join(missing)}", f"they have {', '.join(frame.columns)}")
    keys = [_cast_key(frame[key], kind) for key, kind in kinds.items()]
    return frame.with_columns(*keys, _as_instants(frame[PREDICTION_AT]))


def _key_types(lake: LakeTables, view: FeatureView) -> dict[str, pl.DataType]:
    empty = pl.DataFrame(pl.from_arrow(lake.schema("gold", view.name).empty_table()))
    return {key: empty.schema[key] for key in view.entity.join_keys}


def _cast_key(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """Cast a join key. Only kinds of the same family are cast: no text is made of a number, and no number of a text."""
    is_same_family = column.dtype == kind or (column.dtype.is_integer() and kind.is_integer())
    is_same_family |= column.dtype == pl.Null() or isinstance(column.dtype, pl.Categorical | pl.Enum)
    try:
        if is_same_family or (isinstance(column.dtype, pl.Decimal) and isinstance(kind, pl.Decimal)):
            return column.cast(kind)
    except pl.exceptions.PolarsError:
        pass
    hint = f"cast it to {kind}, so that equal keys are equal values"
    raise UsageError(f"the join key {column.name} is of type {column.dtype}, and {kind} in the feature table", hint)


def _as_instants(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime):
        zoned = column if column.dtype.time_zone else column.dt.replace_time_zone("UTC")
        return zoned.dt.convert_time_zone("UTC").cast(INSTANT)
    if column.dtype in (pl.Date(), pl.Null()):
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    raise UsageError(f"prediction_at is of type {column.dtype}", "give timestamps; those without a zone count as UTC")
