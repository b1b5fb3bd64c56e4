"""A project of one table, made in a folder of its own, and how tests land files in it and look at what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.delta.lake import Lake
from pipelines.load import TableLoad, load_tables
from pipelines.project.project import Project, load_project
from pipelines.runtime.run_facts import RunFacts

RUN = RunFacts("test", "test", "test", datetime(2024, 1, 1, tzinfo=UTC))
ORDERS: dict[str, Any] = {
    "landing": {"path": "orders", "format": "csv", "delivered": "d=%Y-%m-%dT%H-%M"},
    "raw": ["id", "shop", "amount", "ordered", "version"],
    "key": ["id"],
    "event_at": "ordered_at",
    "columns": [
        {"name": "id", "type": "int"},
        {"name": "shop", "type": "string"},
        {"name": "amount_eur", "type": "double", "expr": "amount"},
        {"name": "ordered_at", "type": "timestamp", "expr": "ordered"},
        {"name": "version_no", "type": "int", "expr": "version"},
    ],
}
HEADER = "id,shop,amount,ordered,version"

SALES = """
from features import Aggregation, Entity, FeatureService, FeatureView

sales = FeatureView("sales", Entity("shop", ["shop"]), "orders", [Aggregation("amount_eur", "sum", ["1d", "3d"])])
inputs = FeatureService("inputs", [sales])
"""


@dataclass(frozen=True)
class SmallLake:
    """A project and its lake, both in one folder."""

    project: Project
    lake: Lake

    def land(self, name: str, content: str | bytes) -> None:
        """Put a file below the landing folder."""
        path = Path(self.project.settings.landing) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def orders(self, delivered: str, *rows: str, name: str = "orders.csv") -> None:
        """Land orders that were delivered at an instant such as 2024-01-02T00-00."""
        self.land(f"orders/d={delivered}/{name}", "\n".join([HEADER, *rows, ""]))

    def load(self, table: str = "orders") -> TableLoad:
        return load_tables(self.lake, [self.project.contracts[table]], None, RUN, lambda _: None)[0]

    def rows(self, layer: str, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, sorted."""
        return sorted((tuple(row) for row in self.lake.read(layer, name).select(*columns).collect()), key=repr)

    def versions(self) -> dict[str, int]:
        """Return the version of every table of the data layers and of ops.files."""
        names = [(layer, table) for layer in ("bronze", "silver", "quarantine") for table in self.project.contracts]
        names += [("gold", view) for view in self.project.views] + [("ops", "files")]
        return {f"{layer}.{name}": self.lake.version(layer, name) for layer, name in names}


def make_project(folder: Path, tables: Mapping[str, Mapping[str, Any]], definitions: str = "") -> Project:
    """Write a project and read it."""
    base = {"lake": "lake", "landing": "landing", "tracking_uri": "sqlite:///mlflow.db", "artifacts": "artifacts"}
    (folder / "conf" / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "base.yml").write_text(yaml.safe_dump(base), encoding="utf-8")
    for name, contract in tables.items():
        (folder / "conf" / "tables" / f"{name}.yml").write_text(yaml.safe_dump(dict(contract)), encoding="utf-8")
    if definitions:
        (folder / "features" / "shop").mkdir(parents=True, exist_ok=True)
        (folder / "features" / "shop" / "views.py").write_text(definitions, encoding="utf-8")
    return load_project(folder, "local")


def make_lake(
    spark: SparkSession, folder: Path, definitions: str = "", orders: Mapping[str, Any] | None = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> SmallLake:  # fmt: skip
    """Make the project of orders; ``orders`` changes keys of its contract, ``others`` adds tables."""
    project = make_project(folder, {"orders": {**ORDERS, **(orders or {})}, **(others or {})}, definitions)
    return SmallLake(project, Lake(project.settings, spark))


def accounting(small: SmallLake, table: str = "orders") -> dict[str, Sequence[Any]]:
    """Return status and rows in file, accepted, quarantined, superseded, repeated, by file."""
    counts = [f"rows_{what}" for what in ("in_file", "accepted", "quarantined", "superseded", "repeated")]
    found = small.lake.read("ops", "files").where(f"table_name = '{table}'").select("file", "status", *counts).collect()
    return {row[0]: tuple(row)[1:] for row in found}


def feature_rows(gold: DataFrame) -> dict[tuple[Any, int], tuple[Any, ...]]:
    """Return the values of a feature table by (entity, feature_at in µs). The entity has two join keys."""
    found: dict[tuple[Any, int], tuple[Any, ...]] = {}
    times = {name: F.unix_micros(name) for name in gold.columns if name.endswith("_at")}
    rows = gold.withColumns(times).collect()
    for one, two, point, _, *values in rows:
        assert found.setdefault(((one, two), point), tuple(values)) == tuple(values), "two rows of one grain"
    assert len({row["available_at"] - row["feature_at"] for row in rows}) <= 1
    return found
