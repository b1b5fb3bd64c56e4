"""``python -m bench``: run benchmarks, keep what they find as JSON, and write docs/benchmarks.md from it.

A set of benchmarks runs each of them in a process of its own. Exit codes: 0 done; 1 a benchmark failed, or results
differ; 2 something that a benchmark needs is missing.
"""

import argparse
import subprocess
import sys
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
    "commands", "point_in_time", "windows", "increments", "bulk_load", "landed_files", "many_views",
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
            raise EnvironmentProblem(
                "DuckDB, one of the peers, is not installed", "run `make bench` or `make bench-quick`"
            )
        options = _read(arguments)
        if options.what == "docs":
            write_document(DOCUMENT, read_reports(options.json or DOCUMENTED), _modules())
            return 0
        kept = options.json or (DOCUMENTED if options.docs else KEPT)
        if options.what in SETS:
            for name in SETS[options.what]:
                code = subprocess.run(
                    [sys.executable, "-m", "bench", name, "--json", str(kept)], check=False
                ).returncode
                if code:
                    return code
        else:
            _run(options, " ".join(("python -m bench", *arguments)), kept)
        if options.docs:
            write_document(DOCUMENT, read_reports(kept), _modules())
    except HeadwaterError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure Headwater beside its peers.")
    words = parser.add_subparsers(dest="what", required=True, metavar="quick|all|docs|NAME")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=Path, metavar="FILE", help="where results are kept; default: lake/bench.json")
    common.add_argument("--docs", action="store_true", help="keep results in docs/, and write docs/benchmarks.md")
    words.add_parser("quick", parents=[common], help="the commands, on the lake that `make demo` leaves")
    words.add_parser("all", parents=[common], help="everything")
    words.add_parser(
        "docs", parents=[common], help="measure nothing; write docs/benchmarks.md from the results in docs/"
    )
    for module in _modules():
        name = module.__name__.removeprefix("bench.")
        described = words.add_parser(name, parents=[common], help=module.TITLE, description=module.__doc__)
        module.add_options(described)
    return parser.parse_args(arguments)


def _modules() -> list[ModuleType]:
    return [import_module(f"bench.{name}") for name in BENCHMARKS]


def _run(options: argparse.Namespace, command: str, kept: Path) -> None:
    module = import_module(f"bench.{options.what}")
    machine = describe_machine()
    print(f"{module.TITLE}: CPU seconds of all processes (wall seconds)", flush=True)
    cases = []
    for case in module.run(options):
        print_case(case)
        cases.append(case)
    keep_report(kept, Report(options.what, command.partition(" --json")[0], machine, cases))
    print(f"kept in {kept}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
