"""Ends the Python driver when a process above it dies: spark-submit's JVM, or the Airflow task that started the JVM."""

import os
import signal
import time
from contextlib import suppress
from threading import Thread

import psutil

INTERVAL_SECONDS = 0.5


def end_with_ancestors(generations: int) -> None:
    """Watch this many ancestors. When one ends, kill the ancestors between it and this process, then this process."""
    ancestors = psutil.Process().parents()[:generations]
    Thread(target=_watch, args=(ancestors,), daemon=True, name="watchdog").start()


def _watch(ancestors: list[psutil.Process]) -> None:
    while all(map(_is_alive, ancestors)):
        time.sleep(INTERVAL_SECONDS)
    ended = next(place for place, process in enumerate(ancestors) if not _is_alive(process))
    for process in ancestors[:ended]:
        with suppress(psutil.Error):
            process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
