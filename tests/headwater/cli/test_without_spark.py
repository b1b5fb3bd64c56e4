"""Commands that look, and commands that find nothing to do, start no Spark and no JVM: they do not even import it."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table
from pyspark.sql import SparkSession

from conf.instants import format_instant
from conf.settings import ROOT, child_environment
from pipelines.gold.materialize import materialize
from pipelines.reading.table_history import read_history
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


def ask(small: SmallLake, *commands: list[str], unwanted: Sequence[str] = HEAVY) -> list[tuple[int, Any, str]]:
    """Run commands one after the other in a process of their own: exit codes, JSON answers, and messages."""
    words = [[*command, "--project", str(small.project.settings.project)] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *unwanted], input=json.dumps(words), env=child_environment(PYTHONPATH=str(ROOT)),
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
    assert (table["reason"], view["reason"]) == ("1 new or changed files", "silver.orders has no data yet")


def test_a_table_is_read_as_it_was(small: SmallLake) -> None:
    count = ["query", "select count(*) as n from silver.orders", "--json"]
    both = "select count(*) from silver.orders, gold.sales"
    made = read_history(small.lake, "silver", "orders", 1)[0].committed_at
    *answered, newer, earlier, two, in_spark = ask(
        small, [*count, "--at", "0"], [*count, "--at", "1"], [*count, "--at", format_instant(made)],
        [*count, "--at", "2"], [*count, "--at", "2013-01-01"], ["query", both, "--at", "0"],
        ["query", both, "--at", "0", "--engine", "spark"],
    )  # fmt: skip
    assert [found for _, found, _ in answered] == [[{"n": 0}], [{"n": 2}], [{"n": 2}]]
    assert (newer[0], "silver.orders has no version 2; its newest is 1" in newer[2]) == (2, True)
    assert (earlier[0], "silver.orders did not exist at 2013-01-01T00:00:00Z" in earlier[2]) == (2, True)
    assert (two[0], "this query reads 2" in two[2]) == (2, True)
    assert (in_spark[0], "VERSION AS OF 3" in in_spark[2]) == (2, True)


def test_an_answer_becomes_a_file(small: SmallLake, tmp_path: Path) -> None:
    names = ["orders.csv", "orders.json", "orders.parquet", "none.parquet", "orders.txt", "nowhere/orders.csv"]
    sql = "select id, amount_eur, ordered_at as at from silver.orders"
    queries = [f"{sql} order by id"] * 3 + [f"{sql} where false", sql, sql]
    (tmp_path / "orders.csv").write_text("of last week", encoding="utf-8")
    pairs = zip(queries, names, strict=True)
    ended = ask(small, *(["query", text, "--output", str(tmp_path / name)] for text, name in pairs))
    assert [code for code, *_ in ended] == [0, 0, 0, 0, 2, 2]
    assert "end it in one of .csv, .json, .parquet" in ended[4][2]
    assert "there is no folder" in ended[5][2]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[:4])
    csv, document, parquet, empty = (tmp_path / name for name in names[:4])
    assert csv.read_text(encoding="utf-8") == "id,amount_eur,at\n1,9.5,2024-01-01T10:00:00Z\n2,,2024-01-01T11:00:00Z\n"
    assert json.loads(document.read_text(encoding="utf-8"))[1]["at"] == "2024-01-01T11:00:00Z"
    assert read_table(parquet).column("amount_eur").to_pylist() == [9.5, None]
    assert (read_table(empty).num_rows, read_table(empty).column_names) == (0, ["id", "amount_eur", "at"])


REFUSED = {
    "select * from silver.order": "there is no table silver.order.*did you mean 'orders'",
    "select nothing from silver.orders": "there is no column nothing.*known: _known_at, amount_eur",
    "select o.amount from silver.orders as o": "there is no column amount.*did you mean 'amount_eur'",
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


def test_a_view_whose_rows_stay_as_they_are_is_advanced_without_spark(small: SmallLake) -> None:
    small.orders("2024-01-03T05-00", "3,north,1.0,2024-01-03T04:00:00Z,1")  # it counts from 4 January
    small.load()
    before = small.versions()
    outcome = "select outcome from ops.runs order by started_at desc, ended_at desc limit 1"
    (code, planned, _), (done, advanced, _), (again, unchanged, _), (_, journal, _) = ask(
        small, ["plan", "materialize", "--json"], ["materialize", "--json"], ["materialize", "--json"],
        ["query", outcome, "--json"], unwanted=["pyspark", "mlflow", "sklearn"],
    )  # fmt: skip
    assert (code, planned["materialize"]["sales"]["reason"][:21]) == (0, "silver.orders changed")
    assert (done, advanced["outcome"], again, unchanged["outcome"]) == (0, "ADVANCED", 0, "UNCHANGED")
    assert {table for table, version in small.versions().items() if before.get(table) != version} == {"gold.sales"}
    assert journal == [{"outcome": "ADVANCED"}]
