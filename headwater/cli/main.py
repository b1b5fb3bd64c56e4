"""The command line: ``headwater COMMAND``. Results go to stdout, progress and errors to stderr.

Exit codes: 0 done, also when there was nothing to do; 1 the job failed; 2 wrong usage or configuration; 3 another
writer holds the lake; 99 there was nothing to do, where ``--skip-unchanged`` asked to say so.
"""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from pyspark.errors import AnalysisException

from conf.errors import HeadwaterError
from headwater.cli import data
from headwater.cli.app import app
from headwater.output import stderr

_HOISTED = ("--project", "--env")
OTHER_COMMANDS = ("cli.models", "cli.operations", "cli.servers", "demonstrations.flights", "demonstrations.airflow")


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; ``--project`` and ``--env`` may stand anywhere."""
    front, rest = _hoist([word for word in arguments if word != "--debug"])
    if rest[:1] not in ([name] for name in data.COMMANDS):
        for name in OTHER_COMMANDS:  # they bring MLflow and its kin, seconds that a load need not wait
            import_module(f"headwater.{name}")
    try:
        app(args=front + rest, prog_name="headwater")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except HeadwaterError as error:
        return _fail(str(error), error.exit_code)
    except AnalysisException as error:
        reason = str(error).strip().splitlines()[0]
        return _fail(f"{reason}\n  → run `headwater validate`: an expression does not fit its table", 2)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        reason = next(iter(str(error).strip().splitlines()), "")
        return _fail(f"{type(error).__name__}: {reason}\n  → run it again with --debug for the trace", 1)
    return 0


def _fail(message: str, code: int) -> int:
    stderr.print("[bold red]error:[/bold red] ", end="")
    stderr.print(message, markup=False, soft_wrap=True)
    return code


def _hoist(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell ``--project DIR`` and ``--env NAME``, which belong to the front, from the rest, wherever they were typed."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _HOISTED:
            front += [word, next(words, "")]
        elif word.partition("=")[0] in _HOISTED:
            front.append(word)
        else:
            rest.append(word)
    return front, rest
