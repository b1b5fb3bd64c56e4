"""What the commands cost that people type all day, on the lake that ``make demo`` leaves: whole processes.

Each runs once before it is measured. That run does what is left to do: with other code than that of ``make demo``, for
example, ``train`` makes a version. What is measured then changes nothing but the journal.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.measure import HEADWATER, BenchmarkFailed, Engine, run_process, take_turns
from bench.peers.reading import counting_by_duckdb, importing_deltalake
from bench.results import Case, Usage
from conf.errors import EnvironmentProblem
from conf.settings import ROOT, load_settings
from pipelines.delta.lake import LakeTables

TITLE = "Commands"
ABOUT = (
    "Whole commands on the lake that `make demo` leaves, from start to end, in CPU seconds of all their processes. "
    "*Before* is what they took at commit fd733bb, when nearly each of them started a JVM. Where a command may find "
    "nothing to do, its exit code proves that it did. `python -c 'import deltalake'` is the least that a process "
    "costs which reads a Delta log; it reads nothing."
)
ENV = "demo"
MODEL, VIEW, COUNTED = "late_arrival", "carrier_delays", "bronze.flights"
NOTHING_TO_DO, WRONG_USAGE = 99, 2
SECONDS_FOR_ONE = 12.0


@dataclass(frozen=True)
class Figure:
    """A command, what it took before and what it shall take, in CPU seconds, and the exit code that proves it."""

    name: str
    words: tuple[str, ...]
    before: str
    target: float
    code: int = 0
    check: Callable[[str], object] | None = None

    @property
    def command(self) -> list[str]:
        return [HEADWATER, "--env", ENV, *self.words]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--turns", type=int, default=6, help="runs of each command; fewer where one takes seconds")
    parser.add_argument("--only", nargs="*", default=[], help="names of commands; default: all")


def run(options: argparse.Namespace) -> Iterator[Case]:
    lake = LakeTables(load_settings(ROOT, ENV))
    if not lake.exists("gold", f"{MODEL}_scores"):
        raise EnvironmentProblem(f"there is no lake of the demonstration in {lake.settings.lake}", "run `make demo`")
    for figure in _figures(lake):
        if options.only and figure.name not in options.only:
            continue
        engines = [_headwater(figure), importing_deltalake()]
        if figure.name == "query count":
            files = [f"{lake.path('bronze', 'flights')}/{file['path']}" for file in lake.files("bronze", "flights")]
            engines.append(counting_by_duckdb(files))
        warm_up, _ = run_process(figure.command, codes=(0, figure.code))
        turns = max(1, min(options.turns, int(SECONDS_FOR_ONE / warm_up.wall_s)))
        facts: dict[str, str | int | float] = {"before": figure.before, "to reach": figure.target}
        yield Case(figure.name, take_turns(figure.name, engines, turns), facts)


def _figures(lake: LakeTables) -> list[Figure]:
    gold = f"gold.{VIEW}"
    version = str(lake.version("gold", VIEW))
    count = f"select count(*) as n from {COUNTED}"
    return [
        Figure("help", ("--help",), "5", 0.3),
        Figure("a misspelled command", ("laod",), "5", 0.3, WRONG_USAGE),
        Figure("load, nothing to do", ("load", "--skip-unchanged"), "26", 0.7, NOTHING_TO_DO),
        Figure("materialize, nothing to do", ("materialize", "--skip-unchanged"), "25", 0.7, NOTHING_TO_DO),
        Figure("plan", ("plan", "--skip-unchanged"), "26", 0.7, NOTHING_TO_DO),
        Figure("score, nothing to do", ("score", MODEL, "--skip-unchanged"), "40", 3, NOTHING_TO_DO),
        Figure("train, nothing to do", ("train", MODEL, "--json"), "99", 3, check=_check_unchanged),
        Figure("query count", ("query", count, "--json"), "24", 0.8, check=_read_count),
        Figure("features get", ("features", "get", VIEW, "carrier=UA", "--at", "2013-11-05T12:00Z"), "29", 0.8),
        Figure("history", ("history", gold), "24", 0.8),
        Figure("trace", ("trace", gold, version), "24", 0.8),
        Figure("training-set", ("training-set", MODEL), "40", 4),
    ]


def _headwater(figure: Figure) -> Engine:
    found: dict[str, object] = {}

    def run_command() -> Usage:
        used, text = run_process(figure.command, codes=(figure.code,))
        found["result"] = figure.check(text) if figure.check else None
        return used

    return Engine("Headwater", run_command, partial(found.get, "result") if figure.check else None)


def _read_count(text: str) -> int:
    return int(json.loads(text)[0]["n"])


def _check_unchanged(text: str) -> None:
    outcome = json.loads(text)["outcome"]
    if outcome != "UNCHANGED":
        raise BenchmarkFailed(f"train was to find nothing to do, but its outcome is {outcome}", "run `make demo`")
