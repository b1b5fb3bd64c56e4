"""The answers of a version to questions, made in this process and written by deltalake."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.delta.commit import Commit, Stamp
from pipelines.delta.literals import standard_literal
from pipelines.delta.local import merge_new_records
from training.dataset.columns import PREDICTION_AT
from training.dataset.inputs import Inputs
from training.dataset.local.training_set import describe_inputs, input_column, join_features
from training.registry.predictions import input_kinds, predict_scores
from training.scoring.checks import check_compatible, check_numbers
from training.scoring.plan import SCORE, ScoringPlan


def answer_questions(plan: ScoringPlan, questions: pl.DataFrame, facts: Mapping[str, Any], stamp: Stamp) -> Commit:
    """Score the questions and write the scores that the table does not have.

    Parameters
    ----------
    facts : the columns that all scores of this scoring share, with their values
    """
    joined = join_features(plan.job, plan.views or (), questions, plan.interval.as_of)
    inputs = describe_inputs(joined, plan.job)
    check_compatible(plan, inputs)
    scores = _predict(plan, joined, inputs)
    check_numbers(plan, questions.height, int(scores.is_finite().fill_null(False).sum()))
    shared = [_literal(value).alias(name) for name, value in facts.items()]
    rows = joined.select(*plan.key).with_columns(scores, *shared)
    return _write(plan, rows, stamp)


def _predict(plan: ScoringPlan, joined: pl.DataFrame, inputs: Inputs) -> pl.Series:
    wanted = list(input_kinds(plan.tracking, plan.version.number))
    columns = [input_column(joined[name], inputs.kinds[name]) for name in wanted]
    asked = pa.table({column.name: column.to_arrow() for column in columns}, schema=_schema_of(inputs, wanted))
    return pl.Series(SCORE, predict_scores(plan.tracking, plan.version.number, asked.to_pandas()))


def _schema_of(inputs: Inputs, wanted: list[str]) -> pa.Schema:
    return pa.schema([inputs.schema.field(name) for name in wanted])


def _write(plan: ScoringPlan, rows: pl.DataFrame, stamp: Stamp) -> Commit:
    lake = plan.job.lake
    first, last = (standard_literal(instant) for instant in (rows[PREDICTION_AT].min(), rows[PREDICTION_AT].max()))
    bounds = [f"t.{PREDICTION_AT} >= {first}", f"t.{PREDICTION_AT} <= {last}"]
    return merge_new_records(lake.path("gold", plan.table), lake.options, rows.to_arrow(), plan.grain, stamp, bounds)


def _literal(value: Any) -> pl.Expr:
    if isinstance(value, datetime):
        return pl.lit(value, pl.Datetime("us", "UTC"))
    return pl.lit(value, pl.Int32) if isinstance(value, int) else pl.lit(value)
