"""Whether results are equal: the number of rows, and a sum over the hashes of all rows, which no order changes."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

Digest = tuple[int, int]


def digest_files(pattern: str, columns: Mapping[str, str]) -> Digest:
    """Return the digest of Parquet files. ``columns`` gives the type (of DuckDB) that each column is compared as."""
    with duckdb.connect() as connection:
        return _digest(connection, f"read_parquet('{pattern}')", columns)


def digest_table(table: pa.Table, columns: Mapping[str, str]) -> Digest:
    with duckdb.connect() as connection:
        connection.register("compared", table)
        return _digest(connection, "compared", columns)


def _digest(connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]) -> Digest:
    compared = ", ".join(f'"{name}"::{kind}' for name, kind in columns.items())
    found = connection.execute(f"SELECT count(*), coalesce(sum(hash({compared})), 0) FROM {source}").fetchone()
    rows, total = found or (0, 0)
    return int(rows), int(total)
