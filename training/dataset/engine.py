"""Which engine makes a training set: this process, where it fits into memory, or Spark. Both make the same rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from conf.errors import UsageError
from conf.instants import instant_to_micros
from training.dataset.columns import BETWEEN, FATE, LABEL_KNOWN_AT, PARTS
from training.dataset.pins import TablePin
from training.dataset.rows import TrainingRows
from training.dataset.spec import TrainingSetSpec
from training.model_job import ModelJob


class Engine(StrEnum):
    """The engines: ``local`` is this process (Polars), ``spark`` a Spark session."""

    LOCAL = "local"
    SPARK = "spark"


@dataclass(frozen=True)
class Choice:
    """An engine, and why it was chosen."""

    engine: Engine
    reason: str

    def __str__(self) -> str:
        return f"engine {self.engine}: {self.reason}"


def choose_engine(job: ModelJob, spec: TrainingSetSpec) -> Choice:
    """Choose what makes a training set.

    Raises
    ------
    UsageError : when the setting ``engine`` is ``local`` and an expression of the model is left to Spark
    """
    from training.dataset.local.training_set import translate_model

    return choose_for(job, spec.tables, partial(translate_model, job, spec))


def choose_for(job: ModelJob, tables: Sequence[TablePin], translate: Callable[[], object]) -> Choice:
    """Choose by the setting ``engine``; ``auto`` takes this process where it can do the work.

    Parameters
    ----------
    tables : what is to be read
    translate : translates the expressions that this process would have to compute

    Raises
    ------
    UsageError : when the setting is ``local`` and an expression is left to Spark
    """
    from features.local.values import NotLocal

    settings = job.project.settings
    try:
        translate()
    except NotLocal as reason:
        if settings.engine == "local":
            raise UsageError(f"{job.model} cannot be computed in this process: {reason}", "use --engine auto") from None
        return Choice(Engine.SPARK, str(reason))
    if settings.engine != "auto":
        return Choice(Engine(settings.engine), "asked for")
    size_mb = sum(job.lake.size(pin.layer, pin.name, pin.version) for pin in tables) / 1e6
    to_read = f"{size_mb:.1f} MB of Parquet to read"
    if size_mb <= settings.local_limit_mb:
        return Choice(Engine.LOCAL, to_read)
    return Choice(Engine.SPARK, f"{to_read}, more than local_limit_mb: {settings.local_limit_mb}")


def make_training_rows(job: ModelJob, spec: TrainingSetSpec) -> TrainingRows:
    """Make the training and holdout rows of a spec, in memory.

    Raises
    ------
    GrainError : when a table repeats a key, or the point-in-time join has lost or repeated rows
    """
    if choose_engine(job, spec).engine is Engine.LOCAL:
        from training.dataset.local.training_set import make_rows

        return make_rows(job, spec)
    from training.dataset.spark.training_set import collect_rows, open_training_set

    with open_training_set(job, spec) as training_set:
        return collect_rows(job, training_set)


def count_labels_known_since(job: ModelJob, spec: TrainingSetSpec, since: datetime) -> int:
    """Count the rows that a training by ``spec`` could use, and one as of ``since`` could not."""
    usable = (*PARTS, BETWEEN)
    if choose_engine(job, spec).engine is Engine.LOCAL:
        from training.dataset.local.training_set import make_labelled

        labelled = make_labelled(job, spec)
        known = labelled.filter(labelled[FATE].is_in(usable))[LABEL_KNOWN_AT]
        return int((known > since).sum())
    from pyspark.sql import functions as F

    from training.dataset.spark.training_set import build_labelled

    spark_labelled = build_labelled(job, spec)
    is_new = F.unix_micros(LABEL_KNOWN_AT) > instant_to_micros(since)
    return int(spark_labelled.where(F.col(FATE).isin(*usable) & is_new).count())
