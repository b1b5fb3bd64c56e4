"""A project that is not the flights, through every command: the engine knows neither."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow.parquet import read_table
from pyspark.sql import SparkSession

import headwater
from conf.instants import format_instant
from conf.settings import ROOT, child_environment
from headwater.cli.main import run
from tests.projects.energy_feeds import HOUR, START, land_outages, land_readings, land_slots, usage_kwh
from tests.projects.energy_project import EnergyProject, make_energy

APART = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
import psutil
from headwater.cli.main import run
ended = []
for words in json.load(sys.stdin):
    out = StringIO()
    with redirect_stdout(out):
        code = run(words)
    ended.append([code, out.getvalue()])
print()
print(json.dumps([child.name() for child in psutil.Process().children(recursive=True)]))
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def energy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> EnergyProject:
    return make_energy(tmp_path_factory.mktemp("second") / "energy", days=5)


def ask(capsys: pytest.CaptureFixture[str], project: EnergyProject, *words: str, code: int = 0) -> Any:
    """Run a command in this process and return its JSON."""
    capsys.readouterr()
    assert run([*words, "--project", str(project.folder), "--json"]) == code
    out = capsys.readouterr().out
    return json.loads(out) if out else None


def outcomes(answer: dict[str, Any]) -> set[str]:
    return {table["outcome"] for table in answer["tables"].values()}


def test_the_whole_loop(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, energy, "validate") == {"ok": True, "problems": []}
    loaded = ask(capsys, energy, "load")
    readings = loaded["tables"]["silver.readings"]
    assert (readings["rows_accepted"], readings["rows_superseded"]) == (3 * 120, 9)
    assert loaded["tables"]["silver.outages"]["rows_accepted"] == 6
    assert outcomes(ask(capsys, energy, "load")) == {"UNCHANGED"}
    made = ask(capsys, energy, "materialize")
    assert outcomes(made) == {"APPLIED"}
    assert outcomes(ask(capsys, energy, "materialize")) == {"UNCHANGED"}
    assert outcomes(ask(capsys, energy, "materialize", "--full")) == {"UNCHANGED"}


def ask_apart(project: EnergyProject, *commands: list[str]) -> list[Any]:
    """Run commands in a process of their own, which must not start Java: their exit codes and JSON answers."""
    words = [[*command, "--project", str(project.folder), "--json"] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", APART], input=json.dumps(words), env=child_environment(PYTHONPATH=str(ROOT)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    children, ended = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert "java" not in children
    return [(code, json.loads(out) if out else None) for code, out in ended]


def test_models_need_no_spark(energy: EnergyProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, score = ["train", "usage"], ["score", "usage"]
    done = ask_apart(
        energy, ["plan", *train], train, train, ["plan", *train], [*train, "--skip-unchanged"], ["plan", *score], score,
        score, [*score, "--skip-unchanged"], ["promote", "usage"], ["retrain", "usage", "--check"],
        ["training-set", "usage", "--out", str(tmp_path / "rows")],
    )  # fmt: skip
    assert [code for code, _ in done] == [0, 0, 0, 0, 99, 0, 0, 0, 99, 0, 0, 0]
    before, trained, again, after, _, asked, scored, nothing, _, promoted, checked, rows = (
        answer for _, answer in done
    )
    assert before["reason"].startswith("features are to be completed through")  # their rows stay as they are
    assert (trained["version"], trained["outcome"], trained["gate"]["step"]) == (1, "APPLIED", "PROMOTED")
    assert trained["metrics"]["holdout_rmse"] < trained["metrics"]["baseline_rmse"]
    assert (again["outcome"], again["gate"]["step"]) == ("UNCHANGED", "ALREADY_CHAMPION")
    assert {**again, "outcome": "APPLIED", "gate": None} == {**trained, "gate": None}
    assert (after["reason"], after["made_already"], after["engine"]) == ("", 1, "local")
    assert (asked["questions"], scored["outcome"]) == (scored["rows_scored"], "APPLIED")
    assert (nothing["rows_scored"], nothing["outcome"]) == (0, "UNCHANGED")
    assert promoted["step"] == "ALREADY_CHAMPION"
    assert (checked["decision"]["is_due"], checked["training"]) == (False, None)
    exported = read_table(tmp_path / "rows")
    assert exported.num_rows == rows["rows"]["training"] + rows["rows"]["holdout"]
    assert {"usage_kwh", "part", "label_known_at"} <= set(exported.column_names)
    assert rows["content_hash"] == trained["content_hash"]


def test_both_engines_agree_and_a_difference_is_found(
    energy: EnergyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ask(capsys, energy, "verify", "consistency")
    assert [(one["name"], one["differing"], one["not_compared"]) for one in found] == [
        ("usage", 0, ""), ("meter_last", 0, ""), ("meter_usage", 0, ""), ("site_outages", 0, ""),
    ]  # fmt: skip
    assert all(one["rows"] > 10 for one in found)
    monkeypatch.setattr("features.local.as_of.FIRST_COUNT", 1)
    (wrong,) = ask(capsys, energy, "verify", "consistency", "meter_usage", code=4)
    assert wrong["differing"] > 0
    cell = wrong["examples"][0]
    assert (cell["local"], cell["spark"]) == ("1", "0")


def test_a_notebook_asks_by_python(energy: EnergyProject) -> None:
    project = headwater.open(energy.folder)
    counted = project.query("select count(*) as n from silver.readings")
    assert (counted.to_dicts(), counted.columns, len(counted)) == ([{"n": 360}], ["n"], 1)
    assert counted.to_pandas()["n"].tolist() == counted.to_polars()["n"].to_list() == [360]
    assert len(project.table("silver.slots")) == 504
    assert len(project.table("silver.slots", version=0)) == 0
    at = START + timedelta(days=3, hours=6, minutes=30)
    entities = pd.DataFrame(
        {"site": ["hill", None, "sea"], "meter": [2, 2, 99], "prediction_at": [at] * 3, "note": "abc"}
    )
    found = project.historical_features("meter_usage", entities).to_polars()
    assert found["note"].to_list() == ["abc"] * 3
    assert found["meter_usage__usage_kwh_count_3h"].to_list() == [3, None, 0]
    newest = project.features(["meter_usage", "meter_last"], [{"site": "hill", "meter": 2}])
    assert newest.to_dicts()[0]["meter_usage__usage_kwh_count_3h"] > 0
    made = project.training_set("usage")
    assert (len(made), made.description["rows"]["training"]) == (339, 195)
    assert "usage_kwh" in made.columns
    assert project.plan()["load"]["readings"]["reason"] == ""


@pytest.mark.parametrize(
    ("rows", "as_of", "reason"),
    [
        ([{"site": "hill", "prediction_at": START}], None, "the rows lack meter"),
        ([{"site": 7, "meter": 2, "prediction_at": START}], None, "site is of type Int64, and String in the feature"),
        ([{"site": "hill", "meter": 2.0, "prediction_at": START}], None, "meter is of type Float64, and Int32"),
        ([{"site": "hill", "meter": 2**40, "prediction_at": START}], None, "meter is of type Int64, and Int32"),
        ([{"site": "hill", "meter": 2, "prediction_at": "now"}], None, "prediction_at is of type String"),
        ([{"site": "hill", "meter": 2, "prediction_at": START}], "2031-01-01", "meter_usage is complete through 2024"),
        (7, None, "these are not rows with named columns"),
    ],
)
def test_rows_that_cannot_be_asked_about_are_explained(
    energy: EnergyProject, rows: Any, as_of: str | None, reason: str
) -> None:
    with pytest.raises(headwater.HeadwaterError, match=reason):
        headwater.open(energy.folder).historical_features("meter_usage", rows, as_of)


def test_a_value_is_what_was_known(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    """Hours end at 1h steps, usable 90 minutes later; two hours' readings come 20 minutes after the second."""
    at = START + timedelta(days=3, hours=6, minutes=30)
    found = ask(capsys, energy, "features", "get", "meter_usage", "site=hill", "meter=2", "--at", format_instant(at))
    assert found["entity"] == {"site": "hill", "meter": 2}
    assert found["feature_at"] == format_instant(at - timedelta(minutes=90))
    hours = [int((START + timedelta(days=3, hours=5) - START) / HOUR) - back for back in (1, 2, 3)]
    assert found["values"]["usage_kwh_count_3h"] == 3
    assert found["values"]["usage_kwh_sum_3h"] == sum(usage_kwh("hill", 2, hour) for hour in hours)


