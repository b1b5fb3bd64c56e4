"""The two processes that can hold the lease's lock on a file: this one, or Spark's JVM."""

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from conf.errors import LeaseLost

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PROPERTY = "headwater.lease"


class Lock(Protocol):
    """A lock on a file, held by one process."""

    @property
    def is_held(self) -> bool:
        """Whether another part of this program has locked the file already."""

    def try_lock(self, file: Path) -> bool:
        """Lock the file, unless another process has."""

    def check(self) -> None:
        """Check that the lock is still held."""

    def release(self) -> None:
        """Free the lock."""


class ProcessLock:
    """The lock of a job that writes without Spark. It holds while this process lives."""

    is_held = False
    _handle = -1

    def try_lock(self, file: Path) -> bool:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def check(self) -> None:
        """There is nothing to check: who asks holds it."""

    def release(self) -> None:
        os.close(self._handle)


class SparkLock:
    """The lock of a job that writes with Spark, held by the JVM: it is not free while the JVM may still commit."""

    def __init__(self, spark: "SparkSession") -> None:
        self._spark = spark

    @property
    def is_held(self) -> bool:
        return self._properties.get(_PROPERTY) is not None

    def try_lock(self, file: Path) -> bool:
        jvm: Any = self._spark._jvm
        channel = jvm.java.io.RandomAccessFile(str(file), "rw").getChannel()
        held = channel.tryLock()
        if held is None:
            channel.close()
            return False
        self._properties.put(_PROPERTY, held)
        return True

    def check(self) -> None:
        """Check that the JVM still runs: when it ends, this job has lost the lease.

        Raises
        ------
        LeaseLost : when the JVM is gone
        """
        from py4j.protocol import Py4JError

        try:
            jvm: Any = self._spark._jvm
            jvm.java.lang.System.nanoTime()
        except (Py4JError, OSError) as error:
            what = "Spark's JVM ended before the job did, and with it the lease on the lake"
            hint = "was it killed, or out of memory (spark.driver_memory)? Run the same command again: nothing is lost"
            raise LeaseLost(what, hint) from error

    def release(self) -> None:
        held = self._properties.remove(_PROPERTY)
        held.release()
        held.acquiredBy().close()

    @property
    def _properties(self) -> Any:
        jvm: Any = self._spark._jvm
        return jvm.java.lang.System.getProperties()
