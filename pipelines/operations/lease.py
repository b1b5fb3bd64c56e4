"""The lease: only one process at a time may write to a lake. It is a file lock, held by the process that commits.

That is Spark's JVM for what Spark writes, and else this process. However it ends, the operating system frees the lock.
Who holds the lease is written to a second file beside the locked one: a process loses its lock when it opens and
closes the locked file again. For a lake on object storage the lock lies in this machine's temporary folder, so all its
writers must be on one machine.
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

from conf.errors import LakeBusy
from conf.instants import format_instant
from conf.settings import Settings
from pipelines.operations.locks import Lock
from pipelines.runtime.run_facts import RunFacts

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Holder:
    """What a process that holds the lease writes about itself. ``run`` is None when the process runs no job."""

    pid: int
    host: str
    command: str
    since: str
    run: RunFacts | None

    def __str__(self) -> str:
        return f"`{self.command}` (pid {self.pid} on {self.host}) since {self.since}"


def lease_file(settings: Settings) -> Path:
    """Return the file that a writer of this lake locks."""
    if "://" in settings.lake:
        digest = hashlib.sha256(settings.lake.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"headwater-{digest}" / "writer.lock"
    return Path(settings.lake).parent / f".{Path(settings.lake).name}.lease" / "writer.lock"


def holder_file(settings: Settings) -> Path:
    """Return the file in which the holder of the lease writes who it is."""
    return lease_file(settings).parent / "holder.json"


def check_free(settings: Settings, wait_seconds: float = 0) -> None:
    """Fail early, before Spark starts, when another process writes to the lake.

    Raises
    ------
    LakeBusy : when it still does after ``wait_seconds``; names who holds the lease
    """
    deadline = time.monotonic() + wait_seconds
    while (pid := _locking_process(lease_file(settings))) is not None:
        if time.monotonic() >= deadline:
            raise _busy(settings, pid)
        time.sleep(_POLL_SECONDS)


@contextmanager
def hold_lease(
    lock: Lock, settings: Settings, wait_seconds: float = 0, run: RunFacts | None = None
) -> Iterator[Holder | None]:
    """Hold the lake's lease while the body runs.

    Yields
    ------
    the previous holder if it died while it held the lease, else None

    Raises
    ------
    LakeBusy : when another process holds the lease and does not release it within ``wait_seconds``
    """
    file, holder_path = lease_file(settings), holder_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    if lock.is_held:
        yield None
        return
    deadline = time.monotonic() + wait_seconds
    while not lock.try_lock(file):
        if time.monotonic() >= deadline:
            raise _busy(settings, _locking_process(file))
        time.sleep(_POLL_SECONDS)
    died = _read_holder(holder_path)
    _write_holder(holder_path, run)
    try:
        yield died
    finally:
        lock.check()
        holder_path.unlink(missing_ok=True)
        lock.release()


def _read_holder(path: Path) -> Holder | None:
    """Read who holds the lease; None when the last holder released it, or was killed while it wrote this file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        run = RunFacts.from_json(content) if "run" in content else None
        return Holder(content["pid"], content["host"], content["command"], content["since"], run)
    except (OSError, ValueError, KeyError):
        return None


def _write_holder(path: Path, run: RunFacts | None) -> None:
    """Write that this process holds the lease, and the facts of its job."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    since = format_instant(datetime.now(UTC).replace(microsecond=0))
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}
    path.write_text(json.dumps({**(run.as_json() if run else {}), **holder}), encoding="utf-8")


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
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, wanted))
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else int(pid)
