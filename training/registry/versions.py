"""The registered versions of a model, and the alias that says which of them is champion.

A version carries the recipe that it was made by. So when a training is killed after it registered a version, the next
run finds that version again. The alias alone says which version is champion.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion

from conf.errors import NotFound
from training.registry.tracking import Tracking

CHAMPION = "champion"


@dataclass(frozen=True)
class Version:
    """One registered version. ``tags`` are as they were when it was read."""

    number: int
    run_id: str
    tags: Mapping[str, str]


def find_versions(tracking: Tracking) -> list[Version]:
    """Return the registered versions, newest first."""
    found = tracking.client.search_model_versions(f"name = '{tracking.model}'")
    return sorted((as_version(version) for version in found), key=lambda version: -version.number)


def find_version(tracking: Tracking, number: int) -> Version:
    """Return one registered version.

    Raises
    ------
    NotFound : when there is no such version
    """
    for version in find_versions(tracking):
        if version.number == number:
            return version
    raise NotFound(f"the model {tracking.model} has no version {number}", "see `headwater ui` for its versions")


def find_champion(tracking: Tracking) -> Version | None:
    """Return the version that the alias names now; None when no version is champion."""
    found = tracking.client.search_registered_models(f"name = '{tracking.model}'")
    number = found[0].aliases.get(CHAMPION) if found else None
    return None if number is None else find_version(tracking, int(number))


def set_champion(tracking: Tracking, number: int) -> None:
    """Move the alias ``champion`` to a version."""
    tracking.client.set_registered_model_alias(tracking.model, CHAMPION, str(number))


def tag_version(tracking: Tracking, number: int, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        tracking.client.set_model_version_tag(tracking.model, str(number), name, value)


def as_version(version: ModelVersion) -> Version:
    """Return what MLflow says of a version."""
    return Version(int(version.version), str(version.run_id), dict(version.tags))
