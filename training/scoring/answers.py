"""The answers of a version to questions, and the check that every question got one."""

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import DataError
from training.dataset.inputs import Inputs
from training.dataset.training_set import check_row_count
from training.registry.predictions import build_scores, input_kinds, predict_scores
from training.scoring.questions import SCORE, ScoringPlan

# Spark's workers take about 10 s to import a model. Below this many rows one process is faster.
IN_PROCESS_ROWS = 200_000


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
    by_name = dict(zip(inputs.names, inputs.columns, strict=True))
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
    if found["numbers"] != rows:
        version = f"champion v{plan.version.number} of {plan.job.model}"
        raise DataError(f"{version} gave no number for {rows - found['numbers']} rows", "train it again")
