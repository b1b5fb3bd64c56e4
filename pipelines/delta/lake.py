"""Where the tables of an environment lie, ``<lake>/<layer>/<name>``, what their logs say, and how Spark reads them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from conf.errors import NotFound
from conf.settings import Settings, secret_properties
from conf.spark_properties import spark_properties
from conf.storage import storage_options
from pipelines.delta import log
from pipelines.delta.local import query_tables, to_python
from pipelines.delta.log import LastCommit, Options

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class LakeTables:
    """The tables of one environment and what their logs say. Nothing here needs Spark."""

    settings: Settings

    @property
    def options(self) -> Options:
        """The options of the lake's storage; none for a local folder."""
        if "://" not in self.settings.lake:
            return None
        properties = spark_properties(self.settings) | secret_properties(self.settings)
        return storage_options(self.settings.lake, properties)

    def path(self, layer: str, name: str) -> str:
        return f"{self.settings.lake}/{layer}/{name}"

    def exists(self, layer: str, name: str) -> bool:
        return self.version(layer, name) >= 0

    def version(self, layer: str, name: str) -> int:
        """Return the table's newest version; -1 when there is no table."""
        return log.table_version(self.path(layer, name), self.options)

    def changed_version(self, layer: str, name: str) -> int:
        """Return the newest version in which a row changed; -1 when there is no table."""
        return log.changed_version(self.path(layer, name), self.options)

    def table_id(self, layer: str, name: str) -> str:
        return log.table_id(self.path(layer, name), self.options)

    def properties(self, layer: str, name: str) -> dict[str, str]:
        return log.table_properties(self.path(layer, name), self.options)

    def files(self, layer: str, name: str) -> list[dict[str, Any]]:
        """Return the data files of the newest version: path, size_bytes and partition."""
        return log.table_files(self.path(layer, name), self.options)

    def size(self, layer: str, name: str, version: int | None = None) -> int:
        """Return how many bytes the data files of a version have."""
        return sum(file["size_bytes"] for file in log.table_files(self.path(layer, name), self.options, version))

    def last_commit(self, layer: str, name: str) -> LastCommit:
        """Return what Headwater's newest commit to the table left behind: generation, cursor, metadata."""
        return log.read_last_commit(self.path(layer, name), name, self.options)

    def commits(self, layer: str, name: str, version: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the commits of a table, newest first, from ``version`` back."""
        return log.walk_commits_back(self.path(layer, name), self.options, version)

    def version_at(self, layer: str, name: str, instant: datetime) -> int:
        """Return the newest version that was committed at or before an instant; -1 when there was no table."""
        return log.version_at(self.path(layer, name), instant, self.options)

    def query(
        self, tables: Collection[tuple[str, str]], sql: str, versions: Mapping[tuple[str, str], int] | None = None
    ) -> Any:
        """Answer a query over tables named ``layer.name`` in this process, as a stream of Arrow batches.

        Parameters
        ----------
        versions : the versions to read; of a table that is not named here, the newest
        """
        return query_tables({table: self.path(*table) for table in tables}, self.options, sql, versions or {})

    def rows(
        self, layer: str, name: str, where: str = "true", columns: Sequence[str] = (), version: int | None = None
    ) -> pa.Table:
        """Read a table in this process: all its columns or some, as of ``version`` when one is given."""
        selected = ", ".join(f'"{column}"' for column in columns) or "*"
        sql = f"SELECT {selected} FROM {layer}.{name} WHERE {where}"  # noqa: S608 (of our own names)
        versions = {} if version is None else {(layer, name): version}
        return pa.RecordBatchReader.from_stream(self.query([(layer, name)], sql, versions)).read_all()

    def value(self, layer: str, name: str, aggregate: str, where: str = "true") -> Any:
        """Return one value over rows of a table, such as ``max(load)``; timestamps are UTC."""
        sql = f"SELECT {aggregate} AS value FROM {layer}.{name} WHERE {where}"  # noqa: S608 (of our own names)
        answer = pa.RecordBatchReader.from_stream(self.query([(layer, name)], sql)).read_all()
        return to_python(answer.column("value"))[0]

    def aggregate(self, layer: str, name: str, by: str, aggregate: str, where: str) -> pa.Table:
        """Return a ``value`` for each value of the column ``by``, which is called ``grouped``."""
        sql = f"SELECT {by} AS grouped, {aggregate} AS value FROM {layer}.{name} WHERE {where} GROUP BY {by}"  # noqa: S608
        return pa.RecordBatchReader.from_stream(self.query([(layer, name)], sql)).read_all()

    def schema(self, layer: str, name: str, version: int | None = None) -> pa.Schema:
        """Return the columns of a table with their Arrow types."""
        return log.table_schema(self.path(layer, name), self.options, version)


@dataclass(frozen=True)
class Lake(LakeTables):
    """The tables of one environment, and the session that reads and writes them."""

    spark: "SparkSession"

    def with_session(self, spark: "SparkSession") -> Self:
        """Return the same tables, read and written by another session."""
        return type(self)(self.settings, spark)

    def read(self, layer: str, name: str, version: int | None = None) -> "DataFrame":
        """Read a table lazily, as of ``version`` when one is given.

        Raises
        ------
        NotFound : when the table has not been written yet
        """
        if not self.exists(layer, name):
            raise missing_table(self, layer, name)
        from pipelines.delta.tables import read_table

        return read_table(self.spark, self.path(layer, name), version)


def missing_table(lake: LakeTables, layer: str, name: str) -> NotFound:
    """Return the error that a table does not exist, with the command that makes it."""
    hint = "run `headwater load`" if layer in ("bronze", "silver") else "run `headwater materialize`"
    return NotFound(f"the table {layer}.{name} does not exist yet in {lake.settings.lake}", hint)
