"""A training run from its opening to its end, and the runs whose process did not live to end them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from training.registry.process import is_alive, this_process
from training.registry.run_record import RunRecord
from training.registry.tracking import Tracking, log_tables, log_values

PROCESS_TAG = "process"


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
    """Open a run with everything it says and yield its id; FINISHED after the body, FAILED when it raises."""
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
