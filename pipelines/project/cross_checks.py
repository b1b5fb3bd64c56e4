"""Checks of the names by which declarations refer to each other: does the named thing exist, and is its type right?"""

from collections.abc import Iterator

from conf.errors import ConfigError, Problem, did_you_mean
from conf.model import ModelDeclaration
from features.definitions import FeatureView
from pipelines.project.project import Project

NUMERIC = ("int", "bigint", "double", "decimal")


def check_references(project: Project) -> None:
    """Check every name by which a view, a service or a model refers to another declaration.

    Raises
    ------
    ConfigError : with every source, service, column or key that does not exist or has the wrong type
    """
    problems = [problem for view in project.views.values() for problem in _view_problems(project, view)]
    problems += [problem for model in project.models.values() for problem in _model_problems(project, model)]
    for service in project.services.values():
        for view in service.features:
            if project.views.get(view.name) != view:
                key, message = f"{service.name}.{view.name}", "is not a declared feature view"
                problems.append(Problem("features/", key, message, "define it at top level"))
    if problems:
        raise ConfigError(problems)


def _view_problems(project: Project, view: FeatureView) -> Iterator[Problem]:
    file, key = "features/", f"feature view {view.name}"
    contract = project.contracts.get(view.source)
    if contract is None:
        hint = did_you_mean(view.source, list(project.contracts))
        yield Problem(file, key, f"its source {view.source} is not a table", hint)
        return
    columns = contract.column_names
    wanted = [*view.entity.join_keys, *view.value_columns, *([view.event_at] if view.event_at else [])]
    for name in dict.fromkeys(wanted):
        if name not in columns:
            message = f"the column {name} does not exist in {view.source}"
            yield Problem(file, key, message, did_you_mean(name, columns))
    for name in view.entity.join_keys:
        if name in columns and contract.type_of(name) == "double":
            yield Problem(file, key, f"the join key {name} is a double", "a join key is never a float")
    if view.event_at in columns and contract.type_of(str(view.event_at)) != "timestamp":
        yield Problem(file, key, f"event_at: {view.event_at} is not a timestamp", "name a timestamp column")
    for aggregation in view.aggregations:
        column, function = aggregation.column, aggregation.function
        if function in ("sum", "mean") and column in columns and not contract.type_of(column).startswith(NUMERIC):
            message = f"{function} of {column}, which is a {contract.type_of(column)}"
            yield Problem(file, key, message, "sum and mean need a number")


def _model_problems(project: Project, model: ModelDeclaration) -> Iterator[Problem]:
    file = f"conf/models/{model.name}.yml"
    for key, table in {"spine.table": model.spine.table, "label.table": model.label.table}.items():
        contract = project.contracts.get(table)
        if contract is None:
            yield Problem(file, key, f"{table} is not a table", did_you_mean(table, list(project.contracts)))
            continue
        for name in model.spine.key:
            if name not in contract.column_names:
                hint = did_you_mean(name, contract.column_names)
                yield Problem(file, "spine.key", f"the column {name} does not exist in {table}", hint)
    service, spine = project.services.get(model.features), project.contracts.get(model.spine.table)
    if service is None:
        hint = did_you_mean(model.features, list(project.services))
        yield Problem(file, "features", f"{model.features} is not a feature service", hint)
    elif spine is not None:
        for view in service.features:
            for name in view.entity.join_keys:
                if name not in spine.column_names and name not in model.spine.columns:
                    message = f"the join key {name} of {view.name} is neither in {spine.name} nor in spine.columns"
                    yield Problem(file, "spine.columns", message, f"add `{name}: <expression>`")
