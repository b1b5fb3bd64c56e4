"""Work on several tables at once: while one plans and commits on the driver, another's tasks use the cores.

Each piece of work has a Spark session of its own, since the stamp of a commit is a session's configuration.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from pipelines.delta.lake import Lake

MOST_AT_ONCE = 4
Result = TypeVar("Result")


def run_side_by_side(lake: Lake, works: Sequence[Callable[[Lake], Result]]) -> list[Result]:
    """Do each piece of work with a lake of its own session; results in the order of the works.

    All run to their end; then the first error, in the order of the works, is raised.
    """
    width = min(MOST_AT_ONCE, lake.spark.sparkContext.defaultParallelism, len(works))
    if width <= 1:
        return [work(lake) for work in works]
    with ThreadPoolExecutor(max_workers=width) as pool:
        futures = [pool.submit(_run, lake, work) for work in works]
    return [future.result() for future in futures]


def _run(lake: Lake, work: Callable[[Lake], Result]) -> Result:
    session = lake.spark.newSession()
    jvm: Any = session._jvm
    jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(session._jsparkSession)
    return work(replace(lake, spark=session))
