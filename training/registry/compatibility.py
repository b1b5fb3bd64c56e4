"""Why a registered version cannot answer with the features as they are declared now, if it cannot."""

from training.dataset.inputs import Inputs
from training.model_job import ModelJob
from training.registry.run_record import Version
from training.registry.tracking import Tracking, input_kinds

FINGERPRINT_TAG = "fingerprint."


def find_obstacle(job: ModelJob, tracking: Tracking, version: Version, inputs: Inputs) -> str:
    """Compare what a version takes, and what it was trained on, with the inputs there are; empty when it can answer.

    A feature view of another fingerprint than the version was trained on means something else under the same names.
    """
    changed = [
        name for name, mark in job.fingerprints.items() if version.tags.get(f"{FINGERPRINT_TAG}{name}", mark) != mark
    ]
    if changed:
        return f"it was trained on another meaning of {', '.join(changed)}"
    return inputs.obstacle_to(input_kinds(tracking, version.number))
