"""What a command costs before it begins."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from headwater.cli.main import run
code = run([*sys.argv[1:], "--help"])
print(code, sorted({"mlflow", "sklearn", "training", "pyspark", "pandas", "pyarrow", "delta"} & set(sys.modules)))
"""


@pytest.mark.parametrize("word", ["load", "materialize", "query", "features", "history", "validate"])
def test_a_command_about_data_does_not_wait_for_mlflow(word: str) -> None:
    command = [sys.executable, "-c", SCRIPT, "--env", "demo", word]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_help_knows_every_command() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    for word in ("load", "train", "retrain", "trace", "airflow-demo", "cluster-demo", "demo", "doctor"):
        assert f" {word} " in done.stdout
