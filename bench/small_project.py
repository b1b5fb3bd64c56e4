"""A project of one table, orders, with any number of feature views of it, in a scratch folder."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from bench.measure import HEADWATER, run_process
from bench.results import Usage
from bench.session import CORES

ORDERS = {
    "landing": {"path": "orders", "format": "csv", "delivered": "delivered=%Y-%m-%dT%H-%M"},
    "raw": ["id", "shop", "amount", "ordered"],
    "key": ["id"],
    "event_at": "ordered_at",
    "columns": [
        {"name": "id", "type": "int"},
        {"name": "shop", "type": "string"},
        {"name": "amount_eur", "type": "double", "expr": "amount"},
        {"name": "ordered_at", "type": "timestamp", "expr": "ordered"},
    ],
}
START = datetime(2024, 1, 1, tzinfo=UTC)
VIEW = """sales_{number} = FeatureView(
    "sales_{number}", shop, "orders", [Aggregation("amount_eur", "sum", ["1d", "7d"])], where="id % {number} = 0"
)
"""


@dataclass(frozen=True)
class SmallProject:
    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def tables(self) -> Path:
        return self.folder / "lake"

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> tuple[Usage, str]:
        """Run one command on the project, as a process of its own."""
        environ = {"HEADWATER__SPARK__MASTER": f"local[{CORES}]"}
        return run_process([HEADWATER, "--project", str(self.folder), *words], environ, codes)

    def land_orders(self, day: int, orders: int) -> None:
        """Land one day's orders in one file, delivered at the next midnight."""
        ordered, delivered = START + timedelta(days=day, hours=9), START + timedelta(days=day + 1)
        first = day * orders
        rows = [f"{first + n},shop{n % 50},{n % 97}.5,{ordered:%Y-%m-%dT%H:%M:%SZ}" for n in range(orders)]
        file = self.landing / "orders" / f"delivered={delivered:%Y-%m-%dT%H-%M}" / "orders.csv"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(["id,shop,amount,ordered", *rows, ""]), encoding="ascii")


def make_small_project(folder: Path, views: int = 0) -> SmallProject:
    """Write the declarations of the project."""
    base = {"lake": "lake", "landing": "landing", "tracking_uri": "sqlite:///mlflow.db", "artifacts": "artifacts"}
    (folder / "conf" / "tables").mkdir(parents=True)
    (folder / "conf" / "base.yml").write_text(yaml.safe_dump(base), encoding="utf-8")
    (folder / "conf" / "tables" / "orders.yml").write_text(yaml.safe_dump(ORDERS), encoding="utf-8")
    if views:
        declared = [VIEW.format(number=number) for number in range(1, views + 1)]
        imports = "from features import Aggregation, Entity, FeatureView\n\nshop = Entity('shop', ['shop'])\n"
        (folder / "features" / "shop").mkdir(parents=True)
        (folder / "features" / "shop" / "views.py").write_text("\n".join([imports, *declared]), encoding="utf-8")
    return SmallProject(folder)
