"""Where the tables of an environment lie, ``<lake>/<layer>/<name>``, and how a job reads them at a fixed version."""

from dataclasses import dataclass, replace
from typing import Self

from pyspark.sql import DataFrame, SparkSession

from conf.errors import NotFound
from conf.settings import Settings
from pipelines.delta.log import LastCommit, changed_version, read_last_commit, table_id, table_version
from pipelines.delta.tables import is_table, read_table


@dataclass(frozen=True)
class Lake:
    """The tables of one environment, and the session that reads and writes them."""

    spark: SparkSession
    settings: Settings

    def with_session(self, spark: SparkSession) -> Self:
        """Return the same tables, read and written by another session."""
        return replace(self, spark=spark)

    def path(self, layer: str, name: str) -> str:
        return f"{self.settings.lake}/{layer}/{name}"

    def exists(self, layer: str, name: str) -> bool:
        return is_table(self.spark, self.path(layer, name))

    def version(self, layer: str, name: str) -> int:
        """Return the table's newest version; -1 when there is no table."""
        return table_version(self.spark, self.path(layer, name))

    def changed_version(self, layer: str, name: str) -> int:
        """Return the newest version in which a row changed; -1 when there is no table."""
        return changed_version(self.spark, self.path(layer, name))

    def table_id(self, layer: str, name: str) -> str:
        return table_id(self.spark, self.path(layer, name))

    def last_commit(self, layer: str, name: str) -> LastCommit:
        """Return what Headwater's newest commit to the table left behind: generation, cursor, metadata."""
        return read_last_commit(self.spark, self.path(layer, name), name)

    def read(self, layer: str, name: str, version: int | None = None) -> DataFrame:
        """Read a table lazily, as of ``version`` when one is given.

        Raises
        ------
        NotFound : when the table has not been written yet
        """
        if not self.exists(layer, name):
            hint = "run `headwater load`" if layer in ("bronze", "silver") else "run `headwater materialize`"
            raise NotFound(f"the table {layer}.{name} does not exist yet in {self.settings.lake}", hint)
        return read_table(self.spark, self.path(layer, name), version)
