"""`make demo` from the start, and what must hold of the lake that it leaves."""

import csv
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import ROOT
from headwater.cli.main import run
from pipelines.delta.log import table_files
from pipelines.project.project import load_project
from tests.projects.energy_project import HEADWATER
from training.registry.predictions import input_kinds
from training.registry.tracking import open_tracking
from training.registry.versions import find_champion

pytestmark = pytest.mark.long(minutes=7)
DAY = timedelta(days=1)
UNCLOSED = "rows_in_file <> rows_accepted + rows_quarantined + rows_superseded + rows_repeated"


@pytest.fixture(scope="module")
def demo() -> Path:
    """The folder of the demonstration that has just run."""
    command = [*HEADWATER, "--project", str(ROOT), "--env", "demo", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "PROMOTED" in done.stdout
    return ROOT / "lake" / "demo"


@pytest.fixture
def ask(demo: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> Any:
    def answer(*words: str) -> Any:
        capsys.readouterr()
        assert run([*words, "--project", str(ROOT), "--env", "demo", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return answer


def test_again_nothing_changes(ask: Any) -> None:
    for words in (("load",), ("materialize",)):
        found = ask(*words)
        assert found["outcome"] == "UNCHANGED"
        for name, table in found["tables"].items():
            assert table["outcome"] == "UNCHANGED", name
            assert table["version_before"] == table["version_after"], name
    scored = ask("score", "late_arrival")
    assert scored["outcome"] == "UNCHANGED"


def test_rows_are_accounted_for(ask: Any, demo: Path) -> None:
    assert ask("query", f"select count(*) bad from ops.files where {UNCLOSED}") == [{"bad": 0}]
    landed = set()
    for path in (demo / "landing" / "flights").rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                is_whole = None not in row.values() and row["carrier"] and row["arr_delay"] != "cancelled"
                if is_whole:
                    key = ("year", "month", "day", "carrier", "flight", "origin")
                    landed.add(tuple(row[name] for name in key))
    assert ask("query", "select count(*) n from silver.flights") == [{"n": len(landed)}]
    refused = "select distinct _file_hash, _row_number from quarantine.flights"
    assert ask("query", f"select count(*) n from ({refused})") == [{"n": 3}]


@pytest.mark.parametrize(
    ("view", "key", "value", "at"),
    [
        ("carrier_delays", "carrier", "UA", datetime(2013, 11, 5, 12, tzinfo=UTC)),
        ("carrier_delays", "carrier", "UA", datetime(2013, 11, 5, 11, 59, tzinfo=UTC)),
        ("origin_delays", "origin", "LGA", datetime(2013, 11, 6, 11, tzinfo=UTC)),
        ("destination_delays", "dest", "ANC", datetime(2013, 7, 20, 18, tzinfo=UTC)),
        ("aircraft_delays", "tailnum", "N14228", datetime(2013, 3, 11, 12, tzinfo=UTC)),
    ],
)
def test_values_are_those_of_a_naive_computation(ask: Any, view: str, key: str, value: str, at: datetime) -> None:
    found = ask("features", "get", view, f"{key}={value}", "--at", at.isoformat())
    feature_at = (at - DAY / 2).replace(hour=0, minute=0)
    assert found["feature_at"] == feature_at.isoformat().replace("+00:00", "Z")
    sql = f"select arrived_at, _known_at, arr_delay_min from silver.flights where {key} = '{value}'"
    rows = [
        (datetime.fromisoformat(row["arrived_at"]), datetime.fromisoformat(row["_known_at"]), row["arr_delay_min"])
        for row in ask("query", sql)
        if row["arr_delay_min"] is not None
    ]
    for days in (1, 7, 28):
        delays = [
            delay
            for arrived, known, delay in rows
            if feature_at - days * DAY <= arrived < feature_at and known <= feature_at + DAY / 2
        ]
        values = found["values"]
        assert values[f"arr_delay_min_count_{days}d"] == len(delays)
        assert values[f"arr_delay_min_max_{days}d"] == max(delays, default=None)
        mean = sum(delays) / len(delays) if delays else None
        assert values[f"arr_delay_min_mean_{days}d"] == mean


def test_silver_has_few_files(demo: Path, spark: SparkSession) -> None:
    assert len(table_files(str(demo / "tables" / "silver" / "flights"))) < 60


def test_runs_say_what_they_were_made_of(demo: Path) -> None:
    project = load_project(ROOT, "demo")
    tracking = open_tracking(project.settings, project.model("late_arrival"))
    runs = tracking.client.search_runs([tracking.experiment_id])
    assert len(runs) >= 2
    assert all(len(run.inputs.dataset_inputs) >= 7 for run in runs)
    champion = find_champion(tracking)
    assert champion is not None
    kinds = input_kinds(tracking, champion.number)
    assert kinds["carrier_delays__arr_delay_min_mean_7d"] == "double"
    assert kinds["carrier"] == "string"
