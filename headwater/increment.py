"""What one look of ``headwater watch`` did, as a line for people and as JSON."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conf.errors import HeadwaterError, LakeBusy
from conf.instants import format_instant
from headwater import reports
from pipelines.delta.commit import Outcome, combine_outcomes
from pipelines.gold.plan import GoldReport
from pipelines.load_report import TableLoad

if TYPE_CHECKING:
    from training.scoring.score import ScoreReport


@dataclass
class Increment:
    """The reports of the jobs that ran, and the errors of those that failed."""

    loads: Sequence[TableLoad] = ()
    views: Sequence[GoldReport] = ()
    scores: "list[ScoreReport]" = field(default_factory=list)
    errors: list[HeadwaterError] = field(default_factory=list)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0

    def end(self) -> None:
        """Note how long it took."""
        self.seconds = round(time.monotonic() - self.began, 2)

    @property
    def outcome(self) -> Outcome:
        outcomes = [load.outcome for load in self.loads]
        outcomes += [view.commit.outcome for view in self.views]
        outcomes += [score.commit.outcome for score in self.scores]
        return combine_outcomes(outcomes)

    @property
    def has_failed(self) -> bool:
        """Whether a job failed. A job that another writer kept from the lake did not fail."""
        return any(not isinstance(error, LakeBusy) for error in self.errors)

    @property
    def busy(self) -> str:
        """Who kept a job from the lake; '' when nobody did."""
        return " ".join(error.what for error in self.errors if isinstance(error, LakeBusy))

    def to_json(self) -> dict[str, Any]:
        """Return everything; a job that did not run is null."""
        return {
            "started_at": self.started_at, "seconds": self.seconds, "outcome": self.outcome,
            "load": reports.load_json(self.loads) if self.loads else None,
            "materialize": reports.gold_json(self.views) if self.views else None,
            "score": {report.model: reports.score_json(report) for report in self.scores},
            "errors": [str(error) for error in self.errors],
        }  # fmt: skip

    def to_line(self) -> str:
        """Say in one line what changed, then each error in lines of its own."""
        done = "; ".join(self._changes()) or "nothing changed"
        line = f"{format_instant(self.started_at)}  {done}; {self.seconds:.1f} s"
        return "\n".join([line, *(f"  error: {error}" for error in self.errors)])

    def _changes(self) -> Iterator[str]:
        for load in self.loads:
            bronze, silver = load.bronze, load.silver
            if load.outcome is Outcome.UNCHANGED or bronze is None or silver is None:
                continue
            refused = f", {bronze.files_failed} refused" if bronze.files_failed else ""
            yield f"{load.table}: {bronze.files_new} new files{refused}, {silver.rows_accepted} rows"
        for view in self.views:
            if view.commit.outcome is not Outcome.UNCHANGED:
                yield f"{view.view}: {view.commit.rows_written} rows"
        for score in self.scores:
            yield f"{score.model} version {score.version}: {score.commit.rows_inserted} scores"
