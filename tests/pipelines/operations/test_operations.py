"""What a scheduler relies on: the journal, the decision to retrain, clean data, maintenance, and the way back.

A test that only reads shares a lake with others; one that writes gets a copy of its own.
"""

import json
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.model import Retraining
from conf.settings import AIRFLOW_FACTS, load_settings
from headwater.cli.main import run
from pipelines.delta.lake import LakeTables
from pipelines.delta.log import table_files, table_version
from pipelines.delta.tables import read_table
from pipelines.operations import maintenance
from pipelines.operations.journal import end_run, write_journal
from pipelines.operations.lease import hold_lease, holder_file
from pipelines.operations.locks import SparkLock
from pipelines.project.project import load_project
from pipelines.runtime.run_facts import RunFacts
from tests.projects.energy_project import EnergyProject, make_energy
from training.retrain import Staleness, judge_staleness

TASK = {"dag": "incremental_load", "dag_run": "manual__1", "task": "gold", "try": "2"}


@pytest.fixture(scope="module")
def four_days(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> EnergyProject:
    """Four days, loaded stage by stage, materialized, and a champion trained on them. Only read it."""
    project = make_energy(tmp_path_factory.mktemp("four") / "energy", days=4)
    for words in (("load", "--only", "bronze"), ("load", "--only", "silver"), ("materialize",), ("train", "usage")):
        assert run([*words, "--project", str(project.folder)]) == 0
    return project


@pytest.fixture
def energy(four_days: EnergyProject, tmp_path: Path) -> EnergyProject:
    """A copy of the four days for one test."""
    return four_days.copy(tmp_path / "energy")


def ask(project: EnergyProject, *words: str, code: int = 0) -> Any:
    """Run a command in this process and return its JSON, or, where it failed, what it said."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        assert run([*words, "--project", str(project.folder), "--json"]) == code, err.getvalue()
    return json.loads(out.getvalue()) if out.getvalue() else err.getvalue()


def journal(project: EnergyProject) -> list[dict[str, Any]]:
    return list(ask(project, "query", "select * from ops.runs order by started_at, ended_at"))


def reasons(project: EnergyProject) -> list[str]:
    """Return why the data is not clean; the exit code agrees."""
    with redirect_stdout(StringIO()) as out:
        code = run(["clean-data", "usage", "--project", str(project.folder), "--json"])
    found = json.loads(out.getvalue())
    assert (code == 0) is found["is_clean"]
    return list(found["reasons"])


def test_every_job_has_its_row(four_days: EnergyProject) -> None:
    rows = journal(four_days)
    assert [row["job"] for row in rows] == ["load bronze", "load silver", "materialize", "train"]
    assert {row["status"] for row in rows} == {"DONE"}
    assert {row["outcome"] for row in rows} == {"APPLIED"}
    assert rows[0]["tables"] == ["outages", "readings", "slots"]
    assert rows[3]["tables"] == ["usage"]


def test_back_from_a_table_to_its_files(four_days: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(four_days, "trace", "gold.meter_usage", "1")
    (silver,) = found["sources"]
    jobs = (found["run"]["job"], silver["table"], silver["run"]["job"])
    assert jobs == ("materialize", "silver.readings", "load silver")
    assert len(silver["files"]) == silver["files_through"] == 48
    assert {file["table_name"] for file in silver["files"]} == {"readings"}
    assert run(["trace", "gold.meter_usage", "1", "--project", str(four_days.folder)]) == 0
    assert "48 files came with it; 48 until then" in capsys.readouterr().out
    assert "gold.meter_usage has no version 99" in ask(four_days, "trace", "gold.meter_usage", "99", code=2)


def test_back_from_a_model_to_its_files(four_days: EnergyProject) -> None:
    found = ask(four_days, "trace", "usage", "1")
    assert found["is_champion"]
    by_name = {table["table"]: table for table in found["tables"]}
    assert by_name["gold.meter_usage"]["sources"][0]["files_through"] == 48
    assert by_name["silver.slots"]["files_through"] == 6


def test_nothing_to_do_has_a_code_of_its_own(energy: EnergyProject) -> None:
    ask(energy, "materialize", "--skip-unchanged", code=99)
    ask(energy, "retrain", "usage", "--check", "--skip-unchanged", code=99)


def test_a_failed_job_says_why_and_a_killed_one_is_entered_by_the_next(
    spark: SparkSession, energy: EnergyProject
) -> None:
    settings = load_project(energy.folder, "local").settings
    said = holder_file(settings)
    victim = RunFacts("r1", "maintain", "x", datetime(2024, 3, 1, tzinfo=UTC))
    with hold_lease(SparkLock(spark), settings, run=victim):
        left_behind = said.read_bytes()
    assert not said.exists()
    said.write_bytes(left_behind)  # as SIGKILL leaves it
    ask(energy, "promote", "usage", "--version", "99", code=2)
    rows = {row["run"]: row for row in journal(energy)}
    assert rows["r1"]["status"] == "KILLED"
    assert "ended before the job did" in rows["r1"]["reason"]
    (failed,) = [row for row in rows.values() if row["status"] == "FAILED"]
    assert failed["job"] == "promote"
    assert "the model usage has no version 99" in failed["reason"]


def test_a_day_that_airflow_loads_and_retrains_on(energy: EnergyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    for fact, variable in AIRFLOW_FACTS.items():
        monkeypatch.setenv(variable, TASK[fact])

    # The data is clean when every layer has read its source.
    assert ask(energy, "clean-data", "usage") == {"model": "usage", "is_clean": True, "reasons": []}
    energy.land(5)
    ask(energy, "load", "readings", "outages", "--only", "bronze")
    assert "silver.readings has not read all of bronze.readings" in reasons(energy)
    ask(energy, "load", "readings", "outages", "--only", "silver")
    assert "gold.meter_usage has not read all of silver.readings" in reasons(energy)
    ask(energy, "materialize")
    assert reasons(energy) == []

    # The fifth day is worth a retraining: three meters, a day of hours.
    decided = ask(energy, "retrain", "usage", "--check")["decision"]
    assert (decided["is_due"], decided["standing"]["new_rows"]) == (True, 3 * 24)
    ask(energy, "train", "usage", "--no-promote")

    # Who committed is in the log, in the journal, and on the version.
    versions = ask(energy, "history", "gold.meter_usage")
    newest = next(version["metadata"] for version in versions if version["operation"] == "MERGE")
    assert {name: newest[name] for name in TASK} == TASK
    row = journal(energy)[-1]
    assert (row["dag"], row["dag_run"], row["task"], row["try_number"]) == ("incremental_load", "manual__1", "gold", 2)
    assert ask(energy, "trace", "usage", "2")["facts"]["airflow.run"] == "incremental_load/manual__1"
    with sqlite3.connect(energy.store) as store:
        assert store.execute("select value from tags where key = 'airflow.try'").fetchall() == [("2",)]

    # The gate takes the version of its own Airflow run.
    said = ask(energy, "promote", "usage", "--airflow-run", "retrain/other", code=2)
    assert "no version of usage was trained by the Airflow run retrain/other" in said
    assert ask(energy, "promote", "usage", "--airflow-run", "incremental_load/manual__1")["version"] == 2
    assert not ask(energy, "retrain", "usage")["decision"]["is_due"]
    kept = ask(energy, "query", "select is_due, version from ops.retraining order by decided_at")
    assert [(row["is_due"], row["version"]) for row in kept] == [(True, 1), (False, 2)]


def test_maintenance_changes_files_and_nothing_else(
    spark: SparkSession, energy: EnergyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy.land(days=5)  # another load, so that silver has a file more
    for words in (("load",), ("materialize",)):
        ask(energy, *words)
    path = str(energy.tables / "silver" / "readings")
    before, rows = len(table_files(path)), sorted(map(str, read_table(spark, path).collect()))
    assert before > 1
    monkeypatch.setattr(maintenance, "MANY_FILES", 2)
    done = ask(energy, "maintain")
    assert "silver.readings" in {table["table"] for table in done["compacted"]}
    assert len(table_files(path)) == 1
    assert sorted(map(str, read_table(spark, path).collect())) == rows
    gold = {view.name: table_version(str(view)) for view in (energy.tables / "gold").iterdir()}
    for words in (("load", "readings"), ("materialize",)):
        assert ask(energy, *words)["outcome"] == "UNCHANGED"
    assert {view.name: table_version(str(view)) for view in (energy.tables / "gold").iterdir()} == gold
    assert reasons(energy) == []


def test_a_bad_newest_delivery_is_not_clean_until_a_good_one_follows(energy: EnergyProject) -> None:
    bad = energy.landing / "field" / "outages" / "2024-03-04" / "notes.csv"
    bad.parent.mkdir(parents=True)
    bad.write_text("town;began\nhill;never\n", encoding="utf-8")
    ask(energy, "load", "outages")
    (reason,) = reasons(energy)
    assert reason.startswith("the newest delivery of outages was refused: field/outages/2024-03-04/notes.csv")
    bad.write_text("site;began;lasted (min)\nhill;04.03.2024 08:45;3.5\n", encoding="utf-8")
    ask(energy, "load", "outages")
    ask(energy, "materialize")
    assert reasons(energy) == []


def test_a_load_that_stopped_is_not_clean(energy: EnergyProject) -> None:
    contract = energy.folder / "conf" / "tables" / "readings.yml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("quarantine}", "fail}"), encoding="utf-8")
    (energy.landing / "gateway" / "readings" / "readings_20240302T0120.jsonl").write_text(
        '{"site": "hill", "meterId": 1, "local_hour": "2024-03-02 06:45", "energy-kwh": -5, "revision": 0}\n',
        encoding="utf-8",
    )
    ask(energy, "load", "readings", code=1)
    found = reasons(energy)
    assert any("the last `load` FAILED" in reason and "usage_is_not_negative" in reason for reason in found)


def test_a_load_after_one_that_failed_is_recorded_though_it_has_nothing_to_do(energy: EnergyProject) -> None:
    lake, now = LakeTables(load_settings(energy.folder, "local")), RunFacts.begin("load")
    failed = replace(now, started_at=now.started_at - timedelta(seconds=1))  # the journal counts in seconds
    write_journal(lake, end_run(failed, None, ["readings"], "the disk was full"), failed)
    assert reasons(energy) == ["the last `load` FAILED: the disk was full"]
    assert ask(energy, "load")["outcome"] == "UNCHANGED"
    assert reasons(energy) == []


POLICY = Retraining(min_new_rows=100, max_age="2d")
JUDGED = [
    (None, True, "no version yet"),
    (Staleness(3, (), 0, timedelta(days=9)), False, "nothing that version 3 was trained on has changed"),
    (Staleness(3, ("gold.x",), 100, timedelta(0)), True, "100 newly labelled rows since version 3, at least 100"),
    (Staleness(3, ("gold.x",), 99, timedelta(days=2)), False, "99 newly labelled rows since version 3, fewer than 100"),
    (Staleness(3, ("gold.x",), 99, timedelta(days=3)), True, "version 3 is 3d old by the data clock, more than 2d"),
]


@pytest.mark.parametrize(("standing", "is_due", "reason"), JUDGED)
def test_the_decision(standing: Staleness | None, is_due: bool, reason: str) -> None:
    found = judge_staleness(standing, POLICY)
    assert found[0] is is_due
    assert reason in found[1]
