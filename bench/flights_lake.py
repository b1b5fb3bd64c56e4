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
VIEWS = ("aircraft_delays", "carrier_delays", "destination_delays", "origin_delays")
DUCKDB_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMPTZ"}
Digests = tuple[Digest, Digest]


@dataclass(frozen=True)
class FlightsLake:
    """The folder that holds the landing folder and the tables of both."""

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

    def run_by_hand(self, files: list[str]) -> Usage:
        """Run the script that was written by hand, with Headwater's Spark properties, as a process of its own."""
        task = self.folder / "task.json"
        task.write_text(json.dumps(self._task()), encoding="utf-8")
        script = str(PEERS / "flights_by_hand.py")
        return run_process([sys.executable, script, str(task), *files], {"SPARK_LOCAL_IP": "127.0.0.1"})[0]

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
        }

    def digests(self) -> Digests:
        """Return the digests of Headwater's bronze and silver."""
        return digest_bronze(self.tables / "bronze" / TABLE), digest_silver(self.tables / "silver" / TABLE)

    def digests_by_hand(self) -> Digests:
        return digest_bronze(self.by_hand / "bronze"), digest_silver(self.by_hand / "silver")


def flights_contract() -> Contract:
    return load_project(ROOT, "local").contract(TABLE)


def digest_bronze(table: Path) -> Digest:
    columns = dict.fromkeys(flights_contract().raw_names, "VARCHAR")
    return digest_table(_read(table, columns), columns)


def digest_silver(table: Path) -> Digest:
    kinds = {column.name: DUCKDB_TYPES.get(column.type, column.type) for column in flights_contract().columns}
    columns = {**kinds, "_known_at": "TIMESTAMPTZ"}
    return digest_table(_read(table, columns), columns)


def _read(table: Path, columns: dict[str, str]) -> pa.Table:
    names = ", ".join(f'"{name}"' for name in columns)
    rows = QueryBuilder().register("rows", DeltaTable(str(table))).execute(f"SELECT {names} FROM rows")
    return pa.RecordBatchReader.from_stream(rows).read_all()
