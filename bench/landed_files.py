"""What it costs to find that nothing new has landed, by the number of files that have landed before.

No file is really loaded: the ledger and the logs of bronze and silver are written as so many loads would leave them.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from bench.measure import BenchmarkFailed, Engine, run_process, take_turns
from bench.results import Case, Usage
from bench.scratch import scratch_folder
from bench.small_project import START, SmallProject, make_small_project
from pipelines.ledger.file_records import LOADED, SCHEMA

TITLE = "Many landed files"
ABOUT = (
    "`plan` on a landing folder whose files have all been loaded: a whole process. The script written by hand walks "
    "the folder, reads name, size and time of all files in the ledger by `deltalake`, and compares them."
)
GROWS_BY = "landed files"
OURS, HAND = "Headwater plan", "by hand: walk, ledger"
FILES_A_LOAD = 100
MOST_COMMITS = 30
BY_HAND = """
import os, sys
from deltalake import DeltaTable, QueryBuilder
landing, ledger = sys.argv[1:]
rows = QueryBuilder().register("l", DeltaTable(ledger)).execute("SELECT file, size, modified_ns FROM l").read_all()
known = set(zip(*(rows[name].to_pylist() for name in ("file", "size", "modified_ns"))))
paths = [os.path.join(folder, name) for folder, _, names in os.walk(landing) for name in names]
facts = [(os.path.relpath(path, landing), os.lstat(path)) for path in paths]
print(len(facts), sum((name, fact.st_size, fact.st_mtime_ns) not in known for name, fact in facts))
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, nargs="+", default=[300, 3_000, 30_000], help="numbers of landed files")
    parser.add_argument("--turns", type=int, default=4, help="runs of each")


def run(options: argparse.Namespace) -> Iterator[Case]:
    for number in options.files:
        with scratch_folder("landed_files") as folder:
            yield _look(make_small_project(folder), number, options.turns)


def _look(project: SmallProject, number: int, turns: int) -> Case:
    _pretend_loaded(project, _land(project.landing, number))
    found: dict[str, tuple[int, int]] = {}

    def plan() -> Usage:
        used, document = project.run("plan", "--json")
        table = json.loads(document)["load"]["orders"]
        if table["reason"]:
            raise BenchmarkFailed(f"the plan finds something to do: {table['reason']}")
        found[OURS] = table["files_seen"], table["files_new"]
        return used

    def compare_by_hand() -> Usage:
        ledger = project.tables / "ops" / "files"
        used, text = run_process([sys.executable, "-c", BY_HAND, str(project.landing), str(ledger)])
        seen, new = text.split()
        found[HAND] = int(seen), int(new)
        return used

    engines = [
        Engine(OURS, plan, partial(_get, found, OURS)),
        Engine(HAND, compare_by_hand, partial(_get, found, HAND)),
    ]
    return Case(f"{number:,} files", take_turns(f"{number} files", engines, turns), {GROWS_BY: number})


def _get(found: dict[str, tuple[int, int]], engine: str) -> tuple[int, int]:
    return found[engine]


def _land(landing: Path, number: int) -> list[Path]:
    """Land empty files, 100 a delivery."""
    files = []
    for position in range(number):
        delivered = START + timedelta(hours=position // FILES_A_LOAD)
        folder = landing / "orders" / f"delivered={delivered:%Y-%m-%dT%H-%M}"
        if position % FILES_A_LOAD == 0:
            folder.mkdir(parents=True)
        files.append(folder / f"orders-{position}.csv")
        files[-1].write_text("id,shop,amount,ordered\n", encoding="ascii")
    return files


def _pretend_loaded(project: SmallProject, files: list[Path]) -> None:
    records = []
    for position, file in enumerate(files):
        facts = file.lstat()
        records.append(
            {
                "table_name": "orders", "file": str(file.relative_to(project.landing)), "file_hash": f"{position:064x}",
                "size": facts.st_size, "modified_ns": facts.st_mtime_ns, "delivered_at": START, "status": LOADED,
                "load": position // FILES_A_LOAD + 1, "rows_in_file": 1, "rows_accepted": 1, "rows_quarantined": 0,
                "rows_superseded": 0, "rows_repeated": 0, "known_through": START, "recorded_at": START,
            }
        )  # fmt: skip
    rows = pa.Table.from_pylist(records, SCHEMA)
    step = max(FILES_A_LOAD, -(-len(files) // MOST_COMMITS))
    for first in range(0, len(files), step):
        write_deltalake(project.tables / "ops" / "files", rows.slice(first, step), mode="append")
    loads = (len(files) - 1) // FILES_A_LOAD + 1
    cursor = CommitProperties(app_transactions=[Transaction("orders/0", loads)])
    for layer in ("bronze", "silver"):
        write_deltalake(project.tables / layer / "orders", pa.table({"id": [1]}), commit_properties=cursor)
