"""What a scheduler relies on: the journal, the decision to retrain, clean data, maintenance, and the way back."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.model import Retraining
from conf.settings import AIRFLOW_FACTS
from headwater.cli import run
from pipelines import maintain
from pipelines.delta_io import read_table
from pipelines.lease import hold_lease, lease_file
from pipelines.log import live_files, table_version
from pipelines.project import load_project
from tests.energy_project import EnergyProject, make_energy
from training.retrain import Standing, judge_standing

TASK = {"dag": "incremental_load", "dag_run": "manual__1", "task": "gold", "try": "2"}


@pytest.fixture(scope="module")
def energy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> EnergyProject:
    project = make_energy(tmp_path_factory.mktemp("operations") / "energy", days=4)
    for words in (("load", "--only", "bronze"), ("load", "--only", "silver"), ("materialize",), ("train", "usage")):
        assert run([*words, "--project", str(project.folder)]) == 0
    return project


@pytest.fixture
def copied(energy: EnergyProject, tmp_path: Path) -> EnergyProject:
    """The project as it stands after its first training, to do with as a test likes."""
    shutil.copytree(energy.folder, tmp_path / "energy")
    return EnergyProject(tmp_path / "energy")


@pytest.fixture
def under_airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for fact, variable in AIRFLOW_FACTS.items():
        monkeypatch.setenv(variable, TASK[fact])
    yield


def ask(capsys: pytest.CaptureFixture[str], project: EnergyProject, *words: str, code: int = 0) -> Any:
    """Run a command in this process and return its JSON, or, where it failed, what it said."""
    capsys.readouterr()
    assert run([*words, "--project", str(project.folder), "--json"]) == code
    said = capsys.readouterr()
    return json.loads(said.out) if said.out else said.err


def journal(capsys: pytest.CaptureFixture[str], project: EnergyProject) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(capsys, project, "query", "select * from ops.runs order by started_at, ended_at")
    return found


def test_every_job_has_its_row(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    rows = journal(capsys, energy)[:4]
    assert [row["job"] for row in rows] == ["load bronze", "load silver", "materialize", "train"]
    assert {row["status"] for row in rows} == {"DONE"}
    assert {row["outcome"] for row in rows} == {"APPLIED"}
    assert rows[0]["tables"] == ["outages", "readings", "slots"]
    assert rows[3]["tables"] == ["usage"]


def test_a_failed_job_says_why(copied: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, copied, "score", "usage", "--from", "2030-01-02", "--to", "2030-01-01", code=2)
    row = journal(capsys, copied)[-1]
    assert (row["job"], row["status"]) == ("score", "FAILED")
    assert "--to 2030-01-01T00:00:00Z is after as-of" in row["reason"]


def test_a_killed_job_is_entered_by_the_next(
    spark: SparkSession, copied: EnergyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_project(copied.folder, "local").settings
    said = lease_file(settings).parent / "holder.json"
    victim = {"run": "r1", "job": "load", "code": "x", "started_at": "2024-03-01T00:00:00Z"}
    with hold_lease(spark, settings, run=victim):
        left_behind = said.read_bytes()
    assert not said.exists()
    said.write_bytes(left_behind)  # as SIGKILL leaves it
    ask(capsys, copied, "load")
    killed = next(row for row in journal(capsys, copied) if row["run"] == "r1")
    assert killed["status"] == "KILLED"
    assert "ended before the job did" in killed["reason"]


def test_who_committed_is_in_the_log_the_journal_and_on_the_version(
    copied: EnergyProject, capsys: pytest.CaptureFixture[str], under_airflow: None
) -> None:
    copied.land(5)
    for words in (("load",), ("materialize",), ("train", "usage", "--no-promote")):
        ask(capsys, copied, *words)
    newest = ask(capsys, copied, "history", "gold.meter_usage")[0]["metadata"]
    assert {name: newest[name] for name in TASK} == TASK
    row = journal(capsys, copied)[-1]
    assert (row["dag"], row["dag_run"], row["task"], row["try_number"]) == ("incremental_load", "manual__1", "gold", 2)
    gated = ask(capsys, copied, "promote", "usage", "--airflow-run", "incremental_load/manual__1")
    assert gated["version"] == 2
    said = ask(capsys, copied, "promote", "usage", "--airflow-run", "retrain/other", code=2)
    assert "no version of usage was trained by the Airflow run retrain/other" in said
    found = ask(capsys, copied, "trace", "usage", "2")
    assert found["facts"]["airflow.run"] == "incremental_load/manual__1"
    with sqlite3.connect(copied.store) as store:
        tags = store.execute("select value from tags where key = 'airflow.try'").fetchall()
    assert tags == [("2",)]


def test_back_from_a_table_to_its_files(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, energy, "trace", "gold.meter_usage", "1")
    (silver,) = found["sources"]
    assert (found["run"]["job"], silver["table"], silver["run"]["job"]) == (
        "materialize", "silver.readings", "load silver",
    )  # fmt: skip
    assert len(silver["files"]) == silver["files_through"] == 48
    assert {file["table_name"] for file in silver["files"]} == {"readings"}
    shown = capsys.readouterr()
    assert run(["trace", "gold.meter_usage", "1", "--project", str(energy.folder)]) == 0
    shown = capsys.readouterr()
    assert "48 files came with it; 48 until then" in shown.out
    assert "gold.meter_usage has no version 99" in ask(capsys, energy, "trace", "gold.meter_usage", "99", code=2)


def test_back_from_a_model_to_its_files(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, energy, "trace", "usage", "1")
    assert found["is_champion"]
    by_name = {table["table"]: table for table in found["tables"]}
    assert by_name["gold.meter_usage"]["sources"][0]["files_through"] == 48
    assert by_name["silver.slots"]["files_through"] == 6


POLICY = Retraining(min_new_rows=100, max_age="2d")
JUDGED = [
    (None, True, "no version yet"),
    (Standing(3, (), 0, timedelta(days=9)), False, "nothing that version 3 was trained on has changed"),
    (Standing(3, ("gold.x",), 100, timedelta(0)), True, "100 newly labelled rows since version 3, at least 100"),
    (Standing(3, ("gold.x",), 99, timedelta(days=2)), False, "99 newly labelled rows since version 3, fewer than 100"),
    (Standing(3, ("gold.x",), 99, timedelta(days=3)), True, "version 3 is 3d old by the data clock, more than 2d"),
]


@pytest.mark.parametrize(("standing", "is_due", "reason"), JUDGED)
def test_the_decision(standing: Standing | None, is_due: bool, reason: str) -> None:
    found = judge_standing(standing, POLICY)
    assert found[0] is is_due
    assert reason in found[1]


def test_retrain_decides_by_the_data(copied: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, copied, "retrain", "usage", "--check", "--skip-unchanged", code=99)
    copied.land(5)
    ask(capsys, copied, "load")
    ask(capsys, copied, "materialize")
    decided = ask(capsys, copied, "retrain", "usage", "--check")
    assert decided["training"] is None
    assert decided["decision"]["is_due"]
    # Three meters, a day of hours; readings come two hours at a time, so two hours of the day before too.
    assert decided["decision"]["standing"]["new_rows"] == 3 * 24
    trained = ask(capsys, copied, "retrain", "usage")
    assert trained["training"]["version"] == 2
    assert not ask(capsys, copied, "retrain", "usage")["decision"]["is_due"]
    kept = ask(capsys, copied, "query", "select is_due, version from ops.retraining order by decided_at")
    assert [(row["is_due"], row["version"]) for row in kept] == [(False, 1), (True, 1), (True, 1), (False, 2)]


def test_data_is_clean_when_every_layer_has_read_its_source(
    copied: EnergyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(capsys, copied, "clean-data", "usage") == {"model": "usage", "is_clean": True, "reasons": []}
    copied.land(5)
    ask(capsys, copied, "load", "--only", "bronze")
    assert "silver.readings has not read all of bronze.readings" in reasons(capsys, copied)
    ask(capsys, copied, "load", "--only", "silver")
    assert "gold.meter_usage has not read all of silver.readings" in reasons(capsys, copied)
    ask(capsys, copied, "materialize")
    assert reasons(capsys, copied) == []


def test_a_bad_newest_delivery_is_not_clean_until_a_good_one_follows(
    copied: EnergyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = copied.landing / "field" / "outages" / "2024-03-02" / "notes.csv"
    bad.parent.mkdir(parents=True)
    bad.write_text("town;began\nhill;never\n", encoding="utf-8")
    ask(capsys, copied, "load")
    (reason,) = reasons(capsys, copied)
    assert reason.startswith("the newest delivery of outages was refused: field/outages/2024-03-02/notes.csv")
    bad.write_text("site;began;lasted (min)\nhill;02.03.2024 08:45;3.5\n", encoding="utf-8")
    ask(capsys, copied, "load")
    ask(capsys, copied, "materialize")
    assert reasons(capsys, copied) == []


def test_a_load_that_stopped_is_not_clean(copied: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    contract = copied.folder / "conf" / "tables" / "readings.yml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("quarantine}", "fail}"), encoding="utf-8")
    bad = copied.landing / "gateway" / "readings" / "readings_20240302T0120.jsonl.gz"
    bad.with_suffix("").write_text(
        '{"site": "hill", "meterId": 1, "local_hour": "2024-03-02 06:45", "energy-kwh": -5, "revision": 0}\n',
        encoding="utf-8",
    )
    ask(capsys, copied, "load", code=1)
    found = reasons(capsys, copied)
    assert any("the last `load` FAILED" in reason and "usage_is_not_negative" in reason for reason in found)


def reasons(capsys: pytest.CaptureFixture[str], project: EnergyProject) -> list[str]:
    """Return why the data is not clean; the exit code agrees."""
    capsys.readouterr()
    code = run(["clean-data", "usage", "--project", str(project.folder), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (code == 0) is found["is_clean"]
    return list(found["reasons"])


def test_maintenance_changes_files_and_nothing_else(
    spark: SparkSession, copied: EnergyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.land(5)
    ask(capsys, copied, "load")
    ask(capsys, copied, "materialize")
    path = str(copied.tables / "silver" / "readings")
    before, rows = live_files(spark, path), sorted(map(str, read_table(spark, path).collect()))
    assert before > 1
    monkeypatch.setattr(maintain, "MANY_FILES", 2)
    done = ask(capsys, copied, "maintain")
    assert "silver.readings" in {table["table"] for table in done["compacted"]}
    assert live_files(spark, path) == 1
    assert sorted(map(str, read_table(spark, path).collect())) == rows
    gold = {view.name: table_version(spark, str(view)) for view in (copied.tables / "gold").iterdir()}
    for words in (("load",), ("materialize",), ("maintain",)):
        assert ask(capsys, copied, *words)["outcome"] == "UNCHANGED"
    assert {view.name: table_version(spark, str(view)) for view in (copied.tables / "gold").iterdir()} == gold
    assert reasons(capsys, copied) == []
    assert ask(capsys, copied, "retrain", "usage", "--check")["decision"]["is_due"]


def test_nothing_to_do_has_a_code_of_its_own(copied: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, copied, "load", "--skip-unchanged", code=99)
    ask(capsys, copied, "materialize", "--skip-unchanged", code=99)
    ask(capsys, copied, "load")
