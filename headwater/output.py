"""How results are printed: a table or one JSON document on stdout, progress and messages on stderr."""

import csv
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from conf.durations import format_duration
from conf.instants import format_instant

stderr = Console(stderr=True, highlight=False)
MIN_WIDTH_IN_A_PIPE = 180


def say(message: str) -> None:
    """Tell the user what the command does now."""
    if stderr.is_terminal:
        stderr.print(f"[dim]· {message}[/dim]")
    else:
        stderr.print(f"· {message}", soft_wrap=True)


def plain(value: Any) -> Any:
    """Turn a value into one that JSON has: an instant into ISO with Z, a duration into ``7d``, a decimal into text."""
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


def print_json(value: Any, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(json.dumps(plain(value), ensure_ascii=False) + "\n")


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]], stream: TextIO | None = None) -> None:
    """Print rows as CSV. Text that a spreadsheet would run as a formula gets a quote mark in front."""
    writer = csv.writer(stream or sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if value is None else _escape_formula(value) for value in row] for row in rows])


def print_line(text: str) -> None:
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """Print rows as a table under its title, as wide as the terminal, in a pipe at least ``MIN_WIDTH_IN_A_PIPE``."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        is_number = all(isinstance(row[place], int | float | Decimal | None) for row in rows)
        table.add_column(name, overflow="fold", justify="right" if is_number and rows else "left")
    for row in rows:
        table.add_row(*["" if value is None else _format_cell(value) for value in row])
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, MIN_WIDTH_IN_A_PIPE)
    if title:
        print_line(title)
    console.print(table)


def without_empty_columns(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], kept: Sequence[str]
) -> tuple[list[str], list[list[Any]]]:
    """Leave out the columns that are empty or 0 in every row, unless they are among ``kept``."""
    shown = [place for place, name in enumerate(columns) if name in kept or any(row[place] for row in rows)]
    return [columns[place] for place in shown], [[row[place] for place in shown] for row in rows]


def _format_cell(value: Any) -> str:
    simple = plain(value)
    if isinstance(simple, float):
        return f"{simple:.6g}"
    return json.dumps(simple, ensure_ascii=False) if isinstance(simple, (dict, list)) else str(simple)


def _escape_formula(value: Any) -> Any:
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else plain(value)