def test_one_more_day_costs_a_day(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    land_readings(energy.landing, 120, 144)
    land_outages(energy.landing, 5, 6)
    land_slots(energy.landing, 7, 8)
    loaded = ask(capsys, energy, "load")
    assert loaded["tables"]["silver.readings"]["rows_accepted"] == 3 * 24 + 3
    made = ask(capsys, energy, "materialize")
    assert 0 < made["tables"]["gold.meter_usage"]["rows_written"] < 200
    assert outcomes(ask(capsys, energy, "materialize", "--full")) == {"UNCHANGED"}


def test_queries_only(energy: EnergyProject, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "rows_in_file <> rows_accepted + rows_quarantined + rows_superseded + rows_repeated"
    sql = f"select count(*) bad from ops.files where {bad}"
    assert ask(capsys, energy, "query", sql) == [{"bad": 0}]
    for sql in ("drop table silver.readings", "select * from nowhere.x", "insert into silver.readings select 1"):
        ask(capsys, energy, "query", sql, code=2)


def test_every_mistake_at_once(tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    broken = make_energy(tmp_path / "broken", days=0)
    contract = broken.folder / "conf" / "tables" / "readings.yml"
    text = contract.read_text(encoding="utf-8")
    text = text.replace("expr: energy,", "expr: enery,").replace("usage_kwh >= 0", "usage_kwh + 1")
    contract.write_text(text, encoding="utf-8")
    model = broken.folder / "conf" / "models" / "usage.yml"
    model.write_text(model.read_text(encoding="utf-8").replace("slot_at - INTERVAL 1 HOUR", "site"), encoding="utf-8")
    answer = ask(capsys, broken, "validate", code=2)
    keys = {problem["key"] for problem in answer["problems"]}
    assert keys == {"columns.usage_kwh", "expectations.usage_is_not_negative", "spine.prediction_at"}


def test_unknown_keys_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = make_energy(tmp_path / "broken", days=0)
    contract = broken.folder / "conf" / "tables" / "slots.yml"
    contract.write_text(contract.read_text(encoding="utf-8") + "partitionby: [site]\nKey: [a]\n", encoding="utf-8")
    answer = ask(capsys, broken, "validate", code=2)
    assert {problem["key"] for problem in answer["problems"]} == {"partitionby", "Key"}
