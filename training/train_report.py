"""What a training did, by what the run of its version recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from conf.instants import parse_instant
from pipelines.delta.commit import Outcome
from training.dataset.description import SPEC_DOCUMENT
from training.model_job import ModelJob
from training.registry.runs import read_metrics
from training.registry.tracking import Tracking, read_document
from training.registry.verdicts import PromoteReport
from training.registry.versions import Version


@dataclass(frozen=True)
class TrainReport:
    """What a training did. The outcome is UNCHANGED when an earlier run had made this version from the same recipe."""

    model: str
    outcome: Outcome
    version: int
    run_id: str
    as_of: datetime
    split_at: datetime
    rows: Mapping[str, int]
    content_hash: str
    metrics: Mapping[str, float]
    gate: PromoteReport | None


def report_version(
    job: ModelJob, tracking: Tracking, version: Version, outcome: Outcome, gate: PromoteReport | None
) -> TrainReport:
    """Report a version by what its run recorded."""
    document = read_document(tracking, version.run_id, SPEC_DOCUMENT)
    return TrainReport(
        model=job.model,
        outcome=outcome,
        version=version.number,
        run_id=version.run_id,
        as_of=parse_instant(document["as_of"]),
        split_at=parse_instant(document["split_at"]),
        rows=document["rows"],
        content_hash=document["content_hash"],
        metrics=read_metrics(tracking, version.run_id),
        gate=gate,
    )
