"""What a look at a table costs elsewhere: a process that imports ``deltalake``, and one that asks DuckDB."""

import sys
from collections.abc import Sequence

from bench.measure import Engine, run_process
from bench.results import Usage

IMPORT_DELTALAKE = "python -c 'import deltalake'"
DUCKDB = "DuckDB, same Parquet files"
COUNT = """
import sys, duckdb
counted = duckdb.sql("SELECT count(*) FROM read_parquet($files)", params={"files": sys.argv[1:]})
print(counted.fetchall()[0][0])
"""


def importing_deltalake() -> Engine:
    command = [sys.executable, "-c", "import deltalake"]
    return Engine(IMPORT_DELTALAKE, lambda: run_process(command)[0])


def counting_by_duckdb(files: Sequence[str]) -> Engine:
    counted: list[int] = []

    def count() -> Usage:
        used, text = run_process([sys.executable, "-c", COUNT, *files])
        counted.append(int(text))
        return used

    return Engine(DUCKDB, count, lambda: counted[-1])
