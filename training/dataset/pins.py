"""A pin: one Delta table at one version, so that what was read can be read again."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipelines.delta.lake import Lake, LakeTables, missing_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class TablePin:
    """A table of the lake at a version. A table that is made anew at the same path has another ``table_id``."""

    layer: str
    name: str
    version: int
    table_id: str
    path: str

    @classmethod
    def of(cls, lake: LakeTables, layer: str, name: str) -> Self:
        """Pin the newest version of a table.

        Raises
        ------
        NotFound : when the table has not been written yet
        """
        version = lake.version(layer, name)
        if version < 0:
            raise missing_table(lake, layer, name)
        return cls(layer, name, version, lake.table_id(layer, name), lake.path(layer, name))

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    def read(self, lake: Lake) -> "DataFrame":
        """Read the table lazily, at this version."""
        return lake.read(self.layer, self.name, self.version)
