"""How the tasks of a session were spread over Spark's executors, by Spark's own counters."""

from typing import Any

from pyspark.sql import SparkSession


def describe_executors(spark: SparkSession) -> str:
    """Say in one line how many tasks each executor ran, how much it read, and how uneven that was.

    The skew is counted over the executors still alive: the tasks of the busiest one, divided by the mean. 1 is even.
    """
    jvm: Any = spark._jvm
    living_and_lost = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    listed = jvm.scala.jdk.javaapi.CollectionConverters.asJava(living_and_lost)
    executors = [executor for executor in listed if executor.id() != "driver"]
    described = ", ".join(
        f"{executor.id()} on {executor.hostPort()}: {executor.totalTasks()} tasks,"
        f" {(executor.totalInputBytes() + executor.totalShuffleRead()) / 1e6:.1f} MB read"
        + ("" if executor.isActive() else " (lost)")
        for executor in executors
    )
    living = [executor.totalTasks() for executor in executors if executor.isActive()]
    if not sum(living):
        return "no executors"
    total, skew = sum(executor.totalTasks() for executor in executors), max(living) * len(living) / sum(living)
    return f"{total} partitions over {len(executors)} executors ({described}); skew {skew:.2f}"
