"""The command line: ``headwater COMMAND``. Results go to stdout, progress and errors to stderr.

Exit codes: 0 done, also when there was nothing to do; 1 the job failed; 2 wrong usage or configuration; 3 another
writer holds the lake; 99 there was nothing to do, where ``--skip-unchanged`` asked to say so.
"""

import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module

from conf.errors import HeadwaterError
from conf.settings import prepare_libraries
from headwater.cli.app import app
from headwater.output import stderr

# Importing a group makes its commands known; the help shows the groups in this order.
for group in ("data", "features", "models", "operations", "demonstrations"):
    import_module(f"headwater.cli.{group}")
_WITH_VALUE = ("--project", "--env")
_ALONE = ("--debug",)


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. ``--project``, ``--env`` and ``--debug`` may stand anywhere."""
    front, rest = _move_to_front(arguments)
    is_debug = "--debug" in front
    prepare_libraries()
    if not is_debug and not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries warn their own callers about
    try:
        app(args=front + rest, prog_name="headwater")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except Exception as error:
        if is_debug:
            traceback.print_exc()
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    """Say what failed and what to do, and return the exit code."""
    if isinstance(error, HeadwaterError):
        return _fail(str(error), error.exit_code)
    reason = next(iter(str(error).strip().splitlines()), "")
    if _is_analysis_error(error):
        return _fail(f"{reason}\n  → run `headwater validate`: an expression does not fit its table", 2)
    return _fail(f"{type(error).__name__}: {reason}\n  → run it again with --debug for the trace", 1)


def _is_analysis_error(error: Exception) -> bool:
    """Tell whether Spark refused an expression, without importing Spark for the question."""
    errors = sys.modules.get("pyspark.errors")
    return errors is not None and isinstance(error, errors.AnalysisException)


def _fail(message: str, code: int) -> int:
    stderr.print("[bold red]error:[/bold red] ", end="")
    stderr.print(message, markup=False, soft_wrap=True)
    return code


def _move_to_front(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell the options that belong before the command from all other words, wherever they were typed."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _WITH_VALUE:
            front += [word, next(words, "")]
        elif word in _ALONE or word.partition("=")[0] in _WITH_VALUE:
            front.append(word)
        else:
            rest.append(word)
    return front, rest
