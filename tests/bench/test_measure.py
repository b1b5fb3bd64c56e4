"""What the measuring counts: all processes of a command, only this process where no JVM works, equal results only."""

import os
import sys
import textwrap
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import commands
from bench.measure import BenchmarkFailed, Engine, measure_here, run_process, take_turns
from bench.results import Usage
from conf.errors import EnvironmentProblem

# A busy process takes a second of CPU, an idle one some hundredths; the line between them lies far from both.
BUSY_CPU = 0.6
BURN = "import time\nwhile time.process_time() < 1.0: pass\n"


def python(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(text)]


def burn(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def test_the_children_of_a_command_are_counted_also_those_that_it_leaves_behind() -> None:
    idle, _ = run_process(python("pass"))
    waited, _ = run_process(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"))
    left, _ = run_process(python(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}])"))
    assert idle.cpu_s < BUSY_CPU <= min(waited.cpu_s, left.cpu_s)


def test_another_exit_code_than_the_expected_one_is_a_failure_that_shows_what_was_printed() -> None:
    run_process(python("raise SystemExit(99)"), codes=(99,))
    with pytest.raises(BenchmarkFailed, match=r"exit code 3 instead of 0 or 99 of: .*\n.*went wrong"):
        run_process(python("print('went wrong'); raise SystemExit(3)"), codes=(0, 99))


def test_a_command_gets_the_variables_and_its_output_is_returned() -> None:
    _, text = run_process(python("import os; print(os.environ['ASKED'])"), {"ASKED": "answered"})
    assert text == "answered\n"


def test_work_here_counts_children_only_where_they_do_the_work() -> None:
    def in_child() -> None:
        pid = os.spawnv(os.P_NOWAIT, sys.executable, python(BURN))
        os.waitpid(pid, 0)

    assert measure_here(in_child, has_jvm=False).cpu_s < BUSY_CPU <= measure_here(in_child, has_jvm=True).cpu_s
    assert measure_here(lambda: burn(1.0), has_jvm=False).cpu_s >= BUSY_CPU


def engine(name: str, order: list[str], result: Callable[[], object] | None) -> Engine:
    def run() -> Usage:
        order.append(name)
        return Usage(float(len(order)), 0.0)

    return Engine(name, run, result)


def test_engines_take_turns_forwards_and_backwards() -> None:
    order: list[str] = []
    used = take_turns("case", [engine(name, order, lambda: 1) for name in "ABC"], 3)
    assert "".join(order) == "ABCCBAABC"
    assert [usage.cpu_s for usage in used["A"]] == [1, 6, 7]


def test_there_is_no_ratio_of_results_that_differ() -> None:
    order: list[str] = []
    engines = [engine("A", order, lambda: (3, 17)), engine("B", order, None), engine("C", order, lambda: (3, 18))]
    with pytest.raises(BenchmarkFailed, match=r"case: the results of A and C differ(.|\n)*\(3, 17\).*\(3, 18\)"):
        take_turns("case", engines, 1)


@pytest.mark.parametrize(("results", "is_equal"), [((1, 1, 2, 2), True), ((1, 1, 1, 2), False)])
def test_results_may_change_from_turn_to_turn_but_not_within_one(results: tuple[int, ...], is_equal: bool) -> None:
    found = iter(results)
    engines = [engine(name, [], lambda: next(found)) for name in "AB"]
    with nullcontext() if is_equal else pytest.raises(BenchmarkFailed, match="differ"):
        take_turns("case", engines, 2)


def test_without_the_lake_of_the_demonstration_the_commands_cannot_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER__LAKE", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"no lake of the demonstration in .*\n.*run `make demo`"):
        next(commands.run(Namespace(turns=1, only=[])))
