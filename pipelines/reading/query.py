"""Questions in SQL over the tables of all layers, by name: ``silver.orders``, ``gold.order_totals``, ``ops.files``."""

import re
from typing import Any

from py4j.java_gateway import is_instance_of
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame

from conf.errors import NotFound, UsageError, did_you_mean
from pipelines.delta.lake import LAYERS, Lake

_PLANS = "org.apache.spark.sql.catalyst.plans.logical"
_STATEMENTS = (f"{_PLANS}.Command", f"{_PLANS}.ParsedStatement")
_RELATION = re.compile(r"'UnresolvedRelation \[([^\]]+)\]")


def build_query(lake: Lake, sql: str) -> DataFrame:
    """Return the answer to one SQL query, lazily.

    Raises
    ------
    UsageError : when the text is not one query, or names a column that does not exist
    NotFound : when it names a table that does not exist
    """
    spark: Any = lake.spark
    try:
        plan = spark._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"this is not SQL: {reason}", "write one SELECT over tables named layer.table") from None
    if any(is_instance_of(spark.sparkContext._gateway, plan, kind) for kind in _STATEMENTS):
        raise UsageError("only queries are answered here; nothing is changed or described", "write a SELECT")
    for relation in sorted(set(_RELATION.findall(plan.treeString()))):
        parts = [part.strip() for part in relation.split(",")]
        if len(parts) == 2 and parts[0] in LAYERS:
            _register(lake, *parts)
    try:
        return lake.spark.sql(sql)
    except (AnalysisException, ParseException) as error:
        raise UsageError(str(error).strip().splitlines()[0], "tables are named layer.table, as in silver.x") from None


def known_tables(lake: Lake, layer: str) -> list[str]:
    """Return the names of the tables that a layer has."""
    spark: Any = lake.spark
    folder = spark._jvm.org.apache.hadoop.fs.Path(f"{lake.settings.lake}/{layer}")
    file_system = folder.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
    if not file_system.exists(folder):
        return []
    return sorted(status.getPath().getName() for status in file_system.listStatus(folder) if status.isDirectory())


def _register(lake: Lake, layer: str, name: str) -> None:
    if not lake.exists(layer, name):
        raise NotFound(f"there is no table {layer}.{name}", did_you_mean(name, known_tables(lake, layer)))
    spark, table = lake.spark, f"{layer}.`{name}`"
    spark.sql(f"CREATE DATABASE IF NOT EXISTS {layer} LOCATION '{lake.settings.lake}/{layer}'")
    if spark.catalog.tableExists(table) and spark.catalog.getTable(table).tableType == "EXTERNAL":
        spark.sql(f"DROP TABLE {table}")  # the name alone: it may stand for the table of another lake
    spark.sql(f"CREATE TABLE {table} USING DELTA LOCATION '{lake.path(layer, name)}'")
