"""A small client of Airflow's REST API: it reads DAG runs and their tasks, and starts a run."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from conf.settings import Settings
from headwater.servers.airflow_home import USER, password

FINAL = ("success", "failed")


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG. ``run_type`` is scheduled, manual, backfill or asset_triggered."""

    dag_id: str
    run_id: str
    state: str
    run_type: str


@dataclass(frozen=True)
class TaskTry:
    """A task of a DAG run, as its newest try stands."""

    task_id: str
    state: str | None
    try_number: int
    seconds: float | None


class AirflowApi:
    def __init__(self, settings: Settings) -> None:
        self._address = f"http://{settings.airflow.host}:{settings.airflow.port}"
        self._login = {"username": USER, "password": password(settings)}
        self._token = ""

    def is_up(self) -> bool:
        """Tell whether the server answers, and its scheduler and DAG processor are healthy."""
        try:
            health = self._ask("GET", "/api/v2/monitor/health")
            if not self._token:
                self._token = self._ask("POST", "/auth/token", self._login)["access_token"]
        except (urllib.error.URLError, OSError, ValueError):
            return False
        return all((health.get(part) or {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether the DAG has been parsed."""
        try:
            self._ask("GET", f"/api/v2/dags/{dag_id}")
        except urllib.error.HTTPError:
            return False
        return True

    def runs(self, dag_id: str) -> list[DagRun]:
        """Return the runs of a DAG, oldest first."""
        found = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=id&limit=100")["dag_runs"]
        return [DagRun(run["dag_id"], run["dag_run_id"], run["state"], run["run_type"]) for run in found]

    def tasks(self, run: DagRun) -> list[TaskTry]:
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{urllib.parse.quote(run.run_id)}/taskInstances"
        found = self._ask("GET", path)["task_instances"]
        return [TaskTry(task["task_id"], task["state"], task["try_number"], task["duration"]) for task in found]

    def unpause(self, dag_id: str) -> None:
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str) -> str:
        """Start a run without a logical date, as by hand, and return its id."""
        return str(self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._address + path, data, headers, method=method)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
