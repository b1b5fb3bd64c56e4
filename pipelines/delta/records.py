"""Rows of a small table as frozen Python objects."""

from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from pyspark.sql import DataFrame

from conf.instants import as_utc

Record = TypeVar("Record")


def collect_records(frame: DataFrame, kind: type[Record]) -> list[Record]:
    """Collect a frame into objects of a dataclass whose fields are named like the columns; timestamps are UTC."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return [kind(*(_with_zone(value) for value in row)) for row in frame.select(*names).collect()]


def _with_zone(value: Any) -> Any:
    return as_utc(value) if isinstance(value, datetime) else value
