"""What the declarations say of each other by name: does it exist, and does it fit?"""

from collections.abc import Iterable

from conf.errors import ConfigError, Problem, did_you_mean
from conf.model import ModelDeclaration
from features.definitions import FeatureView
from pipelines.project.project import Project


def check_references(project: Project) -> None:
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
