"""``python -m bench``: run benchmarks, keep what they find as JSON, and write docs/benchmarks.md from it.

A set of benchmarks runs each of them in a process of its own. Exit codes: 0 done; 1 a benchmark failed, or results
differ; 2 something that a benchmark needs is missing.
"""

import argparse
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from bench.machine import describe_machine
from bench.render import print_case, write_document
from bench.results import Report, keep_report, read_reports
from bench.session import CORES
from conf.errors import EnvironmentProblem, HeadwaterError
from conf.settings import ROOT, prepare_libraries, set_environment

BENCHMARKS = (
    "commands", "point_in_time", "windows", "increments", "bulk_load", "landed_files", "many_views", "airflow_tasks",
)  # fmt: skip
SETS = {"quick": ("commands",), "all": BENCHMARKS}
KEPT = ROOT / "lake" / "bench.json"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
DOCUMENTED = ROOT / "docs" / "benchmarks" / "results.json"


def main(arguments: Sequence[str]) -> int:
    set_environment(POLARS_MAX_THREADS=str(CORES))  # Polars reads it when it is imported
    prepare_libraries()
    try:
        if find_spec("duckdb") is None:
            hint = "`make bench` and `make bench-quick` install it"
            raise EnvironmentProblem("DuckDB, one of the peers, is not installed", hint)
        options = _read(arguments)
        if options.what in SETS:
            code = _run_each(SETS[options.what], options.json)
            if code:
                return code
        elif options.what != "docs":
            _run(options, re.sub(r" --json[ =]\S+| --docs\b", "", shlex.join(("python", "-m", "bench", *arguments))))
        if options.what == "docs" or options.docs:
            _document(SETS.get(options.what, (options.what,)), options.json)
    except HeadwaterError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure Headwater beside its peers.")
    words = parser.add_subparsers(dest="what", required=True, metavar="quick|all|docs|NAME")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=Path, metavar="FILE", default=KEPT, help="the results; default: lake/bench.json")
    common.add_argument("--docs", action="store_true", help="also write the results into docs/benchmarks.md")
    words.add_parser("quick", parents=[common], help="the commands, on the lake that `make demo` leaves")
    words.add_parser("all", parents=[common], help="everything")
    words.add_parser("docs", parents=[common], help="measure nothing; write docs/benchmarks.md anew")
    for module in _modules():
        name = module.__name__.removeprefix("bench.")
        described = words.add_parser(name, parents=[common], help=module.TITLE, description=module.__doc__)
        module.add_options(described)
    return parser.parse_args(arguments)


def _modules() -> list[ModuleType]:
    return [import_module(f"bench.{name}") for name in BENCHMARKS]


def _run_each(names: Sequence[str], kept: Path) -> int:
    """Run benchmarks, each in a process of its own; return the exit code of the first that fails, or 0."""
    for name in names:
        command = [sys.executable, "-m", "bench", name, "--json", str(kept)]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
    return 0


def _run(options: argparse.Namespace, command: str) -> None:
    module = import_module(f"bench.{options.what}")
    machine, started = describe_machine(), time.monotonic()
    print(f"{module.TITLE}: CPU seconds of all processes (wall seconds)", flush=True)
    cases = []
    for case in module.run(options):
        print_case(case)
        cases.append(case)
    keep_report(options.json, Report(options.what, command, machine, cases))
    print(f"done in {time.monotonic() - started:.0f} s, kept in {options.json}", flush=True)


def _document(names: Sequence[str], kept: Path) -> None:
    """Copy the results of these benchmarks to those that docs/ holds, and write the page anew."""
    for name, report in read_reports(kept).items():
        if name in names:
            keep_report(DOCUMENTED, report)
    write_document(DOCUMENT, read_reports(DOCUMENTED), _modules())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
