"""A pin: one Delta table at one version, so that what was read can be read again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pyspark.sql import DataFrame

from pipelines.delta.lake import Lake


@dataclass(frozen=True)
class TablePin:
    """A table of the lake at a version. ``table_id`` tells it from a table made anew at the same place."""

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

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(**content)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    def read(self, lake: Lake) -> DataFrame:
        """Read the table lazily, as it was."""
        return lake.read(self.layer, self.name, self.version)
