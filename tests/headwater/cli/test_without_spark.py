"""Commands that look, and commands that find nothing to do, start no Spark and no JVM: they do not even import it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.settings import ROOT, child_environment
from pipelines.gold.materialize import materialize
from tests.projects.small_lake import ORDERS, RUN, SmallLake, make_lake, make_project

HEAVY = ["pyspark", "mlflow", "pandas", "sklearn", "training"]
SCRIPT = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from headwater.cli.main import run
ended = []
for words in json.load(sys.stdin):
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(words)
    ended.append([code, out.getvalue(), err.getvalue(), sorted(set(sys.argv[1:]) & set(sys.modules))])
print(json.dumps(ended))
"""
DEFINITIONS = """
from features import Aggregation, Entity, FeatureView

shop = Entity("shop", ["shop"])
sales = FeatureView("sales", shop, "orders", [Aggregation("amount_eur", "sum", ["1d"])], hop="1d")
"""


@pytest.fixture(scope="module")
def small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Two orders, loaded and materialized."""
    made = make_lake(spark, tmp_path_factory.mktemp("still"), DEFINITIONS)
    made.orders("2024-01-03T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1", "2,south,,2024-01-01T11:00:00Z,1")
    made.load()
    materialize(made.project, made.lake, list(made.project.views.values()), None, RUN)
    return made


def ask(small: SmallLake, *commands: list[str]) -> list[tuple[int, Any, str]]:
    """Run commands one after the other in a process of their own: exit codes, JSON answers, and messages."""
    words = [[*command, "--project", str(small.project.settings.project)] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *HEAVY], input=json.dumps(words), env=child_environment(PYTHONPATH=str(ROOT)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ended = json.loads(done.stdout.splitlines()[-1])
    assert [imported for *_, imported in ended] == [[]] * len(commands)
    return [(code, json.loads(out) if out else None, err) for code, out, err, _ in ended]


def test_to_look_costs_no_spark(small: SmallLake) -> None:
    versions, traced, counted, files = ask(
        small,
        ["history", "silver.orders", "--json"],
        ["trace", "gold.sales", "1", "--json"],
        ["query", "select count(*) as n, sum(amount_eur) as eur from silver.orders", "--json"],
        ["query", "select rows_in_file, rows_accepted, known_through from ops.files", "--json"],
    )
    assert (versions[0], [version["version"] for version in versions[1]]) == (0, [1, 0])
    assert [file["file"] for file in traced[1]["sources"][0]["files"]] == ["orders/d=2024-01-03T00-00/orders.csv"]
    assert counted[1] == [{"n": 2, "eur": 9.5}]
    assert files[1] == [{"rows_in_file": 2, "rows_accepted": 2, "known_through": "2024-01-03T00:00:00Z"}]


def test_nothing_to_do_costs_no_spark_and_changes_nothing(small: SmallLake) -> None:
    before = small.versions()
    commands = [[*words, "--json"] for words in (["load"], ["load", "--only", "bronze"], ["materialize"])]
    for code, done, _ in ask(small, *commands):
        assert (code, done["outcome"]) == (0, "UNCHANGED")
        assert all(table["version_before"] == table["version_after"] for table in done["tables"].values())
    skipped = [["load", "--skip-unchanged", "--json"], ["materialize", "--skip-unchanged", "--json"]]
    assert [code for code, *_ in ask(small, *skipped)] == [99, 99]
    assert small.versions() == before


def test_the_plan_says_what_there_is_to_do_and_why(small: SmallLake, tmp_path: Path) -> None:
    ((code, nothing, _),) = ask(small, ["plan", "--skip-unchanged", "--json"])
    assert (code, nothing["load"]["orders"]["reason"], nothing["materialize"]["sales"]["reason"]) == (99, "", "")
    other = SmallLake(make_project(tmp_path, {"orders": ORDERS}, DEFINITIONS), small.lake)
    other.orders("2024-01-03T00-00", "1,north,9.5,2024-01-01T10:00:00Z,1")
    ((code, planned, _),) = ask(other, ["plan", "--skip-unchanged", "--json"])
    table, view = planned["load"]["orders"], planned["materialize"]["sales"]
    assert (code, table["files_seen"], table["files_new"]) == (0, 1, 1)
    assert (table["reason"], view["reason"]) == ("1 new or changed files", "silver.orders has never been loaded")


REFUSED = {
    "select * from silver.order": "there is no table silver.order.*did you mean 'orders'",
    "select nothing from silver.orders": "No field named nothing",
    "select * from '/etc/passwd'": "there is no table /etc/passwd",
    "select * from orders": "there is no table orders",
    "copy (select 1) to '/tmp/x.csv'": "only queries are answered here",
    "create external table x stored as csv location '/etc/passwd'": "only queries are answered here",
    "select * into x from silver.orders": "only queries are answered here",
    "select 1; select 2": "2 statements",
}


def test_a_query_that_is_refused_says_why(small: SmallLake) -> None:
    ended = ask(small, *(["query", sql] for sql in REFUSED))
    for (code, _, message), (sql, said) in zip(ended, REFUSED.items(), strict=True):
        assert code == 2, sql
        assert re.search(said, message, re.DOTALL), message
