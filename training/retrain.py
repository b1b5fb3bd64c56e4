"""Whether a model is to be trained again. The decision follows from the data alone and is stored with its reason.

Grain of ``ops.retraining``: one row for each decision.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from conf.durations import format_duration
from conf.instants import parse_instant
from conf.model import Retraining
from pipelines.delta.commit import Stamp
from pipelines.delta.local import append_records
from training.dataset.engine import count_labels_known_since
from training.dataset.spec import pin_labels
from training.dataset.split import place_split
from training.model_job import ModelJob
from training.registry.compatibility import FINGERPRINT_TAG
from training.registry.tracking import open_tracking
from training.registry.versions import Version, find_versions

_TEXT, _TIME = pa.string(), pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("run", _TEXT, nullable=False), pa.field("model", _TEXT, nullable=False),
        pa.field("decided_at", _TIME, nullable=False), pa.field("is_due", pa.bool_(), nullable=False),
        pa.field("reason", _TEXT, nullable=False), pa.field("as_of", _TIME, nullable=False), ("version", pa.int32()),
        ("new_rows", pa.int64()), ("moved", pa.list_(_TEXT)), ("dag_run", _TEXT),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Staleness:
    """How far the data has moved since the newest version of a model was trained.

    Parameters
    ----------
    version : the newest version
    moved : the tables that it was trained on whose rows, or whose feature view's definition, have changed since
    new_rows : how many rows can be used for training now and could not be used then
    age : the time from the version's ``as_of`` to the data clock
    """

    version: int
    moved: tuple[str, ...]
    new_rows: int
    age: timedelta


@dataclass(frozen=True)
class Decision:
    """Whether to train a model again, and why. ``as_of`` is the model's data clock.

    ``standing`` compares the newest version with the data as it stands now; None when there is no version.
    """

    model: str
    is_due: bool
    reason: str
    as_of: datetime
    standing: Staleness | None


def decide(job: ModelJob) -> Decision:
    """Decide whether a model is to be trained again, and write the decision to ``ops.retraining``.

    Raises
    ------
    NotFound : when the label table has not been loaded
    """
    clock = job.clock(job.declaration.label.table)
    versions = find_versions(open_tracking(job.project.settings, job.declaration))
    staleness = _measure_staleness(job, versions[0], clock) if versions else None
    is_due, reason = judge_staleness(staleness, job.declaration.retraining)
    decision = Decision(job.model, is_due, reason, clock, staleness)
    _write(job, decision)
    return decision


def judge_staleness(staleness: Staleness | None, policy: Retraining) -> tuple[bool, str]:
    """Return whether a retraining is due, and why."""
    if staleness is None:
        return True, "there is no version yet"
    if not staleness.moved:
        return False, f"nothing that version {staleness.version} was trained on has changed"
    rows = f"{staleness.new_rows} newly labelled rows since version {staleness.version}"
    if staleness.new_rows >= policy.min_new_rows:
        return True, f"{rows}, at least {policy.min_new_rows}"
    if policy.max_age is not None and staleness.age > policy.max_age:
        age = f"version {staleness.version} is {format_duration(staleness.age)} old by the data clock"
        return True, f"{age}, more than {format_duration(policy.max_age)}"
    return False, f"{rows}, fewer than {policy.min_new_rows}"


def _measure_staleness(job: ModelJob, version: Version, clock: datetime) -> Staleness:
    as_of = parse_instant(version.tags["as_of"])
    moved = _find_moved_tables(job, version)
    spec = pin_labels(job, place_split(job.declaration.split, clock))
    return Staleness(version.number, moved, count_labels_known_since(job, spec, as_of), clock - as_of)


def _find_moved_tables(job: ModelJob, version: Version) -> tuple[str, ...]:
    """Name the tables whose rows, or whose feature view's definition, changed since the version was trained."""
    declaration = job.declaration
    tables = [("silver", declaration.spine.table), ("silver", declaration.label.table)]
    tables += [("gold", view.name) for view in job.views]
    with_new_rows = [
        f"{layer}.{name}"
        for layer, name in dict.fromkeys(tables)
        if job.lake.changed_version(layer, name) > int(version.tags.get(f"data.{layer}.{name}", -1))
    ]
    redefined = [
        f"gold.{name}"
        for name, fingerprint in job.fingerprints.items()
        if version.tags.get(f"{FINGERPRINT_TAG}{name}") != fingerprint
    ]
    return tuple(dict.fromkeys([*with_new_rows, *redefined]))


def _write(job: ModelJob, decision: Decision) -> None:
    standing = decision.standing
    row = {
        "run": job.run.run, "model": decision.model, "decided_at": datetime.now(UTC), "is_due": decision.is_due,
        "reason": decision.reason, "as_of": decision.as_of, "version": standing.version if standing else None,
        "new_rows": standing.new_rows if standing else None, "moved": list(standing.moved) if standing else [],
        "dag_run": job.run.dag_run,
    }  # fmt: skip
    rows = pa.Table.from_pylist([row], SCHEMA)
    append_records(job.lake.path("ops", "retraining"), job.lake.options, rows, Stamp("retraining", job.run))
