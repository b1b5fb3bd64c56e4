"""Where the tables of an environment lie, ``<lake>/<layer>/<name>``, what their logs say, and how Spark reads them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from conf.errors import NotFound
from conf.settings import Settings, secret_properties
from conf.spark_properties import spark_properties
from conf.storage import storage_options
from pipelines.delta import log
from pipelines.delta.local import query_tables
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

    def size(self, layer: str, name: str) -> int:
        """Return the bytes of the data files of the newest version; 0 when there is no table."""
        return sum(file["size_bytes"] for file in self.files(layer, name))

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

    def rows(self, layer: str, name: str, where: str = "true") -> pa.Table:
        """Read the rows of a small table in this process."""
        sql = f"SELECT * FROM {layer}.{name} WHERE {where}"  # noqa: S608 (of our own names)
        return pa.RecordBatchReader.from_stream(self.query([(layer, name)], sql)).read_all()


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
            hint = "run `headwater load`" if layer in ("bronze", "silver") else "run `headwater materialize`"
            raise NotFound(f"the table {layer}.{name} does not exist yet in {self.settings.lake}", hint)
        from pipelines.delta.tables import read_table

        return read_table(self.spark, self.path(layer, name), version)
