"""Waiting until a server has done something."""

import time
from collections.abc import Callable
from typing import TypeVar

from conf.errors import HeadwaterError

POLL_SECONDS = 2.0
Found = TypeVar("Found")


def wait_for(what: str, find: Callable[[], Found | None], seconds: float) -> Found:
    """Call ``find`` until it returns something, and return that. Raise HeadwaterError if ``seconds`` pass before."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > deadline:
            raise HeadwaterError(f"waited {seconds:.0f} s in vain for {what}", "look at the server's log")
        time.sleep(POLL_SECONDS)
    return found
