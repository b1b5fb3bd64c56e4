"""One writer for each lake: a lock that the JVM holds which commits, so it lives exactly as long as that process.

The operating system frees the lock when the JVM dies, however it dies. Who holds the lease is written to another file
beside the locked one: had the same JVM opened and closed the locked file a second time, that would free the lock. For
a lake on object storage the lock lies in this machine's temporary folder, so all its writers must be on one machine.
"""

import fcntl
import hashlib
import json
import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from conf.errors import LakeBusy, LeaseLost
from conf.instants import format_instant
from conf.settings import Settings
from pipelines.runtime.run_facts import RunFacts

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_PROPERTY = "headwater.lease"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Holder:
    """What a process that holds the lease says about itself. ``run`` is None when it does no job."""

    pid: int
    host: str
    command: str
    since: str
    run: RunFacts | None

    @classmethod
    def this_process(cls, run: RunFacts | None) -> Self:
        words = [Path(sys.argv[0]).name, *sys.argv[1:]]
        since = format_instant(datetime.now(UTC).replace(microsecond=0))
        return cls(os.getpid(), socket.gethostname(), " ".join(words), since, run)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        run = RunFacts.from_json(content) if "run" in content else None
        return cls(content["pid"], content["host"], content["command"], content["since"], run)

    def as_json(self) -> dict[str, Any]:
        facts = {"pid": self.pid, "host": self.host, "command": self.command, "since": self.since}
        return {**(self.run.as_json() if self.run else {}), **facts}

    def __str__(self) -> str:
        return f"`{self.command}` (pid {self.pid} on {self.host}) since {self.since}"


def lease_file(settings: Settings) -> Path:
    """Return the file that a writer of this lake locks."""
    if "://" in settings.lake:
        digest = hashlib.sha256(settings.lake.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"headwater-{digest}" / "writer.lock"
    return Path(settings.lake).parent / f".{Path(settings.lake).name}.lease" / "writer.lock"


def holder_file(settings: Settings) -> Path:
    """Return the file in which the holder of the lease says who it is."""
    return lease_file(settings).parent / "holder.json"


def check_free(settings: Settings, wait_seconds: float = 0) -> None:
    """Fail before anything slow starts when another process writes to the lake.

    Raises
    ------
    LakeBusy : naming who holds the lease
    """
    deadline = time.monotonic() + wait_seconds
    while (pid := _locking_process(lease_file(settings))) is not None:
        if time.monotonic() >= deadline:
            raise _busy(settings, pid)
        time.sleep(_POLL_SECONDS)


@contextmanager
def hold_lease(
    spark: SparkSession, settings: Settings, wait_seconds: float = 0, run: RunFacts | None = None
) -> Iterator[Holder | None]:
    """Hold the lake's lease while the body runs.

    Yields
    ------
    the holder before this one if it died while it held the lease, else None

    Raises
    ------
    LakeBusy : when another process holds the lease and does not let go within ``wait_seconds``
    """
    lock, said = lease_file(settings), holder_file(settings)
    lock.parent.mkdir(parents=True, exist_ok=True)
    jvm: Any = spark._jvm
    properties = jvm.java.lang.System.getProperties()
    if properties.get(_PROPERTY) is not None:  # this process holds it already
        yield None
        return
    channel = jvm.java.io.RandomAccessFile(str(lock), "rw").getChannel()
    deadline = time.monotonic() + wait_seconds
    while (held := channel.tryLock()) is None:
        if time.monotonic() >= deadline:
            channel.close()
            raise _busy(settings, _locking_process(lock))
        time.sleep(_POLL_SECONDS)
    properties.put(_PROPERTY, held)
    died = _read_holder(said)
    said.write_text(json.dumps(Holder.this_process(run).as_json()), encoding="utf-8")
    try:
        yield died
    finally:
        check_lease(spark)
        said.unlink(missing_ok=True)
        properties.remove(_PROPERTY)
        held.release()
        channel.close()


def check_lease(spark: SparkSession) -> None:
    """Make sure that the JVM lives, and with it the lease that this process holds.

    Call it before anything is written outside the lake, such as a model's version or alias.

    Raises
    ------
    LeaseLost : when the JVM is gone
    """
    try:
        jvm: Any = spark._jvm
        jvm.java.lang.System.nanoTime()
    except (Py4JError, OSError) as error:
        what = "Spark's JVM ended before the job did, and with it the lease on the lake"
        hint = "was it killed, or out of memory (spark.driver_memory)? Run the same command again: nothing is lost"
        raise LeaseLost(what, hint) from error


def _read_holder(said: Path) -> Holder | None:
    """Read who holds the lease; None when the last holder let go of it, or was killed while it wrote this file."""
    try:
        return Holder.from_json(json.loads(said.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError):
        return None


def _busy(settings: Settings, pid: int | None) -> LakeBusy:
    holder = _read_holder(holder_file(settings)) or f"process {pid}"
    return LakeBusy(f"the lake is being written by {holder}", "try again when it has ended, or use --wait SECONDS")


def _locking_process(lock: Path) -> int | None:
    """Return the process that holds the lock, without touching the lock; None when it is free."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else int(pid)
