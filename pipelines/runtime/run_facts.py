"""Who runs a job: the facts that every commit, journal row and MLflow run of the job carries."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from conf.instants import format_instant, parse_instant
from conf.settings import airflow_facts
from pipelines.runtime.code_version import code_version


@dataclass(frozen=True)
class RunFacts:
    """One run of one job. The last four facts are known only under Airflow.

    Parameters
    ----------
    run : a random id
    job : the command, such as ``load bronze``
    code : the engine's version and commit
    spark_app : Spark's own id of the application
    """

    run: str
    job: str
    code: str
    started_at: datetime
    spark_app: str | None = None
    dag: str | None = None
    dag_run: str | None = None
    task: str | None = None
    try_number: int | None = None

    @classmethod
    def begin(cls, job: str) -> Self:
        """Describe a job that begins now in this process."""
        airflow = airflow_facts()
        started_at = datetime.now(UTC).replace(microsecond=0)
        facts = cls(uuid.uuid4().hex, job, code_version(), started_at)
        if not airflow:
            return facts
        return replace(
            facts, dag=airflow["dag"], dag_run=airflow["dag_run"], task=airflow["task"], try_number=int(airflow["try"])
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read the facts as ``as_json`` wrote them; other keys are ignored.

        Raises
        ------
        KeyError : when a fact is missing that every job has
        """
        return cls(
            run=content["run"],
            job=content["job"],
            code=content["code"],
            started_at=parse_instant(content["started_at"]),
            spark_app=content.get("spark_app"),
            dag=content.get("dag"),
            dag_run=content.get("dag_run"),
            task=content.get("task"),
            try_number=int(content["try"]) if "try" in content else None,
        )

    def as_json(self) -> dict[str, str]:
        """Return the facts that are known, as text."""
        facts = {
            "run": self.run,
            "job": self.job,
            "code": self.code,
            "started_at": format_instant(self.started_at),
            "spark_app": self.spark_app,
            "dag": self.dag,
            "dag_run": self.dag_run,
            "task": self.task,
            "try": None if self.try_number is None else str(self.try_number),
        }
        return {name: value for name, value in facts.items() if value is not None}
