"""Lakes of the flights in a scratch folder: Headwater's, and the one that the script written by hand makes.

Both read the same landing folder, in which each day's outcomes are delivered on time.
"""

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from bench.digest import Digest, digest_table
from bench.measure import HEADWATER, run_process
from bench.results import Usage
from bench.session import CORES, bench_properties
from conf.contract import Contract
from conf.settings import ROOT
from headwater.demonstrations.feeds import FIRST_DAY, land_day
from pipelines.project.project import load_project

PEERS = Path(__file__).with_name("peers")
TABLE = "flights"
VIEWS = {
    "aircraft_delays": "tailnum",
    "carrier_delays": "carrier",
    "destination_delays": "dest",
    "origin_delays": "origin",
}
DUCKDB_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMPTZ"}


@dataclass(frozen=True)
class FlightsLake:
    """The folder that holds the landing folder, and the tables of both as <layer>/<name>."""

    folder: Path

    @property
    def by_hand(self) -> Path:
        return self.folder / "by_hand"

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    def land(self, number: int) -> list[str]:
        """Land the days up to the ``number``-th of the year that have not landed, and return the files of all days."""
        landed = {path.name: path for path in self.folder.glob(f"landing/{TABLE}/*/*.csv")}
        days = [FIRST_DAY + timedelta(days=position) for position in range(number)]
        files = [landed.get(f"{TABLE}-{day}.csv") or land_day(self.folder / "landing", day).path for day in days]
        return [str(file) for file in files]

    def run_headwater(self, *words: str) -> Usage:
        """Run one command on the lake, as a process of its own."""
        environ = {
            "HEADWATER__LAKE": str(self.tables),
            "HEADWATER__LANDING": str(self.folder / "landing"),
            "HEADWATER__SPARK__MASTER": f"local[{CORES}]",
        }
        return run_process([HEADWATER, "--project", str(ROOT), "--env", "local", *words], environ)[0]

    def run_by_hand(self, script: str, *files: str) -> Usage:
        """Run a script that was written by hand, with Headwater's Spark properties, as a process of its own."""
        task = self.folder / "task.json"
        task.write_text(json.dumps(self._task()), encoding="utf-8")
        command = [sys.executable, str(PEERS / script), str(task), *files]
        return run_process(command, {"SPARK_LOCAL_IP": "127.0.0.1"})[0]

    def _task(self) -> dict[str, object]:
        contract = flights_contract()
        return {
            "properties": bench_properties(),
            "folder": str(self.by_hand),
            "raw": contract.raw_names,
            "null_texts": contract.landing.null_texts,
            "maps": contract.maps,
            "columns": [(column.name, column.type, column.expr) for column in contract.columns],
            "key": contract.key,
            "views": VIEWS,
        }

    def digests(self, root: Path, *layers: str) -> list[Digest]:
        """Return the digest of each table of these layers; ``root`` is ``tables`` or ``by_hand``."""
        compared = [(f"{layer}/{name}", types) for layer in layers for name, types in _columns_of(layer).items()]
        return [_digest(root / table, types) for table, types in compared]


def flights_contract() -> Contract:
    return load_project(ROOT, "local").contract(TABLE)


def raw_columns() -> dict[str, str]:
    """Return the raw columns, with the type that DuckDB compares them as."""
    return dict.fromkeys(flights_contract().raw_names, "VARCHAR")


def _columns_of(layer: str) -> dict[str, dict[str, str]]:
    """Return what is compared of each table of a layer: columns, with the type that DuckDB compares them as."""
    if layer == "bronze":
        return {TABLE: raw_columns()}
    if layer == "silver":
        types = {column.name: DUCKDB_TYPES.get(column.type, column.type) for column in flights_contract().columns}
        return {TABLE: {**types, "_known_at": "TIMESTAMPTZ"}}
    times = dict.fromkeys(("feature_at", "available_at"), "TIMESTAMPTZ")
    views = load_project(ROOT, "local").views
    return {
        view: {key: "VARCHAR", **times, **{name: _type_of(name) for name in views[view].feature_names}}
        for view, key in VIEWS.items()
    }


def _type_of(feature: str) -> str:
    return "DOUBLE" if "_mean_" in feature else "BIGINT"


def _digest(table: Path, types: dict[str, str]) -> Digest:
    """Read the columns of a Delta table by DataFusion, which heeds deletion vectors, and return their digest."""
    names = ", ".join(f'"{name}"' for name in types)
    found = QueryBuilder().register("found", DeltaTable(str(table))).execute(f"SELECT {names} FROM found")
    return digest_table(pa.RecordBatchReader.from_stream(found).read_all(), types)
