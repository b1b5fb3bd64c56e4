"""Python values written as SQL literals. Delta skips files by literals only, not by equality of columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from conf.instants import format_instant


def sql_literal(value: Any) -> str:
    """Write a value as Spark SQL: a date becomes ``DATE '2024-03-01'``."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case datetime():
            return f"TIMESTAMP '{format_instant(value)}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case int() | Decimal():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
    raise TypeError(f"no literal for {value!r}")


def standard_literal(value: Any) -> str:
    """Write a value as standard SQL, which DataFusion speaks: a backslash in a text is a backslash."""
    if isinstance(value, str):
        escaped = value.replace("'", "''")
        return f"'{escaped}'"
    return sql_literal(value)
