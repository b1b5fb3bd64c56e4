"""Whether a registered version can answer with the features as they are declared now, and if not, why."""

from collections.abc import Mapping

from training.dataset.inputs import Inputs
from training.registry.predictions import input_kinds
from training.registry.tracking import Tracking
from training.registry.versions import Version

FINGERPRINT_TAG = "fingerprint."


def find_incompatibility(fingerprints: Mapping[str, str], tracking: Tracking, version: Version, inputs: Inputs) -> str:
    """Say why a version cannot answer with these inputs; '' when it can.

    A feature view whose fingerprint has changed since the training gives its features another meaning, though their
    names are the same. ``fingerprints`` are those of the views as they are declared now, by name of the view.
    """
    changed = [name for name, now in fingerprints.items() if version.tags.get(f"{FINGERPRINT_TAG}{name}", now) != now]
    if changed:
        return f"it was trained before the definition of {', '.join(changed)} changed"
    return inputs.incompatibility_with(input_kinds(tracking, version.number))
