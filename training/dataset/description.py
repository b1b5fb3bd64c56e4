"""What can be said of a training set as a whole: its content hash, its description as JSON, a copy of its rows."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import GrainError
from conf.instants import format_instant
from training.dataset.labels import FATE, LABEL, LABEL_KNOWN_AT
from training.dataset.training_set import TrainingSet
from training.model_job import ModelJob

ROW_HASH = "_row_hash"
SPEC_DOCUMENT = "training_set/spec.json"


def build_hashed(training_set: TrainingSet) -> DataFrame:
    """Add ``_row_hash`` to the rows, lazily. NULLs are hashed too, so a value cannot move to another column unseen."""
    columns = [name for name in training_set.frame.columns if name != LABEL_KNOWN_AT]
    told = [part for name in columns for part in (F.col(name).isNull(), F.col(name))]
    return training_set.frame.select("*", F.xxhash64(*told).alias(ROW_HASH))


def content_hash(row_count: int, hash_sum: int) -> str:
    """Return the hash of a set of rows, whatever their order, from their number and the sum of their hashes."""
    return f"{row_count}:{hash_sum}"


def measure_content_hash(training_set: TrainingSet) -> str:
    """Hash the training set by one Spark job.

    Raises
    ------
    GrainError : when the join has not kept the number of rows
    """
    total = F.sum(F.col(ROW_HASH).cast("decimal(38,0)"))
    counted = build_hashed(training_set).agg(F.count(F.lit(1)).alias("rows"), total.alias("total")).first()
    rows, hash_sum = (counted["rows"], counted["total"]) if counted else (0, None)
    check_row_count(training_set, rows)
    return content_hash(rows, int(hash_sum or 0))


def check_row_count(training_set: TrainingSet, rows: int) -> None:
    """Rows out = rows in.

    Raises
    ------
    GrainError
    """
    if rows != training_set.row_count:
        message = f"the point-in-time join made {rows} rows out of {training_set.row_count}"
        raise GrainError(message, "a feature table repeats its key; run `headwater materialize --full`")


def export_training_set(training_set: TrainingSet, path: str, label: str) -> None:
    """Write the training set as Parquet to a path where nothing is yet."""
    renamed = {LABEL: label, LABEL_KNOWN_AT: "label_known_at", FATE: "part"}
    training_set.frame.withColumnsRenamed(renamed).write.mode("errorifexists").parquet(path)


def describe_training_set(job: ModelJob, training_set: TrainingSet, content: str) -> dict[str, Any]:
    """Describe a training set as JSON: what is asked, what was read, which rows, and their hash."""
    bounds = training_set.spec.bounds
    instants = ("as_of", "split_at", "train_until", "holdout_until")
    return {
        "model": job.model,
        **{name: format_instant(getattr(bounds, name)) for name in instants},
        "label_clock": format_instant(training_set.spec.label_clock),
        "tables": [pin.as_json() for pin in training_set.spec.tables],
        "feature_service": job.service.name,
        "fingerprints": job.fingerprints,
        "inputs": dict(training_set.inputs.kinds),
        "rows": dict(training_set.rows),
        "content_hash": content,
        "declaration": job.declaration.model_dump(mode="json"),
    }
