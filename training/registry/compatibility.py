"""Whether a registered version can answer with the features as they are declared now, and if not, why."""

from collections.abc import Mapping

from training.dataset.inputs import Inputs
from training.registry.predictions import input_kinds
from training.registry.tracking import Tracking
from training.registry.versions import Version

FINGERPRINT_TAG = "fingerprint."


def find_incompatibility(fingerprints: Mapping[str, str], tracking: Tracking, version: Version, inputs: Inputs) -> str:
    """Compare a version with the features and inputs that there are.

    A feature view with another fingerprint than the version was trained on has another meaning under the same names.

    Parameters
    ----------
    fingerprints : of each feature view as it is declared now, by its name

    Returns
    -------
    why the version cannot answer; '' when it can
    """
    changed = [
        name for name, mark in fingerprints.items() if version.tags.get(f"{FINGERPRINT_TAG}{name}", mark) != mark
    ]
    if changed:
        return f"it was trained on another meaning of {', '.join(changed)}"
    return inputs.incompatibility_with(input_kinds(tracking, version.number))
