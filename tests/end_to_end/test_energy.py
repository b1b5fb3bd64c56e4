"""A project that is not the flights, through every command: the engine knows neither."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.instants import format_instant
from headwater.cli.main import run
from tests.projects.energy_feeds import HOUR, START, land_outages, land_readings, land_slots, usage_kwh
from tests.projects.energy_project import EnergyProject, make_energy


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
    trained = ask(capsys, energy, "train", "usage")
    assert (trained["version"], trained["gate"]["step"]) == (1, "PROMOTED")
    assert trained["metrics"]["holdout_rmse"] < trained["metrics"]["baseline_rmse"]
    scored = ask(capsys, energy, "score", "usage")
    assert scored["rows_scored"] > 0
    assert ask(capsys, energy, "score", "usage")["outcome"] == "UNCHANGED"


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
