"""The job ``train``: training set → fit → evaluate on the holdout → log → register → gate.

The job may be run again at any time. Made from the same tables, declaration and code (``train_plan``), or else from
the same rows, it finds the version that it registered before and trains no new one. It only finishes what a killed run
left undone, such as moving the alias.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sklearn.pipeline import Pipeline

from conf.model import ModelDeclaration
from pipelines.delta.commit import Outcome
from pipelines.runtime.code_version import git_commit, is_git_dirty
from training.dataset.description import SPEC_DOCUMENT, describe_training_set
from training.dataset.engine import make_training_rows
from training.dataset.rows import Part, TrainingRows, check_trainable
from training.dataset.spec import TrainingSetSpec, pin_training_set, place_bounds
from training.model.estimator import (
    estimator_params,
    estimator_path,
    feature_importance,
    fit_pipeline,
    make_pipeline,
    predict,
    requirements,
)
from training.model.evaluate import baseline_scores, evaluate
from training.model.plots import draw_plots
from training.model.recipe import recipe_of
from training.model.scores import Numbers, as_scores
from training.model_job import ModelJob
from training.registry.compatibility import FINGERPRINT_TAG
from training.registry.promote import gate_version
from training.registry.register import FittedModel, register_model
from training.registry.runs import RunRecord, hold_run, maker_tags, mark_dead_runs
from training.registry.tracking import Tracking, open_tracking
from training.registry.versions import Version, find_versions, tag_version
from training.train_plan import MADE_FROM_TAG, REQUIREMENTS_TAG, digest_of, find_made_from
from training.train_report import TrainReport, report_version

RECIPE_TAG = "recipe"
EXAMPLE_ROWS = 5


def train(job: ModelJob, as_of: datetime | None = None, is_promoting: bool = True) -> TrainReport:
    """Train a model, and gate it against the champion unless ``is_promoting`` is false.

    Parameters
    ----------
    as_of : only what was known at this instant is used; by default the data clock of the label's table

    Raises
    ------
    TrainingError : when the data does not allow a training, for example because the holdout has no rows
    NotFound : when a table that the model reads has not been loaded
    """
    tracking = open_tracking(job.project.settings, job.declaration)
    mark_dead_runs(tracking)
    bounds = place_bounds(job, as_of)
    job.complete_features(bounds.as_of)
    spec = pin_training_set(job, bounds)
    digest = digest_of(job, spec)
    read_rows = cache(lambda: make_training_rows(job, spec))
    version = find_made_from(tracking, digest)
    outcome = Outcome.APPLIED if version is None else Outcome.UNCHANGED
    if version is None:
        version, outcome = _find_or_make(job, tracking, spec, read_rows())
    tag_version(tracking, version.number, {**maker_tags(job.run), f"{MADE_FROM_TAG}{digest}": job.run.run})
    gate = gate_version(job, tracking, version, read_rows) if is_promoting else None
    return report_version(job, tracking, version, outcome, gate)


def _find_or_make(
    job: ModelJob, tracking: Tracking, spec: TrainingSetSpec, rows: TrainingRows
) -> tuple[Version, Outcome]:
    """Find the version that was made from the same rows by the same recipe, or make it."""
    declaration = job.declaration
    check_trainable(rows, declaration.task)
    pipeline = make_pipeline(declaration.estimator, declaration.task, rows.inputs.numbers, rows.inputs.texts)
    recipe = recipe_of(declaration, rows, requirements(pipeline))
    for known in find_versions(tracking):
        if known.tags.get(RECIPE_TAG) == recipe:
            return known, Outcome.UNCHANGED
    return _make_version(job, tracking, _NewVersion(spec, rows, pipeline, recipe)), Outcome.APPLIED


@dataclass(frozen=True)
class _NewVersion:
    """What a new version is made from."""

    spec: TrainingSetSpec
    rows: TrainingRows
    pipeline: Pipeline
    recipe: str


def _make_version(job: ModelJob, tracking: Tracking, new: _NewVersion) -> Version:
    declaration, task, rows = job.declaration, job.declaration.task, new.rows
    training, holdout = rows.training, rows.holdout
    fitted = fit_pipeline(new.pipeline, training.inputs, training.labels, rows.inputs.texts)
    scores = as_scores(predict(fitted, holdout.inputs, task))
    plots = draw_plots(task, holdout.labels, scores, feature_importance(fitted))
    description = describe_training_set(job, new.spec, rows.inputs, rows.fates, rows.content_hash)
    tags = _tags(job, new, description)
    record = RunRecord(
        tags=tags | _ui_tags(description["as_of"]),
        params=_params(declaration, len(rows.inputs.kinds)),
        metrics=_metrics(job.metrics, training, holdout, scores),
        tables=new.spec.tables,
        documents={SPEC_DOCUMENT: description},
        figures={f"plots/{name}": figure for name, figure in plots.items()},
    )
    example = training.inputs.head(EXAMPLE_ROWS)
    model = FittedModel(fitted, rows.inputs.texts, example, task == "classification", requirements(fitted))
    with hold_run(tracking, record) as run_id:
        job.check_lease()
        return register_model(tracking, run_id, model, tags)


def _metrics(names: Sequence[str], training: Part, holdout: Part, scores: Numbers) -> dict[str, float]:
    trivial = baseline_scores(training.labels, len(holdout.labels))
    return {
        **{f"holdout_{name}": value for name, value in evaluate(names, holdout.labels, scores).items()},
        **{f"baseline_{name}": value for name, value in evaluate(names, holdout.labels, trivial).items()},
        "training_rows": len(training.labels),
        "holdout_rows": len(holdout.labels),
    }


def _params(declaration: ModelDeclaration, input_count: int) -> dict[str, Any]:
    split = declaration.split.model_dump(mode="json", exclude_none=True)
    return {
        "estimator": estimator_path(declaration.estimator, declaration.task),
        **estimator_params(declaration.estimator, declaration.task),
        **{f"split.{name}": value for name, value in split.items()},
        "inputs": input_count,
    }


def _tags(job: ModelJob, new: _NewVersion, description: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags by which runs and versions are found. The whole description is an artifact of the run."""
    instants = ("as_of", "split_at", "train_until", "holdout_until")
    return {
        RECIPE_TAG: new.recipe,
        REQUIREMENTS_TAG: json.dumps(requirements(new.pipeline)),
        **maker_tags(job.run),
        "git_commit": git_commit(),
        **{name: str(description[name]) for name in (*instants, "feature_service")},
        "training_set_hash": new.rows.content_hash,
        **{f"data.{pin.full_name}": str(pin.version) for pin in new.spec.tables},
        **{f"{FINGERPRINT_TAG}{name}": fingerprint for name, fingerprint in job.fingerprints.items()},
    }


def _ui_tags(as_of: str) -> dict[str, str]:
    """Return the tags that MLflow's own pages show for a run."""
    return {
        "mlflow.runName": f"as of {as_of}",
        "mlflow.source.name": "headwater train",
        "mlflow.source.git.commit": git_commit(),
        "mlflow.source.git.dirty": str(is_git_dirty()).lower(),
    }
