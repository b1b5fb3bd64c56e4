"""The command line: ``headwater COMMAND``. Results go to stdout, progress and errors to stderr.

Exit codes: 0 the command is done, also if there was nothing to do; 1 the job failed; 2 wrong usage or configuration;
3 another writer holds the lake; 4 a verification found a difference; 99 there was nothing to do, and
``--skip-unchanged`` was given.
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

# Importing a group adds its commands to the application. The help shows the groups in this order.
for group in ("data", "plan", "watch", "features", "models", "operations", "verify", "demonstrations"):
    import_module(f"headwater.cli.{group}")

# The options of ``headwater`` itself. Typer accepts them only before the command.
OPTIONS_WITH_VALUE = ("--project", "--env")
OPTIONS_ALONE = ("--debug",)


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. ``--project``, ``--env`` and ``--debug`` may stand anywhere."""
    own_options, rest = _split_arguments(arguments)
    is_debug = "--debug" in own_options
    prepare_libraries()
    if not is_debug and not sys.warnoptions:
        warnings.simplefilter("ignore")  # the user cannot act on the warnings of libraries
    try:
        app(args=own_options + rest, prog_name="headwater")
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
    """Print what failed and what to do, and return the exit code."""
    if isinstance(error, HeadwaterError):
        return _fail(str(error), error.exit_code)
    reason = next(iter(str(error).strip().splitlines()), "")
    spark_errors = sys.modules.get("pyspark.errors")  # None if the command failed before it imported Spark
    if spark_errors is not None and isinstance(error, spark_errors.AnalysisException):
        return _fail(f"{reason}\n  → run `headwater validate`: an expression does not fit its table", 2)
    return _fail(f"{type(error).__name__}: {reason}\n  → run it again with --debug for the trace", 1)


def _fail(message: str, code: int) -> int:
    stderr.print("[bold red]error:[/bold red] ", end="")
    stderr.print(message, markup=False, soft_wrap=True)
    return code


def _split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the options of ``headwater`` itself from all other words, wherever they were typed."""
    own_options: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in OPTIONS_WITH_VALUE:
            own_options += [word, next(words, "")]
        elif word in OPTIONS_ALONE or word.partition("=")[0] in OPTIONS_WITH_VALUE:
            own_options.append(word)
        else:
            rest.append(word)
    return own_options, rest
