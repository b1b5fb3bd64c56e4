"""What Spark counted: jobs started, and rows read by each task of a stage. Works with the web interface off."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession


@dataclass
class Counted:
    """Jobs started inside a ``with`` block, and per stage the rows that each task read."""

    jobs: int = 0
    rows_by_stage: dict[int, list[int]] = field(default_factory=dict)

    def skews(self, least_rows: int, tasks: int) -> dict[int, float]:
        """The busiest task's rows over an even share, of stages of several tasks that read at least so many rows.

        The even share is that of ``tasks``, or of the stage's tasks where these are fewer. A stage that reads several
        tables has more, and those of a small table would make the others look busy.
        """
        busy = {s: rows for s, rows in self.rows_by_stage.items() if len(rows) > 1 and sum(rows) >= least_rows}
        return {stage: max(rows) * min(len(rows), tasks) / sum(rows) for stage, rows in busy.items()}


@contextmanager
def counted(spark: SparkSession) -> Iterator[Counted]:
    """Count what Spark does until the block ends."""
    store = spark.sparkContext._jsc.sc().statusStore()
    before = {job.jobId() for job in _java_list(spark, store.jobsList(None))}
    found = Counted()
    yield found
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
    jobs = [job for job in _java_list(spark, store.jobsList(None)) if job.jobId() not in before]
    found.jobs = len(jobs)
    for stage in {stage for job in jobs for stage in _java_list(spark, job.stageIds())}:
        tasks = _java_list(spark, store.taskList(stage, 0, 1_000_000))
        found.rows_by_stage[stage] = [_rows_read(task) for task in tasks if task.taskMetrics().isDefined()]


def _rows_read(task: Any) -> int:
    metrics = task.taskMetrics().get()
    return int(metrics.inputMetrics().recordsRead() + metrics.shuffleReadMetrics().recordsRead())


def _java_list(spark: SparkSession, scala: Any) -> Any:
    return spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava(scala)
