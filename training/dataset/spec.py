"""What a training set is made from: the instants of its split, and the tables that are read, each at a version.

The spec is known before any row is read. From the spec that a run recorded, the same rows can be made again later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from conf.errors import TrainingError
from conf.instants import parse_instant
from training.dataset.pins import TablePin
from training.dataset.split import SplitBounds, place_split
from training.model_job import ModelJob


@dataclass(frozen=True)
class TrainingSetSpec:
    """What a training set is made from, besides the declarations. ``views`` are in the feature service's order.

    ``label_clock`` is the data clock of the label's table. ``as_of`` may be later: then nothing that became known
    between the two has been loaded.
    """

    bounds: SplitBounds
    label_clock: datetime
    spine: TablePin
    labels: TablePin
    views: tuple[TablePin, ...]

    @property
    def tables(self) -> tuple[TablePin, ...]:
        return tuple(dict.fromkeys((self.spine, self.labels, *self.views)))


def place_bounds(job: ModelJob, as_of: datetime | None) -> SplitBounds:
    """Place the split of a training set as of an instant, by default the label table's data clock."""
    declaration = job.declaration
    return place_split(declaration.split, as_of or job.clock(declaration.label.table))


def pin_training_set(job: ModelJob, bounds: SplitBounds) -> TrainingSetSpec:
    """Pin the newest versions of the tables to read. The features must be complete through ``bounds.as_of``."""
    views = tuple(TablePin.of(job.lake, "gold", view.name) for view in job.views)
    return replace(pin_labels(job, bounds), views=views)


def pin_labels(job: ModelJob, bounds: SplitBounds) -> TrainingSetSpec:
    """Pin the tables of the spine and of the labels, without features."""
    declaration = job.declaration
    return TrainingSetSpec(
        bounds,
        job.clock(declaration.label.table),
        TablePin.of(job.lake, "silver", declaration.spine.table),
        TablePin.of(job.lake, "silver", declaration.label.table),
        (),
    )


def recall_training_set(job: ModelJob, document: Mapping[str, Any]) -> TrainingSetSpec:
    """Return the spec that a training run recorded, so that the rows which it read can be read again.

    Raises
    ------
    TrainingError : when they cannot be read again, because a declaration changed or a table was made anew since
    """
    declaration = job.declaration
    declared, recorded = declaration.model_dump(mode="json"), document["declaration"]
    pins = {pin.full_name: pin for pin in (TablePin(**table) for table in document["tables"])}
    changed = [name for name in ("spine", "label", "features", "split") if declared[name] != recorded[name]]
    changed += [name for name, now in job.fingerprints.items() if document["fingerprints"].get(name) != now]
    changed += [name for name, pin in pins.items() if job.lake.table_id(pin.layer, pin.name) != pin.table_id]
    if changed:
        message = f"the training set cannot be read again: {', '.join(changed)} changed since"
        raise TrainingError(message, f"train again: `headwater train {job.model}`")
    return TrainingSetSpec(
        place_split(declaration.split, parse_instant(document["as_of"])),
        parse_instant(document["label_clock"]),
        pins[f"silver.{declaration.spine.table}"],
        pins[f"silver.{declaration.label.table}"],
        tuple(pins[f"gold.{view.name}"] for view in job.views),
    )
