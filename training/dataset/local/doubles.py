"""Numbers as doubles, rounded as Java rounds them, so that both engines give a model the same inputs."""

import polars as pl


def as_double(column: pl.Series) -> pl.Series:
    """Return numbers and booleans as doubles. A decimal becomes the double that is nearest to it."""
    if isinstance(column.dtype, pl.Decimal):
        values = [None if value is None else float(value) for value in column]
        return pl.Series(column.name, values, dtype=pl.Float64)
    return column.cast(pl.Float64)
