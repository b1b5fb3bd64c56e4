"""Creating, reading, removing and replacing Delta tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType

from conf.errors import DataError
from pipelines.delta.log import table_version
from pipelines.runtime.file_system import remove_folder, rename_folder
from pipelines.runtime.session import session_storage, temporary_confs

# Sessions forbid SQL on files, so that no expression of a project can read one. Only ``create_table`` allows it.
SQL_ON_FILES = "spark.sql.runSQLOnFiles"
# For tables whose rows change: a MERGE marks the old rows as deleted and copies no row that lies in the same file.
MARKS_ROWS = {"delta.enableDeletionVectors": "true"}


def create_table(
    spark: SparkSession, path: str, schema: StructType, partition_by: Sequence[str] = (),
    properties: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Create an empty table at ``path``, unless there is one already. Its first rows come with version 1."""
    if is_table(spark, path):
        return
    # A job that was killed while it created the table left a log without a commit: Delta would refuse to create here.
    remove_folder(spark, f"{path}/_delta_log")
    _forget(spark, path)
    builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema)
    for name, value in (properties or {}).items():
        builder = builder.property(name, value)
    if partition_by:
        builder = builder.partitionedBy(*partition_by)
    with temporary_confs(spark, {SQL_ON_FILES: "true"}):
        builder.execute()


def require_columns(schema: StructType, required: Collection[str]) -> StructType:
    """Return a copy of the schema with these columns NOT NULL and all others nullable."""
    return StructType(
        [StructField(field.name, field.dataType, field.name not in required, field.metadata) for field in schema.fields]
    )


def drop_table(spark: SparkSession, path: str) -> None:
    """Remove a table and its files, if there is one."""
    remove_folder(spark, path)
    _forget(spark, path)


def swap_table(spark: SparkSession, path: str, beside: str) -> None:
    """Put the table at ``beside`` in the place of the one at ``path``, which is removed.

    A job that is killed between the two renames leaves no table at ``path``; the next job makes it anew.

    Raises
    ------
    DataError : when a folder cannot be renamed
    """
    replaced = f"{path}__replaced"
    remove_folder(spark, replaced)
    if not rename_folder(spark, path, replaced) or not rename_folder(spark, beside, path):
        raise DataError(f"{beside} could not be moved to {path}", "check the rights on the folder, then run again")
    remove_folder(spark, replaced)
    _forget(spark, path)
    _forget(spark, beside)


def is_table(spark: SparkSession, path: str) -> bool:
    """Tell whether a Delta table lies at ``path``. A log without a commit, left by a killed job, is no table."""
    return newest_version(spark, path) >= 0


def newest_version(spark: SparkSession, path: str) -> int:
    """Return the newest version of the table at ``path``; -1 when there is no table."""
    return table_version(path, session_storage(spark, path))


def read_table(spark: SparkSession, path: str, version: int | None = None) -> DataFrame:
    """Read a table lazily, as of ``version`` when one is given."""
    options = {} if version is None else {"versionAsOf": version}
    return spark.read.format("delta").options(**options).load(path)


def read_changes(spark: SparkSession, path: str, after: int, until: int) -> DataFrame:
    """Read the rows that changed in the versions (after, until], before and after; ``_change_type`` says which."""
    changes = spark.read.format("delta").option("readChangeFeed", "true")
    return changes.option("startingVersion", after + 1).option("endingVersion", until).load(path)


def _forget(spark: SparkSession, path: str) -> None:
    """Make Delta forget the table that lay at a path."""
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(spark._jsparkSession, jvm.org.apache.hadoop.fs.Path(path))
