"""Every error Headwater raises on purpose.

One root, few classes. A class fixes the exit code and whether trying again can help; the message says what, where,
and what to do next. Programming mistakes stay ``TypeError`` and ``ValueError``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class HeadwaterError(Exception):
    """The job failed; the message ends with what to do."""

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}\n  → {hint}" if hint else what)
        self.what = what
        self.hint = hint


class Retryable:
    """Marks an error that may be gone at the next try; a scheduler retries only these."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a declaration: where it stands, what is wrong, how to mend it."""

    file: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.message}" + (f"\n  → {self.hint}" if self.hint else "")


class ConfigError(HeadwaterError):
    """What is declared is wrong. Carries every mistake found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class UsageError(HeadwaterError):
    """The command was asked for something it cannot do."""

    exit_code = 2


class EnvironmentProblem(HeadwaterError):
    """The machine lacks something: Java, jars, disk, a free port."""

    exit_code = 2


class LakeBusy(HeadwaterError, Retryable):
    """Another writer holds the lake."""

    exit_code = 3


class LeaseLost(HeadwaterError, Retryable):
    """The JVM that held the lake's lease is gone; another writer may be at work."""


class DataError(HeadwaterError):
    """Data broke a promise that the job relies on."""


class ExpectationFailed(DataError):
    """Rows broke an expectation whose action is ``fail``; nothing of the batch was written to silver."""


class DataNotClean(DataError):
    """The data is not fit to train on: a load failed, or a layer lags behind its source."""


class FileRejected(DataError):
    """A file cannot be read as its contract says; names the file and the first place that is wrong."""


class GrainError(DataError):
    """A frame repeats its grain; names the keys, up to three."""


class NotFound(HeadwaterError):
    """A table, view, model or version that was asked for does not exist yet."""

    exit_code = 2


class NoChampion(NotFound):
    """No version of the model has passed the gate yet."""


class TrainingError(HeadwaterError):
    """A model cannot be trained, judged or used on the data there is."""


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return a hint naming the closest known name, or all of them."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known))}" if known else "none is declared"
