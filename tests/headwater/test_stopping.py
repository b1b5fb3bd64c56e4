"""A command that runs until it is stopped: the first signal lets it finish, the second ends it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conf.settings import ROOT, child_environment

SLEEPS = """
from headwater.stopping import StopRequest
stop = StopRequest()
stop.listen()
print("ready", flush=True)
stop.wait(3600)
print("finished" if stop.is_made else "woken by nobody")
"""
WORKS = """
from headwater.stopping import StopRequest
stop = StopRequest()
stop.listen()
print("ready", flush=True)
while not stop.is_made:
    pass
print("asked", flush=True)
while True:
    pass
"""


@contextmanager
def running(script: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=child_environment(PYTHONPATH=str(ROOT)), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_sleep(number: int) -> None:
    with running(SLEEPS) as process:
        process.send_signal(number)
        assert process.communicate() == ("finished\n", None)
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process(number: int) -> None:
    with running(WORKS) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(number)
        assert process.wait() == -number
