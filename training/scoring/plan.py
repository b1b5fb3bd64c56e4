"""What a scoring would do: which version answers which questions, and from which tables."""

from dataclasses import dataclass
from datetime import datetime

from conf.errors import NoChampion, UsageError
from conf.instants import format_instant
from training.dataset.columns import PREDICTION_AT
from training.dataset.engine import Choice, Engine, choose_for
from training.dataset.local.spine import translate_spine
from training.dataset.local.training_set import schema_of
from training.dataset.pins import TablePin
from training.model_job import ModelJob
from training.registry.tracking import Tracking, open_tracking
from training.registry.versions import Version, find_champion

SCORE, MODEL_VERSION = "score", "model_version"


@dataclass(frozen=True)
class Interval:
    """The questions with ``since <= prediction_at < until`` as of an instant; no ``since``: all that have no score."""

    as_of: datetime
    until: datetime
    since: datetime | None


@dataclass(frozen=True)
class ScoringPlan:
    """One version is to answer the questions of an interval.

    Parameters
    ----------
    views : the features' tables, each pinned at a version; None when features must be completed first
    """

    job: ModelJob
    tracking: Tracking
    version: Version
    interval: Interval
    spine: TablePin
    views: tuple[TablePin, ...] | None
    engine: Choice

    @property
    def table(self) -> str:
        """The name of the table of scores in gold."""
        return f"{self.job.model}_scores"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a question."""
        return (*self.job.declaration.spine.key, PREDICTION_AT)

    @property
    def grain(self) -> tuple[str, ...]:
        """The columns that identify a score."""
        return (*self.key, MODEL_VERSION)

    @property
    def pins(self) -> tuple[TablePin, ...]:
        return (self.spine, *(self.views or ()))

    @property
    def needs_spark(self) -> bool:
        if self.engine.engine is Engine.SPARK:
            return True
        return self.views is None and self.job.needs_spark_for_features(self.interval.as_of)


def plan_scoring(
    job: ModelJob, since: datetime | None = None, until: datetime | None = None, as_of: datetime | None = None
) -> ScoringPlan:
    """Plan to score the spine rows with ``since <= prediction_at < until`` as of an instant, by default the data clock.

    Raises
    ------
    NoChampion : when no version has passed the gate yet
    NotFound : when a table has not been loaded
    UsageError : when the interval ends before it begins, or after ``as_of``
    """
    tracking = open_tracking(job.project.settings, job.declaration)
    champion = find_champion(tracking)
    if champion is None:
        raise NoChampion(f"the model {job.model} has no champion yet", f"run `headwater train {job.model}`")
    spine_table = job.declaration.spine.table
    interval = place_interval(as_of or job.clock(spine_table), since, until)
    spine = TablePin.of(job.lake, "silver", spine_table)
    views = None
    if job.has_features(interval.as_of):
        views = tuple(TablePin.of(job.lake, "gold", view.name) for view in job.views)
    return ScoringPlan(job, tracking, champion, interval, spine, views, _choose_engine(job, spine, views or ()))


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


def _choose_engine(job: ModelJob, spine: TablePin, views: tuple[TablePin, ...]) -> Choice:
    def translate() -> object:
        return translate_spine(schema_of(job.lake, spine), job.declaration.spine, job.join_keys)

    return choose_for(job, (spine, *views), translate)
