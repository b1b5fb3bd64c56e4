"""A training run in MLflow from its beginning to its end, and the runs whose process died before it could end them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipelines.runtime.run_facts import RunFacts
from training.dataset.pins import TablePin
from training.registry.process import is_alive, this_process
from training.registry.tracking import Tracking, log_tables, log_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROCESS_TAG = "process"
AIRFLOW_TAG, RUN_TAG = "airflow.run", "headwater.run"


@dataclass(frozen=True)
class RunRecord:
    """Everything logged to a run, apart from its model. ``documents`` (JSON) and ``figures`` are named by path."""

    tags: Mapping[str, str]
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tables: Sequence[TablePin] = ()
    documents: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, "Figure"] = field(default_factory=dict)


def maker_tags(run: RunFacts) -> dict[str, str]:
    """Return the tags that say which job made a run or a version, and under Airflow which try of which task."""
    tags = {RUN_TAG: run.run}
    if run.dag_run is not None:
        tags[AIRFLOW_TAG] = f"{run.dag}/{run.dag_run}"
        tags |= {"airflow.task": str(run.task), "airflow.try": str(run.try_number)}
    return tags


def mark_dead_runs(tracking: Tracking) -> list[str]:
    """Mark as KILLED the runs whose process is gone, and return their ids."""
    running = tracking.client.search_runs([tracking.experiment_id], "attributes.status = 'RUNNING'")
    now = int(time.time() * 1000)
    dead = [
        run.info.run_id
        for run in running
        if not is_alive(run.data.tags.get(PROCESS_TAG, ""), timedelta(milliseconds=now - run.info.start_time))
    ]
    for run_id in dead:
        tracking.client.set_terminated(run_id, "KILLED")
    return dead


@contextmanager
def hold_run(tracking: Tracking, record: RunRecord) -> Iterator[str]:
    """Begin a run, log its record, yield its id. The run is FINISHED after the body, or FAILED when the body raises."""
    tags = {**record.tags, PROCESS_TAG: this_process()}
    run_id = str(tracking.client.create_run(tracking.experiment_id, tags=tags).info.run_id)
    try:
        log_values(tracking, run_id, params=record.params, metrics=record.metrics)
        log_tables(tracking, run_id, record.tables)
        for path, document in record.documents.items():
            tracking.client.log_dict(run_id, dict(document), path)
        for path, figure in record.figures.items():
            tracking.client.log_figure(run_id, figure, path)
        yield run_id
    except BaseException:
        tracking.client.set_terminated(run_id, "FAILED")
        raise
    tracking.client.set_terminated(run_id, "FINISHED")


def read_metrics(tracking: Tracking, run_id: str) -> dict[str, float]:
    """Read the newest value of each metric of a run."""
    return dict(tracking.client.get_run(run_id).data.metrics)
