"""The trace of a model's version: the run that made it, and each table that it was trained on with its sources."""

from dataclasses import dataclass
from typing import Any

from conf.model import ModelDeclaration
from pipelines.delta.lake import LakeTables
from pipelines.reading.table_trace import TableTrace, trace_table
from training.dataset.description import SPEC_DOCUMENT
from training.registry.runs import AIRFLOW_TAG, RUN_TAG
from training.registry.tracking import open_tracking, read_document
from training.registry.versions import find_champion, find_version

SHOWN_TAGS = (RUN_TAG, AIRFLOW_TAG, "airflow.task", "airflow.try", "git_commit", "as_of", "split_at", "gate.reason")


@dataclass(frozen=True)
class ModelTrace:
    """One version: the MLflow run that made it, some of its tags as ``facts``, and the trace of each table read."""

    model: str
    version: int
    is_champion: bool
    run_id: str
    facts: dict[str, str]
    training_set_hash: str
    tables: tuple[TableTrace, ...]


def trace_version(lake: LakeTables, model: ModelDeclaration, number: int) -> ModelTrace:
    """Trace a registered version back to its run, its tables and their sources.

    Raises
    ------
    NotFound : when there is no such version, or a table's log no longer reaches so far back
    """
    tracking = open_tracking(lake.settings, model)
    version, champion = find_version(tracking, number), find_champion(tracking)
    document: dict[str, Any] = read_document(tracking, version.run_id, SPEC_DOCUMENT)
    return ModelTrace(
        model.name,
        number,
        champion is not None and champion.number == number,
        version.run_id,
        {name: version.tags[name] for name in SHOWN_TAGS if name in version.tags},
        document["content_hash"],
        tuple(trace_table(lake, pin["layer"], pin["name"], pin["version"]) for pin in document["tables"]),
    )
