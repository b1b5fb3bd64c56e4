"""Whether a model is worth training again. The data alone decides, and the decision is written down with its reason.

Grain of ``ops.retraining``: one row for each decision.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from conf.durations import format_duration
from conf.instants import instant_to_micros, parse_instant
from conf.model import Retraining
from pipelines.delta.commit import Stamp
from pipelines.delta.merge import append_rows
from pipelines.delta.tables import create_table
from training.dataset.labels import FATE, LABEL_KNOWN_AT, build_labelled_spine, build_labels
from training.dataset.spine import build_spine
from training.dataset.split import BETWEEN, HOLDOUT, TRAINING, place_split
from training.model_job import ModelJob
from training.registry.compatibility import FINGERPRINT_TAG
from training.registry.tracking import open_tracking
from training.registry.versions import Version, find_versions

SCHEMA = """run string NOT NULL, model string NOT NULL, decided_at timestamp NOT NULL, is_due boolean NOT NULL,
 reason string NOT NULL, as_of timestamp NOT NULL, version int, new_rows bigint, moved array<string>, dag_run string"""


@dataclass(frozen=True)
class Staleness:
    """How far the data has moved since the newest version of a model was trained.

    Parameters
    ----------
    version : that version
    moved : the tables it was trained on that have changed since
    new_rows : the rows that can be used for training now and could not then
    age : by the data clock
    """

    version: int
    moved: tuple[str, ...]
    new_rows: int
    age: timedelta


@dataclass(frozen=True)
class Decision:
    """Whether to train a model again, and why; ``as_of`` is its data clock."""

    model: str
    is_due: bool
    reason: str
    as_of: datetime
    standing: Staleness | None


def decide(job: ModelJob) -> Decision:
    """Look at the data, decide, and write the decision to ``ops.retraining``.

    Raises
    ------
    NotFound : when the label table has not been loaded
    """
    clock = job.clock(job.declaration.label.table)
    versions = find_versions(open_tracking(job.project.settings, job.declaration))
    standing = _compare(job, versions[0], clock) if versions else None
    is_due, reason = judge_staleness(standing, job.declaration.retraining)
    decision = Decision(job.model, is_due, reason, clock, standing)
    _write(job, decision)
    return decision


def judge_staleness(standing: Staleness | None, policy: Retraining) -> tuple[bool, str]:
    """Say whether a retraining is due, and why. Pure."""
    if standing is None:
        return True, "there is no version yet"
    if not standing.moved:
        return False, f"nothing that version {standing.version} was trained on has changed"
    rows = f"{standing.new_rows} newly labelled rows since version {standing.version}"
    if standing.new_rows >= policy.min_new_rows:
        return True, f"{rows}, at least {policy.min_new_rows}"
    if policy.max_age is not None and standing.age > policy.max_age:
        age = f"version {standing.version} is {format_duration(standing.age)} old by the data clock"
        return True, f"{age}, more than {format_duration(policy.max_age)}"
    return False, f"{rows}, fewer than {policy.min_new_rows}"


def _compare(job: ModelJob, version: Version, clock: datetime) -> Staleness:
    as_of = parse_instant(version.tags["as_of"])
    return Staleness(version.number, _moved(job, version), _count_new_labels(job, as_of, clock), clock - as_of)


def _moved(job: ModelJob, version: Version) -> tuple[str, ...]:
    """Name the tables whose rows changed since the version was trained, and the views that mean something else now."""
    declaration = job.declaration
    tables = [("silver", declaration.spine.table), ("silver", declaration.label.table)]
    tables += [("gold", view.name) for view in job.views]
    moved = [
        f"{layer}.{name}"
        for layer, name in dict.fromkeys(tables)
        if job.lake.changed_version(layer, name) > int(version.tags.get(f"data.{layer}.{name}", -1))
    ]
    changed = [f"gold.{name}" for name, mark in job.fingerprints.items() if _mark(version, name) != mark]
    return tuple(dict.fromkeys([*moved, *changed]))


def _mark(version: Version, view: str) -> str | None:
    return version.tags.get(f"{FINGERPRINT_TAG}{view}")


def _count_new_labels(job: ModelJob, since: datetime, clock: datetime) -> int:
    """Count the rows that a training as of ``clock`` could use, and one as of ``since`` could not."""
    declaration, lake = job.declaration, job.lake
    spine = build_spine(lake.read("silver", declaration.spine.table), declaration.spine, ())
    labels = build_labels(lake.read("silver", declaration.label.table), declaration.label, declaration.spine.key)
    labelled = build_labelled_spine(spine, labels, declaration.spine.key, place_split(declaration.split, clock))
    is_new = F.unix_micros(LABEL_KNOWN_AT) > instant_to_micros(since)
    return labelled.where(F.col(FATE).isin(TRAINING, HOLDOUT, BETWEEN) & is_new).count()


def _write(job: ModelJob, decision: Decision) -> None:
    spark, path, standing = job.lake.spark, job.lake.path("ops", "retraining"), decision.standing
    schema = spark.createDataFrame([], SCHEMA).schema
    create_table(spark, path, schema)
    row = (
        job.run.run, decision.model, datetime.now(UTC), decision.is_due, decision.reason, decision.as_of,
        standing.version if standing else None, standing.new_rows if standing else None,
        list(standing.moved) if standing else [], job.run.dag_run,
    )  # fmt: skip
    append_rows(spark, path, spark.createDataFrame([row], schema).coalesce(1), Stamp("retraining", job.run))
