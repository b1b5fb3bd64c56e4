"""The facts of a run, as JSON and back."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conf.settings import AIRFLOW_FACTS
from pipelines.runtime.run_facts import RunFacts

LOCAL = RunFacts("r1", "load bronze", "1.0+abc", datetime(2024, 1, 2, 3, tzinfo=UTC))
FULL = replace(LOCAL, spark_app="local-1", dag="daily", dag_run="manual__1", task="bronze", try_number=2)
LOCAL_JSON = {"run": "r1", "job": "load bronze", "code": "1.0+abc", "started_at": "2024-01-02T03:00:00Z"}
TASK = {"dag": "daily", "dag_run": "manual__1", "task": "bronze", "try": "2"}


@pytest.mark.parametrize(
    ("facts", "as_json"), [(LOCAL, LOCAL_JSON), (FULL, {**LOCAL_JSON, **TASK, "spark_app": "local-1"})]
)
def test_facts_are_the_same_after_a_round_trip(facts: RunFacts, as_json: dict[str, str]) -> None:
    assert facts.as_json() == as_json
    assert RunFacts.from_json({**as_json, "table": "orders"}) == facts
    with pytest.raises(KeyError, match="code"):
        RunFacts.from_json({name: value for name, value in as_json.items() if name != "code"})


def test_a_run_knows_its_task_under_airflow_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in AIRFLOW_FACTS.values():
        monkeypatch.delenv(variable, raising=False)
    assert RunFacts.begin("load").as_json().keys() == LOCAL_JSON.keys()
    for fact, variable in AIRFLOW_FACTS.items():
        monkeypatch.setenv(variable, TASK[fact])
    assert RunFacts.begin("load").as_json().items() >= TASK.items()
