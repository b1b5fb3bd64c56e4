"""A training set as a whole: its content hash, its description as JSON, and a copy of its rows as Parquet."""

from dataclasses import asdict
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.instants import format_instant
from training.dataset.labels import FATE, LABEL, LABEL_KNOWN_AT
from training.dataset.training_set import TrainingSet, check_row_count
from training.model_job import ModelJob

ROW_HASH = "_row_hash"
SPEC_DOCUMENT = "training_set/spec.json"


def build_hashed(training_set: TrainingSet) -> DataFrame:
    """Add ``_row_hash`` to the rows, lazily. It also covers which values are NULL: (1, NULL) is not (NULL, 1)."""
    columns = [name for name in training_set.frame.columns if name != LABEL_KNOWN_AT]
    hashed = [column for name in columns for column in (F.col(name).isNull(), F.col(name))]
    return training_set.frame.select("*", F.xxhash64(*hashed).alias(ROW_HASH))


def content_hash(row_count: int, hash_sum: int) -> str:
    """Make the hash of a set of rows from their number and the sum of their hashes. Their order does not matter."""
    return f"{row_count}:{hash_sum}"


def measure_content_hash(training_set: TrainingSet) -> str:
    """Compute the content hash of a training set by one Spark job.

    Raises
    ------
    GrainError : when the point-in-time join has lost or repeated rows
    """
    total = F.sum(F.col(ROW_HASH).cast("decimal(38,0)"))
    counted = build_hashed(training_set).agg(F.count(F.lit(1)).alias("rows"), total.alias("total")).collect()[0]
    check_row_count(counted["rows"], training_set.row_count)
    return content_hash(counted["rows"], int(counted["total"] or 0))


def export_training_set(training_set: TrainingSet, path: str, label: str) -> None:
    """Write a training set as Parquet to a path where nothing is yet. Its label column is then named ``label``."""
    renamed = {LABEL: label, LABEL_KNOWN_AT: "label_known_at", FATE: "part"}
    training_set.frame.withColumnsRenamed(renamed).write.mode("errorifexists").parquet(path)


def describe_training_set(job: ModelJob, training_set: TrainingSet, content: str) -> dict[str, Any]:
    """Describe a training set as JSON: the declaration, the instants, the tables read, the rows and their hash."""
    return {
        "model": job.model,
        **{name: format_instant(instant) for name, instant in asdict(training_set.spec.bounds).items()},
        "label_clock": format_instant(training_set.spec.label_clock),
        "tables": [asdict(pin) for pin in training_set.spec.tables],
        "feature_service": job.service.name,
        "fingerprints": job.fingerprints,
        "inputs": dict(training_set.inputs.kinds),
        "rows": dict(training_set.rows),
        "content_hash": content,
        "declaration": job.declaration.model_dump(mode="json"),
    }
