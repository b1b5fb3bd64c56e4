"""Questions in SQL over the tables of all layers, answered in this process by DataFusion, without Spark.

Tables are named by layer: ``silver.orders``, ``gold.order_totals``, ``ops.files``. Only these can be read: the text is
parsed before it runs, and anything but one SELECT over tables of the lake is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError

from conf.errors import NotFound, UsageError, did_you_mean
from pipelines.delta.lake import LakeTables
from pipelines.delta.layers import LAYERS
from pipelines.delta.local import to_python
from pipelines.reading.sql_tables import find_tables

_NAMES = "tables are named layer.table, as in silver.x; --engine spark speaks Spark SQL"


@dataclass(frozen=True)
class Answer:
    """The answer to a query: its columns, and its rows as they come."""

    columns: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]

    def rows(self, limit: int | None = None) -> list[tuple[Any, ...]]:
        """Return the first ``limit`` rows, or all."""
        rows: list[tuple[Any, ...]] = []
        for batch in self.batches:
            rows += zip(*map(to_python, batch.columns), strict=True)
            if limit is not None and len(rows) >= limit:
                return rows[:limit]
        return rows


def answer_query(lake: LakeTables, sql: str) -> Answer:
    """Answer one SQL query.

    Raises
    ------
    UsageError : when the text is not one query, or DataFusion refuses it, as for a column that does not exist
    NotFound : when it names a table that does not exist
    """
    tables = find_tables(sql, "datafusion")
    for layer, name in sorted(tables):
        if layer not in LAYERS or not lake.exists(layer, name):
            hint = did_you_mean(name, _known_tables(lake, layer)) if layer in LAYERS else _NAMES
            raise NotFound(f"there is no table {layer}.{name}" if layer else f"there is no table {name}", hint)
    try:
        reader = pa.RecordBatchReader.from_stream(lake.query(tables, sql))
        return Answer(tuple(reader.schema.names), _read(reader))
    except DeltaError as error:
        raise _refusal(error) from None


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> UsageError:
    return UsageError(str(error).strip().splitlines()[0], _NAMES)


def _known_tables(lake: LakeTables, layer: str) -> list[str]:
    """Return the names of a layer's tables; none where the lake is not on this machine."""
    folder = Path(lake.settings.lake) / layer
    return sorted(path.name for path in folder.iterdir()) if "://" not in lake.settings.lake and folder.is_dir() else []
