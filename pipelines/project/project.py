"""A project: its settings, contracts, feature views, services and models, read once and frozen.

A project is a directory with ``conf/`` and ``features/<domain>/*.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from conf.contract import Contract
from conf.errors import ConfigError, Problem, UsageError, did_you_mean
from conf.model import ModelDeclaration
from conf.settings import Settings, load_settings
from conf.yaml_file import Declared, build, read_yaml
from features.definitions import FeatureService, FeatureView
from pipelines.project.definitions import list_definition_files, load_definitions

Thing = TypeVar("Thing")
Declaration = TypeVar("Declaration", bound=Declared)


@dataclass(frozen=True)
class Project:
    """Everything a project declares, in one environment."""

    settings: Settings
    contracts: Mapping[str, Contract]
    views: Mapping[str, FeatureView]
    services: Mapping[str, FeatureService]
    models: Mapping[str, ModelDeclaration]

    def contract(self, name: str) -> Contract:
        return _find("table", name, self.contracts)

    def view(self, name: str) -> FeatureView:
        return _find("feature view", name, self.views)

    def service(self, name: str) -> FeatureService:
        return _find("feature service", name, self.services)

    def model(self, name: str) -> ModelDeclaration:
        return _find("model", name, self.models)


def load_project(directory: Path, env: str) -> Project:
    """Read a project's declarations. ``check_references`` then checks whether they fit each other.

    Raises
    ------
    ConfigError : with every mistake in settings, contracts, models and definitions
    """
    problems: list[Problem] = []
    settings: Settings | None = None
    with _collecting(problems):
        settings = load_settings(directory, env)
    contracts = _read_all(directory / "conf" / "tables", Contract, problems)
    models = _read_all(directory / "conf" / "models", ModelDeclaration, problems)
    views: dict[str, FeatureView] = {}
    services: dict[str, FeatureService] = {}
    with _collecting(problems):
        for path in list_definition_files(directory):
            with _collecting(problems):
                objects = load_definitions(path)
                _add_named(views, [thing for thing in objects if isinstance(thing, FeatureView)], path, problems)
                _add_named(services, [thing for thing in objects if isinstance(thing, FeatureService)], path, problems)
    if problems or settings is None:
        raise ConfigError(problems)
    return Project(settings, contracts, views, services, models)


def _find(kind: str, name: str, known: Mapping[str, Thing]) -> Thing:
    if name not in known:
        raise UsageError(f"there is no {kind} {name!r}", did_you_mean(name, list(known)))
    return known[name]


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a wrong declaration to the list, and go on after the body."""
    try:
        yield
    except ConfigError as error:
        problems.extend(error.problems)


def _read_all(folder: Path, kind: type[Declaration], problems: list[Problem]) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for path in sorted(folder.glob("*.yml")):
        with _collecting(problems):
            content = read_yaml(path)
            if content.get("name", path.stem) != path.stem:
                raise ConfigError([Problem(str(path), "name", "differs from the file's name", "remove it")])
            found[path.stem] = build(kind, {**content, "name": path.stem}, str(path))
    return found


def _add_named(found: dict[str, Thing], things: Sequence[Thing], path: Path, problems: list[Problem]) -> None:
    for thing in things:
        name = str(thing.name)  # type: ignore[attr-defined]
        if found.setdefault(name, thing) != thing:
            problems.append(Problem(str(path), name, "another definition has the same name", "rename one of them"))
