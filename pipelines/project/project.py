"""A project: its settings, contracts, feature views, services and models, read once and frozen.

A project is a directory with ``conf/`` and ``features/<domain>/*.py``. Definitions are loaded by path under a private
module name; nothing of the project's goes on ``sys.path``.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from conf.contract import Contract
from conf.errors import ConfigError, HeadwaterError, Problem, UsageError, did_you_mean
from conf.model import ModelDeclaration
from conf.settings import Settings, load_settings
from conf.yaml_file import Declared, build, read_yaml
from features.definitions import FeatureService, FeatureView

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
        return _named("table", name, self.contracts)

    def view(self, name: str) -> FeatureView:
        return _named("feature view", name, self.views)

    def service(self, name: str) -> FeatureService:
        return _named("feature service", name, self.services)

    def model(self, name: str) -> ModelDeclaration:
        return _named("model", name, self.models)


def load_project(directory: Path, env: str) -> Project:
    """Read a project's declarations; what one of them says of another is checked by ``validate``.

    Raises
    ------
    ConfigError : with every mistake in settings, contracts, models and definitions
    """
    problems: list[Problem] = []
    settings = _collect(problems, partial(load_settings, directory, env))
    contracts = _declared(directory / "conf" / "tables", Contract, problems)
    models = _declared(directory / "conf" / "models", ModelDeclaration, problems)
    views: dict[str, FeatureView] = {}
    services: dict[str, FeatureService] = {}
    for path in sorted((directory / "features").glob("*/*.py")):
        objects = _collect(problems, partial(_load_definitions, path)) or []
        _keep(views, [thing for thing in objects if isinstance(thing, FeatureView)], path, problems)
        _keep(services, [thing for thing in objects if isinstance(thing, FeatureService)], path, problems)
    if problems or settings is None:
        raise ConfigError(problems)
    return Project(settings, contracts, views, services, models)


def check(project: Project) -> None:
    """Check what the declarations say of each other by name.

    Raises
    ------
    ConfigError : with every source, service, column or key that does not exist
    """
    problems = [problem for view in project.views.values() for problem in _view_problems(project, view)]
    problems += [problem for model in project.models.values() for problem in _model_problems(project, model)]
    for service in project.services.values():
        problems += [
            Problem(
                "features/", f"{service.name}.{view.name}", "is not a declared feature view", "define it at top level"
            )
            for view in service.features
            if project.views.get(view.name) != view
        ]
    if problems:
        raise ConfigError(problems)


def _view_problems(project: Project, view: FeatureView) -> Iterable[Problem]:
    where = f"feature view {view.name}"
    contract = project.contracts.get(view.source)
    if contract is None:
        hint = did_you_mean(view.source, list(project.contracts))
        yield Problem("features/", where, f"its source {view.source} is not a table", hint)
        return
    columns = contract.column_names
    wanted = [*view.entity.join_keys, *view.value_columns, *([view.event_at] if view.event_at else [])]
    for name in dict.fromkeys(wanted):
        if name not in columns:
            hint = did_you_mean(name, list(columns))
            yield Problem("features/", where, f"the column {name} does not exist in {view.source}", hint)
    for key in view.entity.join_keys:
        if key in columns and contract.type_of(key) == "double":
            yield Problem("features/", where, f"the join key {key} is a double", "a join key is never a float")
    if view.event_at in columns and contract.type_of(str(view.event_at)) != "timestamp":
        yield Problem("features/", where, f"event_at: {view.event_at} is not a timestamp", "name a timestamp column")
    numeric = ("int", "bigint", "double", "decimal")
    for aggregation in view.aggregations:
        if aggregation.column in columns and aggregation.function in ("sum", "mean"):
            kind = contract.type_of(aggregation.column)
            if not kind.startswith(numeric):
                message = f"{aggregation.function} of {aggregation.column}, which is a {kind}"
                yield Problem("features/", where, message, "sum and mean need a number")


def _model_problems(project: Project, model: ModelDeclaration) -> Iterable[Problem]:
    file = f"conf/models/{model.name}.yml"
    for key, table in {"spine.table": model.spine.table, "label.table": model.label.table}.items():
        contract = project.contracts.get(table)
        if contract is None:
            yield Problem(file, key, f"{table} is not a table", did_you_mean(table, list(project.contracts)))
            continue
        for name in model.spine.key:
            if name not in contract.column_names:
                hint = did_you_mean(name, list(contract.column_names))
                yield Problem(file, "spine.key", f"the column {name} does not exist in {table}", hint)
    service = project.services.get(model.features)
    spine = project.contracts.get(model.spine.table)
    if service is None:
        hint = did_you_mean(model.features, list(project.services))
        yield Problem(file, "features", f"{model.features} is not a feature service", hint)
    elif spine is not None:
        known = {*spine.column_names, *model.spine.columns}
        for view in service.features:
            for name in view.entity.join_keys:
                if name not in known:
                    message = f"the join key {name} of {view.name} is neither in {spine.name} nor in spine.columns"
                    yield Problem(file, "spine.columns", message, f"add `{name}: <expression>`")


def _named(kind: str, name: str, known: Mapping[str, Thing]) -> Thing:
    if name not in known:
        raise UsageError(f"there is no {kind} {name!r}", did_you_mean(name, list(known)))
    return known[name]


def _collect(problems: list[Problem], read: Callable[[], Thing]) -> Thing | None:
    try:
        return read()
    except ConfigError as error:
        problems.extend(error.problems)
        return None


def _declared(folder: Path, kind: type[Declaration], problems: list[Problem]) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for path in sorted(folder.glob("*.yml")):
        thing = _collect(problems, partial(_read_declaration, path, kind))
        if thing is not None:
            found[path.stem] = thing
    return found


def _read_declaration(path: Path, kind: type[Declaration]) -> Declaration:
    content = read_yaml(path)
    if content.get("name", path.stem) != path.stem:
        raise ConfigError([Problem(str(path), "name", "differs from the file's name", "remove it")])
    return build(kind, {**content, "name": path.stem}, str(path))


def _load_definitions(path: Path) -> list[object]:
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(f"_headwater_definitions_{digest}", path)
    if spec is None or spec.loader is None:
        raise ConfigError([Problem(str(path), "", "cannot be loaded", "is it a Python file?")])
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except HeadwaterError:
        raise
    except Exception as error:
        line = _line_in(path, error)
        raise ConfigError([Problem(f"{path}{line}", "", f"{type(error).__name__}: {error}", "mend it")]) from error
    return list(vars(module).values())


def _line_in(path: Path, error: Exception) -> str:
    trace, line = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def _keep(found: dict[str, Thing], things: Sequence[Thing], path: Path, problems: list[Problem]) -> None:
    for thing in things:
        name = str(thing.name)  # type: ignore[attr-defined]
        if found.setdefault(name, thing) != thing:
            problems.append(Problem(str(path), name, "another definition has the same name", "rename one of them"))
