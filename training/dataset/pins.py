"""A pin: one Delta table at one version, so that what was read can be read again."""

from dataclasses import dataclass
from typing import Self

from pyspark.sql import DataFrame

from pipelines.delta.lake import Lake


@dataclass(frozen=True)
class TablePin:
    """A table of the lake at a version. A table that is made anew at the same path has another ``table_id``."""

    layer: str
    name: str
    version: int
    table_id: str
    path: str

    @classmethod
    def of(cls, lake: Lake, layer: str, name: str) -> Self:
        """Pin the newest version of a table.

        Raises
        ------
        NotFound : when the table has not been written yet
        """
        lake.read(layer, name)
        return cls(layer, name, lake.version(layer, name), lake.table_id(layer, name), lake.path(layer, name))

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    def read(self, lake: Lake) -> DataFrame:
        """Read the table lazily, at this version."""
        return lake.read(self.layer, self.name, self.version)
