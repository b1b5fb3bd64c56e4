"""Checks of a project's Spark SQL expressions: Spark analyses each on an empty frame of the columns that it may use.

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
from pipelines.landing.delivery import delivered_at
from pipelines.project.project import Project
from pipelines.silver.type_rows import map_column

# Functions whose value depends on the clock, on chance, on files or on Java; and SELECT, which reads other rows.
FORBIDDEN = re.compile(
    r"(?i)\b(java_method|reflect|try_reflect|rand|randn|random|uuid|now|current_timestamp|current_date|localtimestamp"
    r"|curdate|input_file_name|monotonically_increasing_id|spark_partition_id|shuffle|select)\b\s*(\(|\b)"
)


def find_mistakes(spark: SparkSession, project: Project) -> list[Problem]:
    """Return every expression that does not parse, names an unknown column, or has the wrong type."""
    problems = [p for contract in project.contracts.values() for p in _contract_mistakes(spark, contract)]
    for view in project.views.values():
        if view.where and view.source in project.contracts:
            frame = _empty_silver(spark, project.contracts[view.source])
            problems += _check(frame, view.where, "boolean", "features/", f"{view.name}.where")
    return problems + [p for model in project.models.values() for p in _model_mistakes(spark, project, model)]


def _contract_mistakes(spark: SparkSession, contract: Contract) -> Iterator[Problem]:
    file = f"conf/tables/{contract.name}.yml"
    pattern = contract.landing.delivered
    if pattern != INGESTION:
        try:  # write a path by the pattern, and read its time back
            delivered_at(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC).strftime(pattern.replace("*", "x")), pattern)
        except HeadwaterError as error:
            yield Problem(file, "landing.delivered", error.what, error.hint)
    raw = {name.lower() for name in contract.raw_names}
    frame = _empty_frame(spark, dict.fromkeys(contract.raw_names, "string"))
    for name, values in contract.maps.items():
        frame = frame.withColumn(name, map_column(values))
    for column in contract.columns:
        key = f"columns.{column.name}"
        found = _analyse(frame, column.expr)
        if isinstance(found, str):
            yield _problem(file, key, column.expr, found)
        elif isinstance(_analyse(frame, column.expr, column.type), str):
            yield Problem(file, key, f"a {found.simpleString()} cannot be cast to {column.type}: {column.expr}", "")
        if column.name.lower() not in raw:  # the expressions of later columns may use this one
            frame = frame.withColumn(column.name, F.lit(None).cast(column.type))
    typed = _empty_frame(spark, {column.name: column.type for column in contract.columns})
    for rule in contract.expectations:
        yield from _check(typed, rule.expr, "boolean", file, f"expectations.{rule.name}")


def _model_mistakes(spark: SparkSession, project: Project, model: ModelDeclaration) -> Iterator[Problem]:
    file = f"conf/models/{model.name}.yml"
    spine, label = project.contracts.get(model.spine.table), project.contracts.get(model.label.table)
    if spine is not None:
        frame = _empty_silver(spark, spine)
        yield from _check(frame, model.spine.prediction_at, "timestamp", file, "spine.prediction_at")
        yield from _check(frame, model.spine.where, "boolean", file, "spine.where")
        for name, expr in model.spine.columns.items():
            yield from _check(frame, expr, None, file, f"spine.columns.{name}")
    if label is not None:
        frame = _empty_silver(spark, label)
        yield from _check(frame, model.label.expr, None, file, "label.expr")
        yield from _check(frame, model.label.happened_at, "timestamp", file, "label.happened_at")


def _empty_silver(spark: SparkSession, contract: Contract) -> DataFrame:
    return _empty_frame(spark, {column.name: column.type for column in contract.columns} | {"_known_at": "timestamp"})


def _empty_frame(spark: SparkSession, columns: Mapping[str, str]) -> DataFrame:
    return spark.createDataFrame([], ", ".join(f"`{name}` {kind}" for name, kind in columns.items()))


def _check(frame: DataFrame, expr: str, kind: str | None, file: str, key: str) -> Iterator[Problem]:
    """Yield a problem when the expression cannot be analysed, or is not of the type that is asked for."""
    found = _analyse(frame, expr)
    if isinstance(found, str):
        yield _problem(file, key, expr, found)
    elif kind is not None and found.simpleString() != kind:
        message = f"is a {found.simpleString()}, not a {kind}: {expr}"
        yield Problem(file, key, message, f"write an expression of type {kind}")


def _analyse(frame: DataFrame, expr: str, kind: str | None = None) -> DataType | str:
    """Return the type of the expression, cast to ``kind`` if one is given; or, as text, why it has none."""
    if forbidden := FORBIDDEN.search(expr):
        return f"{forbidden[1]} is not allowed: an expression may use its row only, not the clock, chance or files"
    try:
        value = F.expr(expr) if kind is None else F.expr(expr).try_cast(kind)
        return frame.select("*", value.alias("_analysed")).schema["_analysed"].dataType
    except (AnalysisException, ParseException) as error:
        return re.sub(r" SQLSTATE: \w+", "", str(error).strip().splitlines()[0])


def _problem(file: str, key: str, expr: str, reason: str) -> Problem:
    """Return Spark's reason as a problem. Spark's suggestion of other columns becomes the hint."""
    suggested = re.search(r"Did you mean one of the following\? \[(.*?)\]", reason)
    hint = f"did you mean one of {suggested[1]}?" if suggested else "correct the expression"
    return Problem(file, key, f"{reason.split(' Did you mean')[0]} (in: {expr})", hint)
