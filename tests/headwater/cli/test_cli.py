"""What a command says, and what it imports, before Spark starts; what it keeps from the user after that."""

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from conf.settings import ROOT, child_environment
from pipelines.delta.tables import create_table
from tests.projects.energy_project import make_energy

SCRIPT = """
import json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from headwater.cli.main import run
heavy = {"mlflow", "sklearn", "training", "pyspark", "pandas", "pyarrow", "delta"}
for words, variables in json.load(sys.stdin):
    os.environ.update(variables)  # they stay set, so commands with variables come last
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = run(words)
    imported = heavy & set(sys.modules)
    heavy -= imported
    print(json.dumps([code, out.getvalue(), err.getvalue(), sorted(imported)]))
"""
WORDS = ("", "load ", "materialize ", "query ", "features ", "history ", "validate ")
ANSWERS = {  # by what is typed: the exit code, and the pattern of stdout
    **{f"{word}--help": (0, f"Usage: headwater {word}") for word in WORDS},
    "--version": (0, rf"^headwater {re.escape(version('headwater'))}(\+[0-9a-f]{{12}})?\n$"),
    "load --only gold": (2, "^$"),
    "materialize --through yesterday": (2, "^$"),
    "train nobody": (2, "^$"),
    "query 'drop table x'": (2, "^$"),
    "features get carrier_delays UA": (2, "^$"),
}
COMPLETED = {
    "load fl": "flights", "train la": "late_arrival", "materialize car": "carrier_delays",
    "features get origin_w": "origin_weather",
}  # fmt: skip
Ended = dict[str, list[Any]]


@pytest.fixture(scope="module")
def ended() -> Ended:
    """Exit code, stdout, stderr, and what heavy packages were imported, of commands that one process runs in turn."""
    commands = {words: (shlex.split(words), {}) for words in ANSWERS}
    for words in COMPLETED:
        line = {"COMP_WORDS": f"headwater {words}", "COMP_CWORD": str(len(words.split()))}
        commands[words] = ([], {"_HEADWATER_COMPLETE": "complete_bash", **line})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(list(commands.values())),
        env=child_environment(PYTHONPATH=str(ROOT)), cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(zip(commands, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("words", ANSWERS)
def test_help_and_wrong_usage_do_not_wait_for_spark_or_mlflow(ended: Ended, words: str) -> None:
    code, out, err, imported = ended[words]
    assert (code, imported) == (ANSWERS[words][0], [])
    assert re.search(ANSWERS[words][1], out)
    assert ("error" in err.lower()) is (code == 2)


@pytest.mark.parametrize("words", COMPLETED)
def test_the_shell_completes_what_the_project_declares(ended: Ended, words: str) -> None:
    assert ended[words] == [0, f"{COMPLETED[words]}\n", "", []]


def test_help_has_a_panel_for_each_group_of_commands(ended: Ended) -> None:
    out = ended["--help"][1]
    panels = ["Options", "Data", "Features", "Models", "Operations", "Demonstrations"]
    assert re.findall(r"─ (\w+) ─", out) == panels
    for word in ("load", "train", "retrain", "trace", "airflow-demo", "cluster-demo", "demo", "doctor"):
        assert f" {word} " in out


def test_an_expression_that_fits_no_table_is_told_in_our_words_alone(spark: SparkSession, tmp_path: Path) -> None:
    energy = make_energy(tmp_path / "energy", days=0)
    create_table(spark, str(energy.tables / "silver" / "readings"), StructType.fromDDL("site string"))
    done = energy.run("query", "select nothing from silver.readings", "--engine", "spark", code=2)
    assert "`nothing` cannot be resolved" in done.stderr
    assert "Spark is large: how much there is to read is not known" in done.stderr
    noise = re.findall(r"^(?:WARNING:|\{|Traceback|.*Warning\b).*", done.stderr, flags=re.MULTILINE)
    assert (done.stdout, noise) == ("", [])
