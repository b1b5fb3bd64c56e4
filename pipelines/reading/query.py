"""Questions in SQL over the tables of all layers, answered in this process by DataFusion, without Spark.

Tables are named by layer: ``silver.orders``, ``gold.order_totals``, ``ops.files``. Only these can be read: the text is
parsed before it runs, and anything but one SELECT over tables of the lake is refused.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError

from conf.errors import NotFound, UsageError, did_you_mean
from conf.instants import format_instant
from pipelines.delta.lake import LakeTables
from pipelines.delta.layers import LAYERS
from pipelines.delta.local import to_python
from pipelines.reading.sql_tables import find_tables

_NAMES = "tables are named layer.table, as in silver.x; --engine spark speaks Spark SQL"


@dataclass(frozen=True)
class Answer:
    """The answer to a query: its columns with their types, and its rows as they come."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    @property
    def columns(self) -> list[str]:
        return list(self.schema.names)

    def rows(self, limit: int | None = None) -> list[tuple[Any, ...]]:
        """Return the first ``limit`` rows, or all."""
        rows: list[tuple[Any, ...]] = []
        for batch in self.batches:
            rows += zip(*map(to_python, batch.columns), strict=True)
            if limit is not None and len(rows) >= limit:
                return rows[:limit]
        return rows


def answer_query(lake: LakeTables, sql: str, at: int | datetime | None = None) -> Answer:
    """Answer one SQL query.

    Parameters
    ----------
    at : read the table as of this version, or each table as of this instant; None reads the newest versions

    Raises
    ------
    UsageError : when the text is not one query, or DataFusion refuses it, as for a column that does not exist
    NotFound : when it names a table that does not exist, or did not at that version or instant
    """
    tables = find_tables(sql, "datafusion")
    for layer, name in sorted(tables):
        if layer not in LAYERS or not lake.exists(layer, name):
            hint = did_you_mean(name, _known_tables(lake, layer)) if layer in LAYERS else _NAMES
            raise NotFound(f"there is no table {layer}.{name}" if layer else f"there is no table {name}", hint)
    versions = _versions_at(lake, tables, at)
    try:
        reader = pa.RecordBatchReader.from_stream(lake.query(tables, sql, versions))
        return Answer(reader.schema, _read(reader))
    except DeltaError as error:
        columns = {column for table in tables for column in lake.schema(*table).names}
        raise _refusal(error, columns) from None


def _versions_at(
    lake: LakeTables, tables: Collection[tuple[str, str]], at: int | datetime | None
) -> dict[tuple[str, str], int]:
    """Return the version of each table to read; none where the newest are meant."""
    if at is None:
        return {}
    if isinstance(at, datetime):
        versions = {table: lake.version_at(*table, at) for table in tables}
        for (layer, name), version in versions.items():
            if version < 0:
                said = f"{layer}.{name} did not exist at {format_instant(at)}"
                raise NotFound(said, f"`headwater history {layer}.{name}` shows when it was made")
        return versions
    if len(tables) != 1:
        said = f"version {at} can be asked of one table; this query reads {len(tables)}"
        raise UsageError(said, "give an instant, as in --at 2013-11-05T12:00:00Z")
    ((layer, name),) = tables
    newest = lake.version(layer, name)
    if at > newest:
        raise NotFound(f"{layer}.{name} has no version {at}; its newest is {newest}", f"--at 0 to --at {newest}")
    return {(layer, name): at}


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise _refusal(error) from None


def _refusal(error: Exception, columns: Collection[str] = ()) -> UsageError:
    """Say what DataFusion says, with a hint: of a column that does not exist, the known one that is most like it."""
    reason = str(error).strip().splitlines()[0].removeprefix("Schema error: ")
    unknown = re.search(r"No field named (\S+?)\.(?: |$)", f"{reason} ")
    if unknown is None:
        return UsageError(reason, _NAMES)
    name = unknown[1].rpartition(".")[2].strip('"')
    return UsageError(f"there is no column {name}", did_you_mean(name, sorted(columns)))


def _known_tables(lake: LakeTables, layer: str) -> list[str]:
    """Return the names of a layer's tables; none where the lake is not on this machine."""
    folder = Path(lake.settings.lake) / layer
    return sorted(path.name for path in folder.iterdir()) if "://" not in lake.settings.lake and folder.is_dir() else []
