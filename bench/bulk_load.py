"""The first load of many days of flights, against a script written by hand, and against reading the files at all."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.digest import digest_files
from bench.flights_lake import PEERS, TABLE, FlightsLake, raw_columns
from bench.measure import Engine, check_equal, run_process, take_turns
from bench.results import Case, Usage
from bench.scratch import empty_folder, scratch_folder

TITLE = "Bulk load"
ABOUT = (
    "All landed days of flights, one CSV file each, are loaded into an empty lake: bronze and silver; whole "
    "processes. The script written by hand has the same Spark properties, jars and class archive and must make the "
    "same rows; it checks no file, keeps no ledger, quarantine, row numbers, hashes or change feed. *pyarrow* only "
    "reads the files as text and writes one Parquet file with the rows of bronze: the floor."
)
OURS, HAND, FLOOR = "Headwater load", "by hand: bronze, silver", "pyarrow: text to Parquet"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=120, help="days, each a file of about 900 flights")
    parser.add_argument("--turns", type=int, default=2, help="2 is A B B A")


def run(options: argparse.Namespace) -> Iterator[Case]:
    with scratch_folder("bulk_load") as folder:
        yield _load_all(folder, options.days, options.turns)


def _load_all(folder: Path, days: int, turns: int) -> Case:
    lake = FlightsLake(folder)
    files = lake.land(days)
    target = folder / "rows.parquet"

    def load() -> Usage:
        empty_folder(lake.tables)
        return lake.run_headwater("load", TABLE)

    def load_by_hand() -> Usage:
        empty_folder(lake.by_hand)
        return lake.run_by_hand("flights_by_hand.py", *files)

    def read_by_pyarrow() -> Usage:
        return run_process([sys.executable, str(PEERS / "files_by_pyarrow.py"), str(target), *files])[0]

    engines = [
        Engine(OURS, load, lambda: lake.digests(lake.tables, "bronze")[0]),
        Engine(HAND, load_by_hand, lambda: lake.digests(lake.by_hand, "bronze")[0]),
        Engine(FLOOR, read_by_pyarrow, lambda: digest_files(str(target), raw_columns())),
    ]
    name = f"{days} days"
    used = take_turns(name, engines, turns)
    silver = {OURS: lake.digests(lake.tables, "silver")[0], HAND: lake.digests(lake.by_hand, "silver")[0]}
    check_equal(f"{name}, silver", silver)
    size_mb = sum(Path(file).stat().st_size for file in files) / 1e6
    return Case(name, used, {"rows": silver[OURS][0], "MB of CSV": round(size_mb, 1)})
