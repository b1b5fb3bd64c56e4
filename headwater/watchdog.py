"""A driver ends when its parent does: killing spark-submit's JVM, or what started it, must leave no Python at work."""

import os
import signal
import time
from contextlib import suppress
from threading import Thread

import psutil

INTERVAL_SECONDS = 0.5


def end_with_ancestors(generations: int) -> None:
    """Watch this many ancestors; when one ends, kill this process and the ancestors below that one."""
    chain = psutil.Process().parents()[:generations]
    Thread(target=_watch, args=(chain,), daemon=True, name="watchdog").start()


def _watch(chain: list[psutil.Process]) -> None:
    while all(map(_is_alive, chain)):
        time.sleep(INTERVAL_SECONDS)
    gone = next(place for place, process in enumerate(chain) if not _is_alive(process))
    for process in chain[:gone]:
        with suppress(psutil.Error):
            process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
