"""One scoring: which version answers, which questions, from which tables at which versions."""

from dataclasses import dataclass
from datetime import datetime

from conf.errors import UsageError
from conf.instants import format_instant
from training.dataset.pins import TablePin
from training.dataset.spine import PREDICTION_AT
from training.model_job import ModelJob
from training.registry.tracking import Tracking
from training.registry.versions import Version

SCORE, MODEL_VERSION = "score", "model_version"


@dataclass(frozen=True)
class Interval:
    """The questions with ``since <= prediction_at < until``, as of an instant. ``since`` None: all not yet scored."""

    as_of: datetime
    until: datetime
    since: datetime | None


@dataclass(frozen=True)
class ScoringPlan:
    """One version that is to answer questions of an interval. ``spine`` and ``views`` are the tables that it reads."""

    job: ModelJob
    tracking: Tracking
    version: Version
    interval: Interval
    spine: TablePin
    views: tuple[TablePin, ...]

    @property
    def table(self) -> str:
        """The name of the table of scores in gold."""
        return f"{self.job.model}_scores"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a question."""
        return (*self.job.declaration.spine.key, PREDICTION_AT)

    @property
    def pins(self) -> tuple[TablePin, ...]:
        return (self.spine, *self.views)


def place_interval(as_of: datetime, since: datetime | None, until: datetime | None) -> Interval:
    """Make an interval of the instants that were asked for. Without an end it ends at ``as_of``.

    Raises
    ------
    UsageError : when the interval ends before it begins, or after ``as_of``
    """
    until = until or as_of
    if until > as_of:
        hint = "a row is scored once its moment has come; give a later --as-of"
        raise UsageError(f"--to {format_instant(until)} is after as-of {format_instant(as_of)}", hint)
    if since is not None and since > until:
        hint = "the interval is half-open: --from A --to B takes A <= prediction_at < B"
        raise UsageError(f"--from {format_instant(since)} is after --to {format_instant(until)}", hint)
    return Interval(as_of, until, since)
