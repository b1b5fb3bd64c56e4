"""Who runs a job: the facts that every commit, journal row and MLflow run of the job carries."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
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
        started_at = format_instant(datetime.now(UTC).replace(microsecond=0))
        facts = {"run": uuid.uuid4().hex, "job": job, "code": code_version(), "started_at": started_at}
        return cls.from_json({**facts, **airflow_facts()})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read the facts as ``as_json`` wrote them. Other keys are ignored; a missing required fact is a KeyError."""
        started_at = parse_instant(content["started_at"])
        optional = {name: content.get(name) for name in ("spark_app", "dag", "dag_run", "task")}
        try_number = int(content["try"]) if "try" in content else None
        return cls(content["run"], content["job"], content["code"], started_at, **optional, try_number=try_number)

    def as_json(self) -> dict[str, str]:
        """Return the facts that are known, as text. The try is called ``try``, as in Airflow."""
        facts = {**vars(self), "started_at": format_instant(self.started_at)}
        facts["try"] = facts.pop("try_number")
        return {name: str(value) for name, value in facts.items() if value is not None}
