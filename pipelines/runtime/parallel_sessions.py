"""Work on several tables at once: while Spark plans or commits for one table, tasks of another use the cores.

Each piece of work gets a Spark session of its own, because the stamp of a commit is a property of the session.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pyspark.sql import SparkSession

MOST_AT_ONCE = 4
Result = TypeVar("Result")


def run_in_parallel_sessions(spark: SparkSession, works: Sequence[Callable[[SparkSession], Result]]) -> list[Result]:
    """Do every piece of work, each with a session of its own, and return the results in the order of ``works``.

    When one fails, the others still run to their end. Then the first error is raised, in the order of ``works``.
    """
    width = min(MOST_AT_ONCE, spark.sparkContext.defaultParallelism, len(works))
    if width <= 1:
        return [work(spark) for work in works]
    with ThreadPoolExecutor(max_workers=width) as pool:
        futures = [pool.submit(_run, spark, work) for work in works]
    return [future.result() for future in futures]


def _run(spark: SparkSession, work: Callable[[SparkSession], Result]) -> Result:
    session = spark.newSession()
    jvm: Any = session._jvm
    jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(session._jsparkSession)
    return work(session)
