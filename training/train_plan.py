"""What a training would be made from, known before any row is read, and whether a version made from it exists.

A version carries the tag ``made_from.<digest>``. The digest covers the tables at their versions, the instants of the
split, the declaration, the definitions of the features and the engine's code. So when nothing of these has changed,
a training ends without reading a row. Where a version is made, the hash of its rows stays the judge (``recipe``).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from conf.instants import format_instant
from training.dataset.engine import Choice, Engine, choose_engine
from training.dataset.spec import TrainingSetSpec, pin_training_set, place_bounds
from training.dataset.split import SplitBounds
from training.model.engine_digest import engine_digest
from training.model_job import ModelJob
from training.registry.tracking import Tracking, open_tracking
from training.registry.verdicts import PromoteReport, find_settled
from training.registry.versions import Version, find_champion, find_versions

MADE_FROM_TAG, REQUIREMENTS_TAG = "made_from.", "requirements"


@dataclass(frozen=True)
class TrainPlan:
    """What a training would do.

    Parameters
    ----------
    spec : what the training set would be made from; None when features must be completed first
    version : the version that was made from the same; None when there is none
    gate : what became of that version at the gate; None when the gate has to judge it, or move the alias
    """

    tracking: Tracking
    bounds: SplitBounds
    spec: TrainingSetSpec | None
    engine: Choice
    version: Version | None = None
    gate: PromoteReport | None = None

    @property
    def reason(self) -> str:
        """Why there is something to do, in words; '' when there is nothing."""
        if self.spec is None:
            return f"features are to be completed through {format_instant(self.bounds.as_of)}"
        if self.version is None:
            return "no version was made from these tables, this declaration and this code"
        return "" if self.gate is not None else f"version {self.version.number} is to be judged by the gate"


def plan_training(job: ModelJob, as_of: datetime | None) -> TrainPlan:
    """Plan a training as of an instant, by default the label table's data clock.

    Raises
    ------
    NotFound : when the label's table or a view's source has not been loaded
    TrainingError : when the holdout would have no length
    """
    tracking, bounds = open_tracking(job.project.settings, job.declaration), place_bounds(job, as_of)
    if not job.has_features(bounds.as_of):
        return TrainPlan(tracking, bounds, None, Choice(Engine.LOCAL, "features are to be completed first"))
    spec = pin_training_set(job, bounds)
    version = find_made_from(tracking, digest_of(job, spec))
    gate = None
    if version is not None:
        champion = find_champion(tracking)
        gate = find_settled(job.model, version, champion.number if champion else None)
    engine = choose_engine(job, spec) if gate is None else Choice(Engine.LOCAL, "there is nothing to read")
    return TrainPlan(tracking, bounds, spec, engine, version, gate)


def digest_of(job: ModelJob, spec: TrainingSetSpec) -> str:
    """Hash everything that a training is made from, without its rows. Returns 32 hex digits."""
    parts = {
        "declaration": job.declaration.model_dump(mode="json"),
        "service": list(job.service.columns),
        "fingerprints": job.fingerprints,
        "instants": {name: format_instant(instant) for name, instant in asdict(spec.bounds).items()},
        "tables": [(pin.full_name, pin.table_id, pin.version) for pin in spec.tables],
        "engine": engine_digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def find_made_from(tracking: Tracking, digest: str) -> Version | None:
    """Return the newest version that was made from the same, by packages that are still installed."""
    for known in find_versions(tracking):
        if f"{MADE_FROM_TAG}{digest}" in known.tags and _are_installed(known.tags):
            return known
    return None


def _are_installed(tags: Mapping[str, str]) -> bool:
    required = (requirement.split("==") for requirement in json.loads(tags[REQUIREMENTS_TAG]))
    try:
        return all(version(name) == number for name, number in required)
    except PackageNotFoundError:
        return False
