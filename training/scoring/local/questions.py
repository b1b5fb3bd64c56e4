"""The questions to be scored, found in this process: spine rows whose moment has come and that have no score yet."""

from datetime import datetime

import polars as pl

from training.dataset.columns import KNOWN_AT, PREDICTION_AT, is_unique_by
from training.dataset.local.spine import is_known_too_late, make_spine, translate_spine
from training.dataset.local.training_set import check_one_row_per_key, read_pin, schema_of
from training.scoring.checks import refuse_questions
from training.scoring.plan import MODEL_VERSION, Interval, ScoringPlan


def find_questions(plan: ScoringPlan) -> pl.DataFrame:
    """Return the questions of a plan. Grain (spine key, prediction_at).

    Raises
    ------
    DataError : when a row cannot be asked; names up to three
    GrainError : when the spine has a key twice
    NotLocal : when an expression of the spine is left to Spark
    """
    job, declared = plan.job, plan.job.declaration.spine
    expressions = translate_spine(schema_of(job.lake, plan.spine), declared, job.join_keys)
    spine = make_spine(read_pin(job.lake, plan.spine, expressions.read), expressions)
    scored = _read_scored(plan)
    since = plan.interval.since or _first_prediction_at(scored)
    asked, wrong = split_questions(spine, plan.interval, since)
    if scored is not None:
        if plan.interval.since is not None:
            scored = scored.filter(pl.col(MODEL_VERSION) == plan.version.number)
        asked, wrong = (rows.join(scored, on=list(plan.key), how="anti") for rows in (asked, wrong))
    refuse_questions(plan, wrong.sort(*plan.key).head(3).to_dicts())
    if asked.height and not is_unique_by(declared.key, job.project.contract(declared.table).key):
        check_one_row_per_key(asked, declared.key, plan.spine.full_name)
    return asked.drop(KNOWN_AT)


def split_questions(
    spine: pl.DataFrame, interval: Interval, since: datetime | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take the spine rows with ``since <= prediction_at < until``.

    A row that became known after ``as_of`` does not exist yet at that instant.

    Returns
    -------
    the questions, and the rows that cannot be asked: ``prediction_at`` is NULL, or the row was known only after it
    """
    existing = spine.filter(pl.col(KNOWN_AT) <= interval.as_of)
    is_asked = pl.col(PREDICTION_AT) < interval.until
    if since is not None:
        is_asked = is_asked & (pl.col(PREDICTION_AT) >= since)
    is_wrong = pl.col(PREDICTION_AT).is_null() | (is_asked & is_known_too_late())
    return existing.filter(is_asked & ~is_known_too_late()), existing.filter(is_wrong)


def _first_prediction_at(scored: pl.DataFrame | None) -> datetime | None:
    """Return the time of the earliest question that was ever scored. Questions before it were never asked for."""
    first = None if scored is None else scored[PREDICTION_AT].min()
    return first if isinstance(first, datetime) else None


def _read_scored(plan: ScoringPlan) -> pl.DataFrame | None:
    lake = plan.job.lake
    if not lake.exists("gold", plan.table):
        return None
    scored = pl.DataFrame(pl.from_arrow(lake.rows("gold", plan.table, columns=plan.grain)))
    return scored if scored.height else None
