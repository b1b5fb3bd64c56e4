"""Session properties that hold for one statement only."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession


@contextmanager
def temporary_confs(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Set properties of the session while the body runs, then put the old values back, also after an error.

    A commit's stamp is set this way. If it stayed, Delta would take the next commit for one that it has already
    made, and silently skip it.
    """
    before: dict[str, str | None] = {name: spark.conf.get(name, None) for name in confs}
    try:
        for name, value in confs.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, old in before.items():
            spark.conf.unset(name) if old is None else spark.conf.set(name, old)
