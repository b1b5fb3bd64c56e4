"""Make the DAGs and their tasks from a project's settings. Reads conf/ only: no table, no MLflow store."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset

from conf.settings import ROOT, Settings, airflow_variables, env_name, find_project, load_settings, project_variables
from dags.submit import HeadwaterSubmitOperator

JOB = ROOT / "headwater" / "submit" / "job.py"
CONNECTION = "spark_default"
GOLD = Asset("headwater://gold")
INTERVAL_END = "{% if data_interval_end is defined and data_interval_end %}{{ data_interval_end | ts }}{% endif %}"
THIS_RUN = "{{ dag.dag_id }}/{{ run_id }}"


@dataclass(frozen=True)
class Deployment:
    """A project in one environment, and the names of its models."""

    settings: Settings
    models: tuple[str, ...]

    def dag(self, dag_id: str, doc_md: str, **when: Any) -> DAG:
        """Make a DAG of which one run at a time is active; ``when`` holds Airflow's arguments for its schedule."""
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
        """Make a task that runs ``headwater WORDS``. All tasks share a pool with one slot, so one runs at a time."""
        python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
        loopback = {"SPARK_LOCAL_IP": "127.0.0.1"} if self.settings.spark.is_local else {}
        return HeadwaterSubmitOperator(
            settings=self.settings,
            task_id=task_id,
            application=str(JOB),
            application_args=list(words),
            connection=CONNECTION,
            name=f"headwater {words[0]}",
            pool=self.settings.airflow.pool,
            env_vars={**python, **loopback, **project_variables(self.settings), **airflow_variables()},
            do_xcom_push=False,
            durable=False,
            doc_md=f"`headwater {' '.join(words)}`",
            **options,
        )

    @property
    def wait(self) -> str:
        """The option that lets a command wait while a command outside Airflow writes to the lake."""
        return f"--wait={self.settings.airflow.lease_wait.total_seconds():.0f}"

    def named(self, name: str, model: str) -> str:
        """Return ``name`` when the project has one model, and ``<name>_<model>`` when it has several."""
        return name if len(self.models) == 1 else f"{name}_{model}"


def read_deployment() -> Deployment:
    """Read the project that HEADWATER_PROJECT names, else the one in which this file lies."""
    project = find_project(None, start=Path(__file__).parent)
    settings = load_settings(project, env_name(None))
    return Deployment(settings, tuple(sorted(path.stem for path in (project / "conf" / "models").glob("*.yml"))))


def explain_failure(context: Any) -> None:
    """Write into the task's log what failed, why, and which command tells more."""
    task, run = context["ti"], context["run_id"]
    logging.getLogger("headwater").error(
        "headwater: task %s of %s / %s failed for good at try %s: %s\n"
        "  → look further: headwater query \"select * from ops.runs where dag_run = '%s'\"",
        task.task_id, task.dag_id, run, task.try_number, context.get("exception"), run,
    )  # fmt: skip
