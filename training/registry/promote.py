"""The gate at work: challenger and champion answer the same holdout rows, the verdict is written down, the alias moves.

The verdict stands on the version before the alias moves, so a promotion that was killed in between is finished by the
next run; one that was judged against the earlier champion is not judged again.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conf.errors import NotFound, TrainingError
from conf.instants import parse_instant
from pipelines.operations.lease import check_lease
from training.dataset.collected_rows import CollectedRows, collect_rows
from training.dataset.description import SPEC_DOCUMENT
from training.dataset.training_set import open_training_set, recall_training_set
from training.model.evaluate import baseline_scores, evaluate
from training.model_job import ModelJob
from training.registry.compatibility import find_incompatibility
from training.registry.gate import Champion, Measured, Verdict, judge
from training.registry.predictions import input_kinds, predict_scores
from training.registry.runs import AIRFLOW_TAG, mark_dead_runs
from training.registry.tracking import Tracking, log_values, open_tracking, read_document
from training.registry.versions import Version, find_champion, find_version, find_versions, set_champion, tag_version

VERDICT_TAG, REASON_TAG = "gate.verdict", "gate.reason"
VERDICT_DOCUMENT = "gate/verdict.json"


class Step(StrEnum):
    """What the gate did: moved the alias, refused to, or found that it had done either before."""

    PROMOTED = "PROMOTED"
    REFUSED = "REFUSED"
    ALREADY_CHAMPION = "ALREADY_CHAMPION"
    ALREADY_REFUSED = "ALREADY_REFUSED"


@dataclass(frozen=True)
class PromoteReport:
    """What became of a version at the gate; ``champion`` is the version that holds the alias afterwards."""

    model: str
    version: int
    step: Step
    champion: int | None
    verdict: Verdict | None


def promote(job: ModelJob, number: int | None = None, airflow_run: str | None = None) -> PromoteReport:
    """Gate a version on the holdout it was trained with: the one named, the one that an Airflow run trained, as
    ``dag/run``, or else the newest.

    Raises
    ------
    NotFound : when there is no version to promote
    TrainingError : when its holdout cannot be read again
    """
    tracking = open_tracking(job.project.settings, job.declaration)
    mark_dead_runs(tracking)
    versions = find_versions(tracking)
    if not versions:
        raise NotFound(f"the model {job.model} has no version yet", f"run `headwater train {job.model}`")
    if number is not None:
        version = find_version(tracking, number)
    elif airflow_run is not None:
        version = _trained_by(airflow_run, versions, job.model)
    else:
        version = versions[0]
    return gate_version(job, tracking, version, lambda: _recorded_rows(job, tracking, version))


def _trained_by(airflow_run: str, versions: Sequence[Version], model: str) -> Version:
    for version in versions:
        if version.tags.get(AIRFLOW_TAG) == airflow_run:
            return version
    hint = "run its task `train` first; `headwater ui` shows the tags of the versions"
    raise NotFound(f"no version of {model} was trained by the Airflow run {airflow_run}", hint)


def gate_version(
    job: ModelJob, tracking: Tracking, version: Version, read_rows: Callable[[], CollectedRows]
) -> PromoteReport:
    """Judge a version on its holdout unless that was done against the earlier champion; move the alias if it won.

    ``read_rows`` is called only where rows are needed.
    """
    champion = find_champion(tracking)
    holder = champion.number if champion else None
    earlier = _earlier_verdict(version, holder)
    if holder == version.number:
        return PromoteReport(job.model, version.number, Step.ALREADY_CHAMPION, holder, earlier)
    verdict = earlier or _judge(job, tracking, version, champion, read_rows())
    if verdict.is_promoted:
        check_lease(job.lake.spark)
        set_champion(tracking, version.number)
        return PromoteReport(job.model, version.number, Step.PROMOTED, version.number, verdict)
    step = Step.ALREADY_REFUSED if earlier else Step.REFUSED
    return PromoteReport(job.model, version.number, step, holder, verdict)


def _judge(
    job: ModelJob, tracking: Tracking, version: Version, champion: Version | None, rows: CollectedRows
) -> Verdict:
    declaration, holdout, metric = job.declaration, rows.holdout, job.declaration.primary_metric
    trivial = baseline_scores(rows.training.labels, len(holdout.labels))
    measured = Measured(
        metric,
        declaration.is_greater_better,
        _measure(job, tracking, version, rows)[metric],
        evaluate((metric,), holdout.labels, trivial)[metric],
    )
    rival = None
    if champion is not None:
        reason = find_incompatibility(job.fingerprints, tracking, champion, rows.inputs)
        values = dict.fromkeys(job.metrics, math.nan) if reason else _measure(job, tracking, champion, rows)
        log_values(tracking, version.run_id, metrics={f"champion_{name}": value for name, value in values.items()})
        rival = Champion(champion.number, values[metric], reason, _has_seen_holdout(champion, version))
    verdict = judge(declaration.gate, measured, rival)
    _record(tracking, version, verdict)
    return verdict


def _has_seen_holdout(champion: Version, challenger: Version) -> bool:
    """A champion made as of a later time learned from rows that the challenger is judged on."""
    return parse_instant(champion.tags["train_until"]) > parse_instant(challenger.tags["split_at"])


def _measure(job: ModelJob, tracking: Tracking, version: Version, rows: CollectedRows) -> dict[str, float]:
    wanted = list(input_kinds(tracking, version.number))
    scores = predict_scores(tracking, version.number, rows.holdout.inputs[wanted])
    return evaluate(job.metrics, rows.holdout.labels, scores)


def _record(tracking: Tracking, version: Version, verdict: Verdict) -> None:
    """Write the verdict to the run, then to the version, where it counts."""
    document = verdict.as_json()
    tags = {VERDICT_TAG: json.dumps(document, sort_keys=True), REASON_TAG: verdict.reason}
    tracking.client.log_dict(version.run_id, document, VERDICT_DOCUMENT)
    log_values(tracking, version.run_id, tags=tags)
    tag_version(tracking, version.number, tags)


def _earlier_verdict(version: Version, champion: int | None) -> Verdict | None:
    """Return the verdict on a version against the same champion, or, of a champion, the one that made it so."""
    written = version.tags.get(VERDICT_TAG)
    if written is None:
        return None
    verdict = Verdict.from_json(json.loads(written))
    return verdict if champion in (verdict.champion_version, version.number) else None


def _recorded_rows(job: ModelJob, tracking: Tracking, version: Version) -> CollectedRows:
    document = read_document(tracking, version.run_id, SPEC_DOCUMENT)
    with open_training_set(job, recall_training_set(job, document)) as training_set:
        rows = collect_rows(training_set, job.declaration.task)
    if rows.content_hash != document["content_hash"]:
        message = f"the training set of version {version.number} has other rows now than when it was made"
        raise TrainingError(message, f"train again: `headwater train {job.model}`")
    return rows
