"""The gate at work: challenger and champion answer the same holdout rows, the verdict is written down, the alias moves.

The verdict is written to the challenger's version before the alias moves. So if a promotion is killed in between, the
next run finds the verdict and only moves the alias. Likewise, a version that was judged against the champion that holds
the alias now is not judged again.
"""

import json
import math
from collections.abc import Callable, Sequence

from conf.errors import NotFound, TrainingError
from conf.instants import parse_instant
from training.dataset.description import SPEC_DOCUMENT
from training.dataset.engine import make_training_rows
from training.dataset.rows import TrainingRows
from training.dataset.spec import recall_training_set
from training.model.evaluate import baseline_scores, evaluate
from training.model.scores import Numbers
from training.model_job import ModelJob
from training.registry.compatibility import find_incompatibility
from training.registry.gate import Champion, Measured, Verdict, judge
from training.registry.predictions import input_kinds, predict_scores
from training.registry.runs import AIRFLOW_TAG, mark_dead_runs
from training.registry.tracking import Tracking, log_values, open_tracking, read_document
from training.registry.verdicts import REASON_TAG, VERDICT_TAG, PromoteReport, Step, find_settled, recorded_verdict
from training.registry.versions import Version, find_champion, find_version, find_versions, set_champion, tag_version

VERDICT_DOCUMENT = "gate/verdict.json"


def promote(job: ModelJob, number: int | None = None, airflow_run: str | None = None) -> PromoteReport:
    """Gate a version on the holdout that belongs to its training set.

    The version is ``number``, or the one that the Airflow run ``airflow_run`` (``dag/run``) trained, or the newest.

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
        version = _find_trained_by(airflow_run, versions, job.model)
    else:
        version = versions[0]
    return gate_version(job, tracking, version, lambda: _recorded_rows(job, tracking, version))


def _find_trained_by(airflow_run: str, versions: Sequence[Version], model: str) -> Version:
    for version in versions:
        if version.tags.get(AIRFLOW_TAG) == airflow_run:
            return version
    hint = "run its task `train` first; `headwater ui` shows the tags of the versions"
    raise NotFound(f"no version of {model} was trained by the Airflow run {airflow_run}", hint)


def gate_version(
    job: ModelJob, tracking: Tracking, version: Version, read_rows: Callable[[], TrainingRows]
) -> PromoteReport:
    """Judge a version on its holdout, and move the alias to it if it wins.

    A version that was judged against the current champion before is not judged again; then ``read_rows`` is not called.
    """
    champion = find_champion(tracking)
    current = champion.number if champion else None
    settled = find_settled(job.model, version, current)
    if settled is not None:
        return settled
    verdict = recorded_verdict(version, current) or _judge(job, tracking, version, champion, read_rows())
    if verdict.is_promoted:
        job.check_lease()
        set_champion(tracking, version.number)
        return PromoteReport(job.model, version.number, Step.PROMOTED, version.number, verdict)
    return PromoteReport(job.model, version.number, Step.REFUSED, current, verdict)


def _judge(
    job: ModelJob, tracking: Tracking, version: Version, champion: Version | None, rows: TrainingRows
) -> Verdict:
    """Measure the challenger and the champion on the challenger's holdout, and record the gate's verdict."""
    declaration, metric, labels = job.declaration, job.declaration.primary_metric, rows.holdout.labels
    challenger = evaluate((metric,), labels, _score_holdout(tracking, version, rows))[metric]
    baseline = evaluate((metric,), labels, baseline_scores(rows.training.labels, len(labels)))[metric]
    measured_champion = None
    if champion is not None:
        reason = find_incompatibility(job.fingerprints, tracking, champion, rows.inputs)
        values = dict.fromkeys(job.metrics, math.nan)
        if not reason:
            values = evaluate(job.metrics, labels, _score_holdout(tracking, champion, rows))
        log_values(tracking, version.run_id, metrics={f"champion_{name}": value for name, value in values.items()})
        has_seen_holdout = parse_instant(champion.tags["train_until"]) > parse_instant(version.tags["split_at"])
        measured_champion = Champion(champion.number, values[metric], reason, has_seen_holdout)
    measured = Measured(metric, declaration.is_greater_better, challenger, baseline)
    verdict = judge(declaration.gate, measured, measured_champion)
    _record(tracking, version, verdict)
    return verdict


def _score_holdout(tracking: Tracking, version: Version, rows: TrainingRows) -> Numbers:
    inputs = list(input_kinds(tracking, version.number))
    return predict_scores(tracking, version.number, rows.holdout.inputs[inputs])


def _record(tracking: Tracking, version: Version, verdict: Verdict) -> None:
    """Write the verdict to the run for its readers, then to the version, where the next promotion looks for it."""
    document = verdict.as_json()
    tags = {VERDICT_TAG: json.dumps(document, sort_keys=True), REASON_TAG: verdict.reason}
    tracking.client.log_dict(version.run_id, document, VERDICT_DOCUMENT)
    log_values(tracking, version.run_id, tags=tags)
    tag_version(tracking, version.number, tags)


def _recorded_rows(job: ModelJob, tracking: Tracking, version: Version) -> TrainingRows:
    """Read again the rows of the training set that a version was trained and judged with."""
    document = read_document(tracking, version.run_id, SPEC_DOCUMENT)
    rows = make_training_rows(job, recall_training_set(job, document))
    if rows.content_hash != document["content_hash"]:
        message = f"the training set of version {version.number} has other rows now than when the version was made"
        raise TrainingError(message, f"train again: `headwater train {job.model}`")
    return rows
