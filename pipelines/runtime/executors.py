"""How the work of a session was spread over its executors, from Spark's own counters."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession


@dataclass(frozen=True)
class ExecutorUse:
    """One executor: the tasks it ended, the bytes it read from files and from other executors."""

    name: str
    host: str
    is_active: bool
    tasks: int
    read_bytes: int


def read_executors(spark: SparkSession) -> list[ExecutorUse]:
    """Return the executors there are and were, without the driver."""
    jvm: Any = spark._jvm
    store = spark.sparkContext._jsc.sc().statusStore()
    found = jvm.scala.jdk.javaapi.CollectionConverters.asJava(store.executorList(False))
    return [
        ExecutorUse(
            str(entry.id()), str(entry.hostPort()), bool(entry.isActive()), int(entry.totalTasks()),
            int(entry.totalInputBytes()) + int(entry.totalShuffleRead()),
        )
        for entry in found
        if str(entry.id()) != "driver"
    ]  # fmt: skip


def task_skew(executors: list[ExecutorUse]) -> float | None:
    """Return how many times the mean the busiest living executor did, in tasks; None where none did any."""
    tasks = [executor.tasks for executor in executors if executor.is_active]
    return max(tasks) / (sum(tasks) / len(tasks)) if sum(tasks) else None


def describe_executors(spark: SparkSession) -> str:
    """Say in a line how partitions were spread: the tasks of each executor, and the skew between them."""
    executors = read_executors(spark)
    each = ", ".join(
        f"{e.name} on {e.host}: {e.tasks} tasks, {e.read_bytes / 1e6:.1f} MB read" + ("" if e.is_active else " (lost)")
        for e in executors
    )
    skew = task_skew(executors)
    total = sum(executor.tasks for executor in executors)
    return f"{total} partitions over {len(executors)} executors ({each}); skew {skew:.2f}" if skew else "no executors"
