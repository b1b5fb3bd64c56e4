"""CPU seconds and wall seconds: of whole processes with all that they start, and of work in this process.

Engines take turns in the order A B B A, so that what changes during a run (a JVM that becomes warm, a machine that gets
busy) touches all of them. A ratio is the median of the ratios of runs that were made in the same turn. No ratio is made
of results that differ.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.results import Usage
from conf.errors import HeadwaterError
from conf.settings import ROOT, child_environment

HEADWATER = str(Path(sys.executable).with_name("headwater"))
RUN_COUNTED = str(Path(__file__).with_name("run_counted.py"))
LONGEST_SECONDS = 1200
QUIET_CPU, QUIET_SECONDS, MOST_LOOKS = 0.03, 0.25, 20


class BenchmarkFailed(HeadwaterError):
    """A command failed, or results that must be equal differ."""


@dataclass(frozen=True)
class Engine:
    """One way to do the work.

    Parameters
    ----------
    run : does the work and says what it took
    result : returns what came out, in a form that is equal for equal results; asked after each run, not measured.
        None: it makes nothing that could be compared
    """

    name: str
    run: Callable[[], Usage]
    result: Callable[[], object] | None = None


def take_turns(case: str, engines: Sequence[Engine], turns: int) -> dict[str, list[Usage]]:
    """Run all engines in each turn, forwards and backwards by turns, and compare their results of the same turn.

    Raises
    ------
    BenchmarkFailed : when the results of two engines differ
    """
    used: dict[str, list[Usage]] = {engine.name: [] for engine in engines}
    for turn in range(turns):
        results: dict[str, object] = {}
        for engine in engines if turn % 2 == 0 else engines[::-1]:
            used[engine.name].append(engine.run())
            if engine.result is not None:
                results[engine.name] = engine.result()
                check_equal(case, results)
    return used


def check_equal(case: str, results: Mapping[str, object]) -> None:
    """Compare what the engines made.

    Raises
    ------
    BenchmarkFailed : when two results differ
    """
    first = next(iter(results))
    for other in results:
        if results[other] != results[first]:
            raise BenchmarkFailed(
                f"{case}: the results of {first} and {other} differ, so no ratio can be made of them",
                f"{first}: {results[first]}; {other}: {results[other]}",
            )


def run_process(
    command: Sequence[str], environ: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)
) -> tuple[Usage, str]:
    """Run a command in the folder of the clone; return what all its processes took, and what it wrote to stdout.

    Raises
    ------
    BenchmarkFailed : when its exit code is not one of ``codes``
    """
    with tempfile.TemporaryDirectory() as folder:
        counted = Path(folder) / "usage.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", RUN_COUNTED, str(counted), *command],
            env=child_environment(PYTHONPATH=str(ROOT), **(environ or {})),
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
        if done.returncode:
            raise BenchmarkFailed(f"{' '.join(command)} could not be started", done.stderr[-2000:])
        facts = json.loads(counted.read_text(encoding="ascii"))
    if facts["code"] not in codes:
        last = "\n".join([*done.stdout.splitlines()[-20:], *done.stderr.splitlines()[-20:]])
        expected = " or ".join(map(str, codes))
        raise BenchmarkFailed(f"exit code {facts['code']} instead of {expected} of: {' '.join(command)}", last)
    return Usage(facts["cpu_s"], facts["wall_s"]), done.stdout


def measure_here(work: Callable[[], object], has_jvm: bool) -> Usage:
    """Measure work in this process, when what ran before has come to rest.

    Parameters
    ----------
    has_jvm : whether the JVM that this process started does the work; it is not counted otherwise
    """
    _wait_until_quiet()
    started, before = time.monotonic(), _own_cpu(has_jvm)
    work()
    return Usage(_own_cpu(has_jvm) - before, time.monotonic() - started)


def _own_cpu(has_children: bool) -> float:
    if not has_children:
        return time.process_time()
    me = psutil.Process(os.getpid())
    total = 0.0
    for process in (*me.children(recursive=True), me):
        with suppress(psutil.NoSuchProcess):  # it ended just now: its parent, which comes later, has its seconds
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _wait_until_quiet() -> None:
    """Wait until the JVM has done what it does after a job: compiling, collecting garbage, removing files."""
    before = _own_cpu(has_children=True)
    for _ in range(MOST_LOOKS):
        time.sleep(QUIET_SECONDS)
        now = _own_cpu(has_children=True)
        if now - before < QUIET_CPU:
            return
        before = now
