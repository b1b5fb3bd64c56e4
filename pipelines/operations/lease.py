"""One writer per lake: a lock held inside the JVM that commits, so it lives exactly as long as that process.

The operating system frees the lock when the JVM dies, however it dies. Who holds it is written to another file: a
second channel on the locked file, opened and closed in the same JVM, would free the lock. For a lake on object
storage the lock lies in this machine's temporary folder: its writers must share the machine.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from conf.errors import LakeBusy, LeaseLost
from conf.instants import format_instant
from conf.settings import Settings

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_PROPERTY = "headwater.lease"


def lease_file(settings: Settings) -> Path:
    """Return the file that a writer of this lake locks."""
    if "://" in settings.lake:
        digest = hashlib.sha256(settings.lake.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"headwater-{digest}" / "writer.lock"
    return Path(settings.lake).parent / f".{Path(settings.lake).name}.lease" / "writer.lock"


def check_free(settings: Settings, wait_seconds: float = 0) -> None:
    """Fail at once, before anything slow starts, when another process writes to the lake.

    Raises
    ------
    LakeBusy : naming who holds it
    """
    lock = lease_file(settings)
    deadline = time.monotonic() + wait_seconds
    while (pid := _holding_process(lock)) is not None:
        if time.monotonic() >= deadline:
            raise _busy(lock, pid)
        time.sleep(0.2)


@contextmanager
def hold_lease(
    spark: SparkSession, settings: Settings, wait_seconds: float = 0, run: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any] | None]:
    """Hold the lake's lease while the body runs; yield what the last holder said of itself if it died holding it.

    Raises
    ------
    LakeBusy : when another process holds it and does not let go within ``wait_seconds``
    """
    lock = lease_file(settings)
    lock.parent.mkdir(parents=True, exist_ok=True)
    jvm: Any = spark._jvm
    properties = jvm.java.lang.System.getProperties()
    if properties.get(_PROPERTY) is not None:
        yield None
        return
    channel = jvm.java.io.RandomAccessFile(str(lock), "rw").getChannel()
    deadline = time.monotonic() + wait_seconds
    while (held := channel.tryLock()) is None:
        if time.monotonic() >= deadline:
            channel.close()
            raise _busy(lock, _holding_process(lock))
        time.sleep(0.2)
    properties.put(_PROPERTY, held)
    died = _holder(lock)
    _describe(lock, run or {})
    try:
        yield died
    finally:
        check_lease(spark)
        _said(lock).unlink(missing_ok=True)
        properties.remove(_PROPERTY)
        held.release()
        channel.close()


def check_lease(spark: SparkSession) -> None:
    """Make sure that the JVM lives, and with it the lease that this process took.

    To be called before what is written elsewhere than into the lake, such as a model's version or alias.

    Raises
    ------
    LeaseLost
    """
    try:
        jvm: Any = spark._jvm
        jvm.java.lang.System.nanoTime()
    except (Py4JError, OSError) as error:
        what = "Spark's JVM ended before the job did, and with it the lease on the lake"
        hint = "was it killed, or out of memory (spark.driver_memory)? Run the same command again: nothing is lost"
        raise LeaseLost(what, hint) from error


def _describe(lock: Path, run: Mapping[str, Any]) -> None:
    facts = {
        **run,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(Path(word).name if i == 0 else word for i, word in enumerate(sys.argv)),
        "since": format_instant(datetime.now(UTC).replace(microsecond=0)),
    }
    _said(lock).write_text(json.dumps(facts), encoding="utf-8")


def _said(lock: Path) -> Path:
    return lock.parent / "holder.json"


def _holder(lock: Path) -> dict[str, Any] | None:
    """Return what the holder wrote of itself: None when it let go, or was killed while it wrote."""
    try:
        return dict(json.loads(_said(lock).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _busy(lock: Path, pid: int | None) -> LakeBusy:
    facts = _holder(lock)
    holder = f"process {pid}"
    if facts is not None:
        holder = f"`{facts['command']}` (pid {facts['pid']} on {facts['host']}) since {facts['since']}"
    return LakeBusy(f"the lake is being written by {holder}", "try again when it has ended, or use --wait SECONDS")


def _holding_process(lock: Path) -> int | None:
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
