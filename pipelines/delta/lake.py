"""Where tables lie: ``<lake>/<layer>/<name>``, and how a job reads them at a pinned version."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from conf.errors import NotFound
from conf.settings import Settings
from pipelines.delta.log import Standing, changed_version, read_standing, table_id, table_version
from pipelines.delta.merge import is_table, read_table

LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")


@dataclass(frozen=True)
class Lake:
    """The tables of one environment, and the session that reads and writes them."""

    spark: SparkSession
    settings: Settings

    def path(self, layer: str, name: str) -> str:
        return f"{self.settings.lake}/{layer}/{name}"

    def exists(self, layer: str, name: str) -> bool:
        return is_table(self.spark, self.path(layer, name))

    def version(self, layer: str, name: str) -> int:
        """Return the table's newest version; -1 when there is no table."""
        return table_version(self.spark, self.path(layer, name))

    def changed_version(self, layer: str, name: str) -> int:
        """Return the newest version that changed a row; -1 when there is no table."""
        return changed_version(self.spark, self.path(layer, name))

    def table_id(self, layer: str, name: str) -> str:
        return table_id(self.spark, self.path(layer, name))

    def standing(self, layer: str, name: str) -> Standing:
        return read_standing(self.spark, self.path(layer, name), name)

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
