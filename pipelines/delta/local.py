"""What takes milliseconds without Spark: the small tables of the ledger and the journals, and commits without rows."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    QueryBuilder,
    Schema,
    Transaction,
    write_deltalake,
)

from conf.instants import micros_to_instant
from pipelines.delta.commit import Commit, Outcome, Stamp, unchanged
from pipelines.delta.log import Options, open_log, table_version, walk_commits_back

Record = TypeVar("Record")
NOTHING_WRITTEN = {"numFiles": "0", "numOutputRows": "0", "numOutputBytes": "0"}


def query_tables(
    paths: Mapping[tuple[str, str], str], options: Options, sql: str, versions: Mapping[tuple[str, str], int]
) -> Any:
    """Answer a query by DataFusion, as a stream of Arrow batches.

    Parameters
    ----------
    paths : where each table lies that the query may name, by (layer, name)
    versions : the versions to read; of a table that is not named here, the newest
    """
    engine = QueryBuilder()
    for layer in sorted({layer for layer, _ in paths}):
        engine.execute(f"CREATE SCHEMA {layer}")
    for table, path in paths.items():
        engine.register(".".join(table), DeltaTable(path, versions.get(table), storage_options=options))
    return engine.execute(sql)


def as_records(table: pa.Table, kind: type[Record]) -> list[Record]:
    """Turn rows into objects of a dataclass whose fields are named like the columns; timestamps are UTC."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    columns = [to_python(table.column(name)) for name in names]
    return [kind(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def append_records(path: str, options: Options, rows: pa.Table, stamp: Stamp) -> Commit:
    """Add rows to a journal, and create it with the first. A journal has no key, so this is for what happens once."""
    before = table_version(path, options)
    write_deltalake(path, rows, mode="append", storage_options=options, commit_properties=_commit_properties(stamp))
    return Commit(Outcome.APPLIED, before, table_version(path, options), rows.num_rows)


def merge_records(path: str, options: Options, rows: pa.Table, grain: Sequence[str], stamp: Stamp) -> Commit:
    """Update the rows whose key the table has, insert the others; create the table when there is none."""
    table = open_log(path, options)
    if table is None:
        return append_records(path, options, rows, stamp)
    before = table.version()
    on = " AND ".join(f"t.{name} = s.{name}" for name in grain)
    merge = table.merge(rows, on, source_alias="s", target_alias="t", commit_properties=_commit_properties(stamp))
    done = merge.when_matched_update_all().when_not_matched_insert_all().execute()
    counts = [int(done[f"num_target_rows_{kind}"]) for kind in ("inserted", "updated", "deleted")]
    return Commit(Outcome.APPLIED, before, table_version(path, options), *counts)


def merge_new_records(
    path: str, options: Options, rows: pa.Table, grain: Sequence[str], stamp: Stamp, bounds: Sequence[str] = ()
) -> Commit:
    """Insert the rows whose key the table does not have; create the table when there is none.

    Parameters
    ----------
    bounds : conditions with literals on the table's columns (``t.``), by which files are skipped
    """
    table = open_log(path, options)
    if table is None:  # its first rows come with version 1, as in a table that Spark creates
        DeltaTable.create(path, Schema.from_arrow(rows.schema), storage_options=options)
        return replace(append_records(path, options, rows, stamp), version_before=-1)
    before = table.version()
    on = " AND ".join([*bounds, *(f"t.{name} = s.{name}" for name in grain)])
    merge = table.merge(rows, on, source_alias="s", target_alias="t", commit_properties=_commit_properties(stamp))
    done = merge.when_not_matched_insert_all().execute()
    after = table_version(path, options)
    if after == before:  # where no row is new, nothing is committed
        return unchanged(before)
    return Commit(Outcome.APPLIED, before, after, int(done["num_target_rows_inserted"]))


def move_cursor(path: str, options: Options, stamp: Stamp) -> Commit:
    """Commit no row, but a stamp with its cursor. A cursor that the table has already is not committed again.

    Raises
    ------
    TableNotFoundError : when there is no table
    """
    table = DeltaTable(path, storage_options=options)
    before = int(table.version())
    if stamp.transaction is None:
        raise ValueError(f"the stamp of {path} has no cursor")
    app, number = stamp.transaction
    if (recorded := table.transaction_version(app)) is not None and recorded >= number:
        return unchanged(before)
    table.create_write_transaction(
        [], "append", table.schema(), list(table.metadata().partition_columns),
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": stamp.metadata, "operationMetrics": NOTHING_WRITTEN},
            app_transactions=[Transaction(app, number)],
        ),
        # Checkpoints of a table that Spark writes are Spark's.
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )  # fmt: skip
    return Commit(Outcome.ADVANCED, before, table_version(path, options))


def read_changes(
    path: str, options: Options, columns: Sequence[str], after: int, until: int
) -> pa.RecordBatchReader | None:
    """Read the rows that changed in the versions (after, until], before and after, from the change feed.

    None where only Spark reads them rightly: ``deltalake`` 1.6.6 takes the deleted rows of a file with a deletion
    vector for its living ones when a commit removes the file, as RESTORE does. MERGE writes its changes out.
    """
    for commit in walk_commits_back(path, options, until):
        if commit["version"] <= after:
            break
        if commit.get("operation") not in ("WRITE", "MERGE", "OPTIMIZE"):
            return None
    table = DeltaTable(path, storage_options=options)
    changes = table.load_cdf(starting_version=after + 1, ending_version=until, columns=list(columns))
    return pa.RecordBatchReader.from_stream(changes)


def _commit_properties(stamp: Stamp) -> CommitProperties:
    return CommitProperties(custom_metadata={"userMetadata": stamp.metadata})


def to_python(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the values of a column: timestamps in UTC, which Arrow itself would import pandas for, maps as dicts."""
    if pa.types.is_map(column.type):
        return [None if pairs is None else dict(pairs) for pairs in column.to_pylist()]
    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    return [None if value is None else micros_to_instant(value) for value in micros]
