"""Who runs a training, and whether it still does: a process is named by host, id and the moment it started."""

import os
import socket
from datetime import timedelta
from pathlib import Path

LEFT_ALONE = timedelta(days=1)


def this_process() -> str:
    """Name this process as ``host:pid:start``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(process: str, age: timedelta) -> bool:
    """Tell whether a named process lives; one of another host is given a day."""
    host, _, rest = process.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return age < LEFT_ALONE
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks: a process id alone comes again. ``gone`` when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return "gone"
