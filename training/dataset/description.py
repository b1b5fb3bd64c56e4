"""A training set described as JSON, and its rows written as Parquet."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conf.errors import UsageError
from conf.instants import format_instant
from training.dataset.columns import FATE, LABEL, LABEL_KNOWN_AT
from training.dataset.inputs import Inputs
from training.dataset.rows import TrainingRows
from training.dataset.spec import TrainingSetSpec
from training.model_job import ModelJob

SPEC_DOCUMENT = "training_set/spec.json"


def describe_training_set(
    job: ModelJob, spec: TrainingSetSpec, inputs: Inputs, fates: Mapping[str, int], content_hash: str
) -> dict[str, Any]:
    """Describe a training set as JSON: the declaration, the instants, the tables read, the rows and their hash."""
    return {
        "model": job.model,
        **{name: format_instant(instant) for name, instant in asdict(spec.bounds).items()},
        "label_clock": format_instant(spec.label_clock),
        "tables": [asdict(pin) for pin in spec.tables],
        "feature_service": job.service.name,
        "fingerprints": job.fingerprints,
        "inputs": dict(inputs.kinds),
        "rows": dict(fates),
        "content_hash": content_hash,
        "declaration": job.declaration.model_dump(mode="json"),
    }


def public_names(label: str) -> dict[str, str]:
    """Return the names that the columns of an exported training set have, by their own."""
    return {LABEL: label, LABEL_KNOWN_AT: "label_known_at", FATE: "part"}


def export_rows(rows: TrainingRows, folder: str, label: str) -> None:
    """Write a training set as Parquet into a folder that does not exist yet. Its label column is named ``label``.

    Raises
    ------
    UsageError : when there is something at the path already
    """
    from pyarrow import parquet

    try:
        Path(folder).mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"{folder} exists already", "name a new folder with --out") from None
    names = public_names(label)
    table = rows.table.rename_columns([names.get(name, name) for name in rows.table.column_names])
    parquet.write_table(table, Path(folder) / "part-0.parquet")
