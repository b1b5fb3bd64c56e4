"""Parses the DAGs as Airflow's processor does, in a process of its own, and prints what a test wants to know."""

import json
import os
import sys
import time
from copy import copy

import airflow.sdk  # noqa: F401 (what is loaded before the clock starts)
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException


def main() -> None:
    os.environ.pop("AIRFLOW_CONN_SPARK_DEFAULT", None)
    loaded = set(sys.modules)
    started = time.process_time()
    from dags import incremental_load, maintenance, retrain

    seconds = time.process_time() - started
    found = [incremental_load.dag, maintenance.dag, *(v for v in vars(retrain).values() if hasattr(v, "task_dict"))]
    dags = {dag.dag_id: dag for dag in found}
    for dag in dags.values():
        dag.check_cycle() if hasattr(dag, "check_cycle") else dag.topological_sort()
    document = {
        "seconds": seconds,
        "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - loaded}),
        "dags": {
            dag_id: {
                "max_active_runs": dag.max_active_runs,
                "tags": sorted(dag.tags),
                "doc_md": dag.doc_md,
                "timetable": type(dag.timetable).__name__,
                "tasks": {
                    task.task_id: {
                        "is_spark_submit": isinstance(task, SparkSubmitOperator),
                        "words": task.application_args,
                        "application": task.application,
                        "without_connection": end_of(task),
                        "pool": task.pool,
                        "retries": task.retries,
                        "timeout": task.execution_timeout.total_seconds(),
                        "is_backing_off": bool(task.retry_exponential_backoff),
                        "pushes_xcom": task.do_xcom_push,
                        "has_callback": bool(task.on_failure_callback),
                        "outlets": [outlet.name for outlet in task.outlets],
                        "upstream": sorted(task.upstream_task_ids),
                        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                        "owner": task.owner,
                    }
                    for task in dag.tasks
                },
            }
            for dag_id, dag in dags.items()
        },
    }
    os.environ["AIRFLOW_CONN_SPARK_DEFAULT"] = json.dumps({"conn_type": "spark", "host": "local[1]"})
    maintain = dags["maintenance"].get_task("maintain")
    document["ends"] = {code: end_of(maintain, code) for code in ("0", "1", "2", "99", "killed")}
    sys.stdout.write(json.dumps(document))


def end_of(task: SparkSubmitOperator, *words: str) -> str:
    """Run the task with other arguments, and return how it ended."""
    task = copy(task)  # a task keeps the command that it has run once
    task.application_args = list(words)
    try:
        task.execute({})
    except AirflowException as error:
        return f"{type(error).__name__}: {error}"
    return "done"


if __name__ == "__main__":
    main()
