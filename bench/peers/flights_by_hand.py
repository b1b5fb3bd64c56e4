"""Bronze and silver of the flights as a user would write them by hand: one process, one MERGE for each table.

usage: flights_by_hand.py TASK.json FILE...

Without tables it writes them, otherwise it merges the files' rows into them. TASK.json holds Spark's properties, the
folder of the tables, and of the contract the raw columns, the expressions and the key, so that the typed rows are the
same as Headwater's. Nothing is checked, counted or quarantined here, and no change feed is kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def main(task_file: str, *files: str) -> None:
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    builder = SparkSession.builder.appName("by hand")
    for name, value in task["properties"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    bronze, silver = f"{task['folder']}/bronze/flights", f"{task['folder']}/silver/flights"
    write(spark, bronze, read_files(spark, task, files), ["_file", "_hash"], updates=False)
    is_new = F.element_at(F.split("_file", "/"), -1).isin([Path(file).name for file in files])
    rows = spark.read.format("delta").load(bronze).where(is_new)
    write(spark, silver, type_rows(rows, task), task["key"], updates=True)
    spark.stop()


def read_files(spark: SparkSession, task: dict[str, Any], files: tuple[str, ...]) -> DataFrame:
    schema = ", ".join(f"{name} string" for name in task["raw"])
    rows = spark.read.csv(list(files), header=True, schema=schema)
    return rows.withColumns({"_file": F.input_file_name(), "_hash": F.xxhash64(*task["raw"])})


def type_rows(rows: DataFrame, task: dict[str, Any]) -> DataFrame:
    present = {name: F.when(~F.col(name).isin(task["null_texts"]), F.col(name)) for name in task["raw"]}
    rows = rows.withColumns(present)
    for name, pairs in task["maps"].items():
        rows = rows.withColumn(name, F.create_map(*[F.lit(part) for pair in pairs.items() for part in pair]))
    for name, kind, expression in task["columns"]:
        rows = rows.withColumn(name, F.expr(expression).try_cast(kind))
    delivered = F.regexp_extract("_file", "delivered=([^/]+)", 1)
    rows = rows.withColumn("_known_at", F.to_timestamp(delivered, "yyyy-MM-dd'T'HH-mm"))
    return rows.select(*[name for name, _, _ in task["columns"]], "_known_at").dropDuplicates(task["key"])


def write(spark: SparkSession, path: str, rows: DataFrame, key: list[str], updates: bool) -> None:
    if not DeltaTable.isDeltaTable(spark, path):
        rows.write.format("delta").save(path)
        return
    same_key = " AND ".join(f"t.{name} = s.{name}" for name in key)
    merge = DeltaTable.forPath(spark, path).alias("t").merge(rows.alias("s"), same_key).whenNotMatchedInsertAll()
    (merge.whenMatchedUpdateAll() if updates else merge).execute()


if __name__ == "__main__":
    main(*sys.argv[1:])
