"""The answers of a version to questions, made and written by Spark."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.instants import instant_to_micros, micros_to_instant
from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.literals import sql_literal
from pipelines.delta.merge import Target, merge_new_rows
from pipelines.delta.tables import create_table, require_columns
from training.dataset.columns import PREDICTION_AT
from training.dataset.grain import check_row_count
from training.dataset.inputs import Inputs
from training.dataset.spark.inputs import describe_inputs, input_columns
from training.dataset.spark.training_set import join_features
from training.registry.predictions import build_scores, input_kinds, predict_scores
from training.scoring.checks import check_compatible, check_numbers
from training.scoring.plan import SCORE, ScoringPlan
from training.scoring.spark.questions import open_questions

# Spark's workers take about 10 s to import a model. Below this many rows one process is faster.
IN_PROCESS_ROWS = 200_000


def answer_questions(plan: ScoringPlan, facts: Mapping[str, Any], stamp: Stamp) -> Commit:
    """Score the questions of a plan and write the scores that the table does not have.

    Parameters
    ----------
    facts : the columns that all scores of this scoring share, with their values
    """
    job = plan.job
    with open_questions(plan) as questions:
        if not questions.rows:
            return unchanged(job.lake.version("gold", plan.table))
        joined = join_features(job, plan.views or (), questions, plan.interval.as_of)
        inputs = describe_inputs(joined, job.input_names)
        check_compatible(plan, inputs)
        answers = build_answers(plan, joined, inputs, questions.rows).persist()
        try:
            check_answers(plan, answers, questions.rows)
            shared = [_literal(value).alias(name) for name, value in facts.items()]
            return _write(plan, answers.select("*", *shared), questions.span, stamp)
        finally:
            answers.unpersist()


def build_answers(plan: ScoringPlan, joined: DataFrame, inputs: Inputs, rows: int) -> DataFrame:
    """Give each row its score. Few rows are scored in this process at once, many in Spark's workers, lazily.

    Parameters
    ----------
    joined : the questions with their features
    rows : how many they are

    Returns
    -------
    grain (spine key, prediction_at); ``score`` double
    """
    spark, tracking, number = joined.sparkSession, plan.tracking, plan.version.number
    wanted = list(input_kinds(tracking, number))
    by_name = dict(zip(inputs.names, input_columns(inputs), strict=True))
    taken = [by_name[name] for name in wanted]
    if rows > IN_PROCESS_ROWS:
        return joined.select(*plan.key, build_scores(spark, tracking, number, taken).alias(SCORE))
    places = [f"_input_{n}" for n in range(len(taken))]  # an input may have the name of a key column
    columns = [column.alias(place) for column, place in zip(taken, places, strict=True)]
    table = joined.select(*plan.key, *columns).toArrow()
    asked = table.select(places).rename_columns(wanted).to_pandas()
    scores = pa.array(predict_scores(tracking, number, asked))
    return spark.createDataFrame(table.select(list(plan.key)).append_column(SCORE, scores))


def check_answers(plan: ScoringPlan, answers: DataFrame, rows: int) -> None:
    """Check that there is one answer for each of ``rows`` questions, and that each is a finite number.

    Raises
    ------
    GrainError : when there are more or fewer answers
    DataError : when an answer is not a finite number
    """
    value = F.col(SCORE)
    is_number = value.isNotNull() & ~F.isnan(value) & (F.abs(value) != float("inf"))
    found = answers.agg(F.count(F.lit(1)).alias("rows"), F.count_if(is_number).alias("numbers")).collect()[0]
    check_row_count(found["rows"], rows)
    check_numbers(plan, rows, found["numbers"])


def _write(plan: ScoringPlan, rows: DataFrame, span: tuple[int, int], stamp: Stamp) -> Commit:
    lake = plan.job.spark_lake
    path = lake.path("gold", plan.table)
    create_table(lake.spark, path, require_columns(rows.schema, ()))
    first, last = (sql_literal(micros_to_instant(micros)) for micros in span)
    bounds = [f"t.{PREDICTION_AT} >= {first} AND t.{PREDICTION_AT} <= {last}"]
    return merge_new_rows(lake.spark, Target(path, plan.grain, bounds), rows, stamp)


def _literal(value: Any) -> Column:
    if isinstance(value, datetime):
        return F.timestamp_micros(F.lit(instant_to_micros(value)))
    return F.lit(value)
