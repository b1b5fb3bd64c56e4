"""What is told about a training run and a model: plain objects, which ``tracking`` writes and reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from sklearn.pipeline import Pipeline

from training.dataset.pins import TablePin


@dataclass(frozen=True)
class RunRecord:
    """Everything a run says, apart from its model. ``documents`` (JSON) and ``figures`` go by artifact path."""

    tags: Mapping[str, str]
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tables: Sequence[TablePin] = ()
    documents: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class FittedModel:
    """A fitted pipeline, and rows of what it takes: the columns of ``example``, those of ``texts`` as text."""

    pipeline: Pipeline
    texts: Sequence[str]
    example: pd.DataFrame
    is_classifier: bool
    requirements: Sequence[str]


AIRFLOW_TAG, RUN_TAG = "airflow.run", "headwater.run"


def maker_tags(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that say which job a run or a version was made by, and under Airflow which task's try."""
    tags = {RUN_TAG: str(run["run"])}
    if "dag_run" in run:
        tags |= {AIRFLOW_TAG: f"{run['dag']}/{run['dag_run']}", "airflow.task": run["task"], "airflow.try": run["try"]}
    return tags


@dataclass(frozen=True)
class Version:
    """One registered version. ``tags`` are as they were when it was read."""

    number: int
    run_id: str
    tags: Mapping[str, str]
