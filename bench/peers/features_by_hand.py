"""The four views of arrival delays as a user would write them by hand: made anew in full, tables overwritten.

usage: features_by_hand.py TASK.json

The same numbers as Headwater's, as long as every day is delivered on time and no flight is corrected: the script knows
nothing of late rows. A row stands at each day on which some window gains or loses a day with flights.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

WINDOWS = (1, 7, 28)  # days
PARTS = {"n": "bigint", "total": "bigint", "greatest": "int"}


def main(task_file: str) -> None:
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    builder = SparkSession.builder.appName("by hand")
    for name, value in task["properties"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    flights = spark.read.format("delta").load(f"{task['folder']}/silver/flights").where("arr_delay_min IS NOT NULL")
    last_day = flights.selectExpr("unix_date(to_date(max(_known_at) - INTERVAL 12 HOURS))").collect()[0][0]
    for view, key in task["views"].items():
        rows = build_features(flights.where(f"{key} IS NOT NULL"), key, last_day)
        rows.write.format("delta").mode("overwrite").save(f"{task['folder']}/gold/{view}")
    spark.stop()


def build_features(flights: DataFrame, key: str, last_day: int) -> DataFrame:
    day = (F.unix_date(F.to_date("arrived_at")) + 1).alias("day")
    sums = (F.count("*").alias("n"), F.sum("arr_delay_min").alias("total"), F.max("arr_delay_min").alias("greatest"))
    days = flights.groupBy(key, day).agg(*sums)
    ends = F.explode(F.array(*[F.col("day") + window for window in WINDOWS])).alias("day")
    emptied = days.select(key, ends, *[F.lit(None).cast(kind).alias(name) for name, kind in PARTS.items()])
    merged = days.unionByName(emptied).where(F.col("day") <= last_day)
    points = merged.groupBy(key, "day").agg(*[F.max(name).alias(name) for name in PARTS])
    feature_at = F.to_timestamp(F.date_from_unix_date("day"))
    available_at = feature_at + F.expr("INTERVAL 12 HOURS")
    features = [feature for window in WINDOWS for feature in window_features(key, window)]
    return points.select(key, feature_at.alias("feature_at"), available_at.alias("available_at"), *features)


def window_features(key: str, window: int) -> list[Column]:
    frame = Window.partitionBy(key).orderBy("day").rangeBetween(-(window - 1), 0)
    count, total = F.sum("n").over(frame), F.sum("total").over(frame)
    return [
        F.coalesce(count, F.lit(0)).alias(f"arr_delay_min_count_{window}d"),
        (total.cast("double") / count.cast("double")).alias(f"arr_delay_min_mean_{window}d"),
        F.max("greatest").over(frame).alias(f"arr_delay_min_max_{window}d"),
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
