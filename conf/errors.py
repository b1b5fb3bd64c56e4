"""Every error that Headwater raises on purpose.

An error's class decides the exit code of the command, and whether a scheduler should try again (``Retryable``). Its
message says what went wrong, where, and what to do next. Programming mistakes stay ``TypeError`` and ``ValueError``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class HeadwaterError(Exception):
    """The root of all errors: the job failed. ``hint`` says what to do about it."""

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}\n  → {hint}" if hint else what)
        self.what = what
        self.hint = hint


class Retryable:
    """Marks an error that may not occur again at the next try; a scheduler retries only these."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a declaration: in which file and key, what is wrong, and how to correct it."""

    file: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.message}" + (f"\n  → {self.hint}" if self.hint else "")


class ConfigError(HeadwaterError):
    """A declaration is wrong. Holds every mistake that was found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class UsageError(HeadwaterError):
    """The command was called with arguments that it cannot use."""

    exit_code = 2


class EnvironmentProblem(HeadwaterError):
    """The machine lacks something that Headwater needs: Java, jars, disk space, a free port."""

    exit_code = 2


class LakeBusy(HeadwaterError, Retryable):
    """Another job is writing to the lake and holds its lease."""

    exit_code = 3


class LeaseLost(HeadwaterError, Retryable):
    """The JVM that held the lake's lease has ended, so another job may be writing by now."""


class DataError(HeadwaterError):
    """The data does not have a property that the job relies on."""


class ExpectationFailed(DataError):
    """Rows broke an expectation with the action ``fail``; no row of the batch was written to silver."""


class DataNotClean(DataError):
    """The data is not ready to train on: the last load failed, or a table has not read all of its source."""


class FileRejected(DataError):
    """A file does not fit its contract; the message names the file and the first place that is wrong."""


class GrainError(DataError):
    """Rows are repeated or missing where there must be exactly one row per key."""


class NotFound(HeadwaterError):
    """The table, view, model or version that was named does not exist yet."""

    exit_code = 2


class NoChampion(NotFound):
    """The model has no champion: none of its versions has passed the gate yet."""


class Inconsistent(DataError):
    """A verification failed: two ways to the same answer gave different ones."""

    exit_code = 4


class TrainingError(HeadwaterError):
    """A model cannot be trained, evaluated or used with the data that exists."""


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return a hint with the known name that is most like ``name``, or with all known names if none is like it."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known))}" if known else "none is declared"
