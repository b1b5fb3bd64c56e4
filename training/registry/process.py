"""The process that runs a training, and whether it is still alive. A process is named by host, id and start time."""

import os
import socket
from datetime import timedelta
from pathlib import Path

ASSUMED_ALIVE = timedelta(days=1)


def this_process() -> str:
    """Name this process as ``host:pid:start``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(process: str, age: timedelta) -> bool:
    """Tell whether the process of a run is alive. On another host it counts as alive until the run's age is a day."""
    host, _, rest = process.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return age < ASSUMED_ALIVE
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """Return a process's start time in kernel ticks, or ``gone``. It tells apart processes that had the same id."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return "gone"
