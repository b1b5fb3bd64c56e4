"""The checks that a training set, or a set of questions, has one row for each key of its spine."""

from collections.abc import Mapping, Sequence
from typing import Any

from conf.errors import GrainError


def check_row_count(rows: int, expected: int) -> None:
    """Raise a GrainError when the point-in-time join made another number of rows than it was given."""
    if rows != expected:
        message = f"the point-in-time join made {rows} rows out of {expected}"
        raise GrainError(message, "a feature table repeats its key; run `headwater materialize --full`")


def refuse_repeated_keys(found: Sequence[Mapping[str, Any]], key: Sequence[str], table: str) -> None:
    """Raise a GrainError that names these rows, if there are any: their key comes twice or is NULL."""
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in key) for row in found)
        raise GrainError(f"{table} has more than one row, or no value, for the key: {keys}", "choose another spine.key")
