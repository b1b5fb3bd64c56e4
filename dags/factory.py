"""The factory of the DAGs: what every DAG and every task takes from a project's conf/, and nothing about data."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset

from conf.settings import (
    ROOT,
    Settings,
    airflow_variables,
    env_name,
    find_project,
    load_settings,
    project_variables,
)
from dags.submit import HeadwaterSubmitOperator

JOB = ROOT / "headwater" / "submit" / "job.py"
CONNECTION = "spark_default"
GOLD = Asset("headwater://gold")
INTERVAL_END = "{% if data_interval_end is defined and data_interval_end %}{{ data_interval_end | ts }}{% endif %}"
THIS_RUN = "{{ dag.dag_id }}/{{ run_id }}"


@dataclass(frozen=True)
class Deployment:
    """One project in one environment, and the names of its models."""

    settings: Settings
    models: tuple[str, ...]

    def dag(self, dag_id: str, doc_md: str, **when: Any) -> DAG:
        """Make a DAG, one run of which is active at a time; ``when`` says how it is scheduled."""
        airflow = self.settings.airflow
        return DAG(
            dag_id,
            doc_md=doc_md,
            max_active_runs=1,
            tags=["headwater", self.settings.env, *airflow.tags],
            default_args={
                "owner": airflow.owner,
                "retries": airflow.retries,
                "retry_delay": airflow.retry_delay,
                "retry_exponential_backoff": True,
                "max_retry_delay": airflow.max_retry_delay,
                "execution_timeout": airflow.timeout,
                "on_failure_callback": explain_failure,
            },
            **when,
        )

    def task(self, task_id: str, *words: str, **options: Any) -> HeadwaterSubmitOperator:
        """Make a task that runs ``headwater WORDS`` under spark-submit; all tasks share the one slot of a pool."""
        return HeadwaterSubmitOperator(
            settings=self.settings,
            task_id=task_id,
            application=str(JOB),
            application_args=list(words),
            connection=CONNECTION,
            name=f"headwater {words[0]}",
            pool=self.settings.airflow.pool,
            env_vars={
                "PYSPARK_PYTHON": sys.executable,
                "PYSPARK_DRIVER_PYTHON": sys.executable,
                **({"SPARK_LOCAL_IP": "127.0.0.1"} if self.settings.spark.is_local else {}),
                **project_variables(self.settings),
                **airflow_variables(),
            },
            do_xcom_push=False,
            durable=False,
            doc_md=f"`headwater {' '.join(words)}`",
            **options,
        )

    @property
    def wait(self) -> str:
        """The option by which a task waits for a writer outside Airflow."""
        return f"--wait={self.settings.airflow.lease_wait.total_seconds():.0f}"

    def named(self, name: str, model: str) -> str:
        """Return the id of what there is one of for each model: the bare name where there is one model."""
        return name if len(self.models) == 1 else f"{name}_{model}"


def read_deployment() -> Deployment:
    """Read the project that the environment names, else the one this file lies in. Opens no table and no store."""
    project = find_project(None, start=Path(__file__).parent)
    settings = load_settings(project, env_name(None))
    return Deployment(settings, tuple(sorted(path.stem for path in (project / "conf" / "models").glob("*.yml"))))


def explain_failure(context: Any) -> None:
    """Say in the task's log what failed, why, and where to look further."""
    task, run = context["ti"], context["run_id"]
    logging.getLogger("headwater").error(
        "headwater: task %s of %s / %s failed for good at try %s: %s\n"
        "  → look further: headwater query \"select * from ops.runs where dag_run = '%s'\"",
        task.task_id, task.dag_id, run, task.try_number, context.get("exception"), run,
    )  # fmt: skip
