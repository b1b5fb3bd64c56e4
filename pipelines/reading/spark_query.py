"""Questions in Spark SQL over the tables of all layers, answered by Spark."""

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame

from conf.errors import NotFound, UsageError, did_you_mean
from pipelines.delta.lake import Lake
from pipelines.delta.layers import LAYERS
from pipelines.reading.sql_tables import find_tables
from pipelines.runtime.file_system import list_folders


def build_query(lake: Lake, sql: str) -> DataFrame:
    """Return the result of one SQL query, lazily.

    Raises
    ------
    UsageError : when the text is not one query, or names a column that does not exist
    NotFound : when it names a table that does not exist
    """
    for layer, name in sorted(table for table in find_tables(sql, "spark") if table[0] in LAYERS):
        _register(lake, layer, name)
    try:
        return lake.spark.sql(sql)
    except (AnalysisException, ParseException) as error:
        raise UsageError(str(error).strip().splitlines()[0], "tables are named layer.table, as in silver.x") from None


def _register(lake: Lake, layer: str, name: str) -> None:
    """Let Spark know a table of this lake by its name. The name may have meant a table of another lake before."""
    spark, table, folder = lake.spark, f"{layer}.`{name}`", f"{lake.settings.lake}/{layer}"
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", did_you_mean(name, list_folders(spark, folder)))
    spark.sql(f"CREATE DATABASE IF NOT EXISTS {layer} LOCATION '{folder}'")
    if spark.catalog.tableExists(table) and spark.catalog.getTable(table).tableType == "EXTERNAL":
        spark.sql(f"DROP TABLE {table}")  # forgets the name; an external table keeps its files
    spark.sql(f"CREATE TABLE {table} USING DELTA LOCATION '{lake.path(layer, name)}'")
