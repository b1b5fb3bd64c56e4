"""The job ``train``: training set → fit → evaluate on the holdout → log → register → gate.

The job may be run again at any time. Over the same rows, with the same declaration and code, it finds the version that
it registered before and trains no new one. It only finishes what a killed run left undone, such as moving the alias.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sklearn.pipeline import Pipeline

from conf.model import ModelDeclaration
from pipelines.delta.commit import Outcome
from pipelines.operations.lease import check_lease
from pipelines.runtime.code_version import git_commit, is_git_dirty
from training.dataset.collected_rows import CollectedRows, collect_rows
from training.dataset.description import SPEC_DOCUMENT, describe_training_set
from training.dataset.training_set import TrainingSet, open_training_set, plan_training_set
from training.model.estimator import (
    estimator_params,
    estimator_path,
    feature_importance,
    fit_pipeline,
    make_pipeline,
    predict,
    requirements,
)
from training.model.evaluate import Numbers, as_scores, baseline_scores, evaluate
from training.model.plots import draw_plots
from training.model.recipe import recipe_of
from training.model_job import ModelJob
from training.registry.compatibility import FINGERPRINT_TAG
from training.registry.promote import PromoteReport, gate_version
from training.registry.runs import RunRecord, hold_run, maker_tags, mark_dead_runs, read_metrics
from training.registry.tracking import Tracking, open_tracking
from training.registry.versions import FittedModel, Version, find_versions, register_model, tag_version

RECIPE_TAG = "recipe"
EXAMPLE_ROWS = 5


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
    declaration = job.declaration
    tracking = open_tracking(job.project.settings, declaration)
    mark_dead_runs(tracking)
    with open_training_set(job, plan_training_set(job, as_of)) as training_set:
        rows = collect_rows(training_set, declaration.task)
    description = describe_training_set(job, training_set, rows.content_hash)
    pipeline = make_pipeline(declaration.estimator, declaration.task, rows.inputs.numbers, rows.inputs.texts)
    recipe = recipe_of(declaration, rows, requirements(pipeline))
    known = [version for version in find_versions(tracking) if version.tags.get(RECIPE_TAG) == recipe]
    if known:
        version = known[-1]
        tag_version(tracking, version.number, maker_tags(job.run))
    else:
        version = _make_version(job, tracking, _NewVersion(training_set, rows, description, pipeline, recipe))
    gate = gate_version(job, tracking, version, lambda: rows) if is_promoting else None
    bounds = training_set.spec.bounds
    return TrainReport(
        model=job.model,
        outcome=Outcome.UNCHANGED if known else Outcome.APPLIED,
        version=version.number,
        run_id=version.run_id,
        as_of=bounds.as_of,
        split_at=bounds.split_at,
        rows=training_set.rows,
        content_hash=rows.content_hash,
        metrics=read_metrics(tracking, version.run_id),
        gate=gate,
    )


@dataclass(frozen=True)
class _NewVersion:
    """What a new version is made from. ``description`` describes the training set as JSON."""

    training_set: TrainingSet
    rows: CollectedRows
    description: Mapping[str, Any]
    pipeline: Pipeline
    recipe: str


def _make_version(job: ModelJob, tracking: Tracking, new: _NewVersion) -> Version:
    declaration, task, rows = job.declaration, job.declaration.task, new.rows
    fitted = fit_pipeline(new.pipeline, rows.training.inputs, rows.training.labels, rows.inputs.texts)
    scores = as_scores(predict(fitted, rows.holdout.inputs, task))
    plots = draw_plots(task, rows.holdout.labels, scores, feature_importance(fitted))
    tags = _tags(job, new)
    record = RunRecord(
        tags=tags | _ui_tags(new.description["as_of"]),
        params=_params(declaration, len(rows.inputs.kinds)),
        metrics=_metrics(job.metrics, rows, scores),
        tables=new.training_set.spec.tables,
        documents={SPEC_DOCUMENT: new.description},
        figures={f"plots/{name}": figure for name, figure in plots.items()},
    )
    example = rows.training.inputs.head(EXAMPLE_ROWS)
    model = FittedModel(fitted, rows.inputs.texts, example, task == "classification", requirements(fitted))
    with hold_run(tracking, record) as run_id:
        check_lease(job.lake.spark)
        return register_model(tracking, run_id, model, tags)


def _metrics(names: Sequence[str], rows: CollectedRows, scores: Numbers) -> dict[str, float]:
    holdout = rows.holdout
    trivial = baseline_scores(rows.training.labels, len(holdout.labels))
    return {
        **{f"holdout_{name}": value for name, value in evaluate(names, holdout.labels, scores).items()},
        **{f"baseline_{name}": value for name, value in evaluate(names, holdout.labels, trivial).items()},
        "training_rows": len(rows.training.labels),
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


def _tags(job: ModelJob, new: _NewVersion) -> dict[str, str]:
    """Return the tags by which runs and versions are found. The whole description is an artifact of the run."""
    instants = ("as_of", "split_at", "train_until", "holdout_until")
    return {
        RECIPE_TAG: new.recipe,
        **maker_tags(job.run),
        "git_commit": git_commit(),
        **{name: str(new.description[name]) for name in (*instants, "feature_service")},
        "training_set_hash": new.rows.content_hash,
        **{f"data.{pin.full_name}": str(pin.version) for pin in new.training_set.spec.tables},
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
