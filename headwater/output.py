"""How results are shown: one table or one JSON document on stdout, progress and messages on stderr."""

import csv
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from rich.console import Console
from rich.table import Table

from conf.durations import format_duration
from conf.instants import format_instant

stderr = Console(stderr=True, highlight=False)


def plain(value: Any) -> Any:
    """Turn a value into what JSON has: instants as ISO with Z, durations as ``7d``, decimals as text."""
    match value:
        case Enum():
            return value.value
        case datetime():
            return format_instant(value)
        case date():
            return value.isoformat()
        case timedelta():
            return format_duration(value)
        case Decimal():
            return str(value)
        case bytes() | bytearray():
            return value.hex()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def print_json(value: Any) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows as CSV; text that a spreadsheet would run as a formula is prefixed with a quote mark."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if value is None else _harmless(value) for value in row] for row in rows])


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """Print rows as a table as wide as it needs to be."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*["" if value is None else _shown(value) for value in row])
    console = Console(highlight=False)
    width = console.width if console.is_terminal else max(console.width, 180)
    Console(highlight=False, width=width).print(table)


def _shown(value: Any) -> str:
    simple = plain(value)
    if isinstance(simple, float):
        return f"{simple:.6g}"
    return json.dumps(simple, ensure_ascii=False) if isinstance(simple, (dict, list)) else str(simple)


def _harmless(value: Any) -> Any:
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else plain(value)
