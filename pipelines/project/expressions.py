"""The Spark SQL expressions of a project, each analysed on an empty frame of the columns it may use.

So a wrong name or type is found before any data is read. No Spark job runs.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from conf.contract import INGESTION, Contract
from conf.errors import HeadwaterError, Problem
from conf.model import ModelDeclaration
from features.definitions import FeatureView
from pipelines.landing.delivery import delivered_at
from pipelines.project.project import Project
from pipelines.silver.type_rows import map_column

FORBIDDEN = re.compile(
    r"(?i)\b(java_method|reflect|try_reflect|rand|randn|random|uuid|now|current_timestamp|current_date|localtimestamp"
    r"|curdate|input_file_name|monotonically_increasing_id|spark_partition_id|shuffle|select)\b\s*(\(|\b)"
)


def find_mistakes(spark: SparkSession, project: Project) -> list[Problem]:
    """Return every expression that does not parse, names an unknown column, or has the wrong type."""
    problems = [p for contract in project.contracts.values() for p in _contract_mistakes(spark, contract)]
    problems += [p for view in project.views.values() for p in _view_mistakes(spark, project, view)]
    problems += [p for model in project.models.values() for p in _model_mistakes(spark, project, model)]
    return problems


def _contract_mistakes(spark: SparkSession, contract: Contract) -> Iterator[Problem]:
    file = f"conf/tables/{contract.name}.yml"
    raw = {name.lower() for name in contract.raw_names}
    yield from _delivery_mistakes(contract, file)
    frame = _empty(spark, dict.fromkeys(contract.raw_names, "string"))
    for name, values in contract.maps.items():
        frame = frame.withColumn(name, map_column(values))
    for column in contract.columns:
        key = f"columns.{column.name}"
        found = _analyse(frame, column.expr)
        if isinstance(found, str):
            yield _problem(file, key, column.expr, found)
        elif isinstance(_analyse(frame, column.expr, column.type), str):
            yield Problem(file, key, f"a {found.simpleString()} cannot be cast to {column.type}: {column.expr}", "")
        if column.name.lower() not in raw:
            frame = frame.withColumn(column.name, F.lit(None).cast(column.type))
    typed = _empty(spark, {column.name: column.type for column in contract.columns})
    for rule in contract.expectations:
        yield from _expect(typed, rule.expr, "boolean", file, f"expectations.{rule.name}")


def _delivery_mistakes(contract: Contract, file: str) -> Iterator[Problem]:
    pattern = contract.landing.delivered
    if pattern == INGESTION:
        return
    try:
        delivered_at(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC).strftime(pattern.replace("*", "x")), pattern)
    except HeadwaterError as error:
        yield Problem(file, "landing.delivered", error.what, error.hint)


def _view_mistakes(spark: SparkSession, project: Project, view: FeatureView) -> Iterator[Problem]:
    contract = project.contracts.get(view.source)
    if view.where and contract is not None:
        yield from _expect(_silver(spark, contract), view.where, "boolean", "features/", f"{view.name}.where")


def _model_mistakes(spark: SparkSession, project: Project, model: ModelDeclaration) -> Iterator[Problem]:
    file = f"conf/models/{model.name}.yml"
    spine, label = project.contracts.get(model.spine.table), project.contracts.get(model.label.table)
    if spine is not None:
        frame = _silver(spark, spine)
        yield from _expect(frame, model.spine.prediction_at, "timestamp", file, "spine.prediction_at")
        yield from _expect(frame, model.spine.where, "boolean", file, "spine.where")
        for name, expr in model.spine.columns.items():
            yield from _expect(frame, expr, None, file, f"spine.columns.{name}")
    if label is not None:
        frame = _silver(spark, label)
        yield from _expect(frame, model.label.expr, None, file, "label.expr")
        yield from _expect(frame, model.label.happened_at, "timestamp", file, "label.happened_at")


def _silver(spark: SparkSession, contract: Contract) -> DataFrame:
    columns = {column.name: column.type for column in contract.columns}
    return _empty(spark, {**columns, "_known_at": "timestamp"})


def _empty(spark: SparkSession, columns: Mapping[str, str]) -> DataFrame:
    return spark.createDataFrame([], ", ".join(f"`{name}` {kind}" for name, kind in columns.items()))


def _expect(frame: DataFrame, expr: str, kind: str | None, file: str, key: str) -> Iterator[Problem]:
    found = _analyse(frame, expr)
    if isinstance(found, str):
        yield _problem(file, key, expr, found)
    elif kind is not None and found.simpleString() != kind:
        yield Problem(
            file, key, f"is a {found.simpleString()}, not a {kind}: {expr}", f"write an expression of type {kind}"
        )


def _analyse(frame: DataFrame, expr: str, kind: str | None = None) -> DataType | str:
    """Return the expression's type, or why it has none."""
    forbidden = FORBIDDEN.search(expr)
    if forbidden:
        return f"{forbidden[1]} is not allowed: an expression reads its row, and neither clock, chance nor files"
    try:
        value = F.expr(expr) if kind is None else F.expr(expr).try_cast(kind)
        return frame.select("*", value.alias("_analysed")).schema["_analysed"].dataType
    except (AnalysisException, ParseException) as error:
        return re.sub(r" SQLSTATE: \w+", "", str(error).strip().splitlines()[0])


def _problem(file: str, key: str, expr: str, reason: str) -> Problem:
    suggested = re.search(r"Did you mean one of the following\? \[(.*?)\]", reason)
    hint = f"did you mean one of {suggested[1]}?" if suggested else "mend the expression"
    return Problem(file, key, f"{reason.split(' Did you mean')[0]} (in: {expr})", hint)
