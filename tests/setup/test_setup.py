"""Set-up says what is missing before it starts, and what it installs is what the project declares."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from conf.java import java_problem, java_version
from conf.settings import ROOT

CHECK = ROOT / "setup" / "check_machine.py"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(file: str) -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / file).read_text(), flags=re.MULTILINE)
    return dict(pins)


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | variables
    return subprocess.run(["make", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def check_machine(**variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | variables
    return subprocess.run([sys.executable, CHECK], env=environ, capture_output=True, text=True, check=False)


def a_java(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    told_first = """echo 'Picked up JAVA_TOOL_OPTIONS: -Dx="y"' >&2"""
    java.write_text(f"""#!/bin/sh\n{told_first}\necho 'openjdk version "{version}"' >&2\n""")
    java.chmod(0o755)
    return folder


def test_this_machine_will_do() -> None:
    done = check_machine(PATH=os.environ["PATH"])
    assert (done.returncode, done.stderr) == (0, "")


def test_no_java_on_the_path(tmp_path: Path) -> None:
    done = check_machine(PATH=str(tmp_path))
    assert done.returncode == 2
    assert "no Java that runs was found on PATH" in done.stderr
    assert "install Java 17 or newer" in done.stderr


@pytest.mark.parametrize(("version", "said"), [("", "JAVA_HOME={}"), ("11.0.22", "Java 11.0.22 .*too old")])
def test_java_home_without_a_java_that_will_do(tmp_path: Path, version: str, said: str) -> None:
    done = check_machine(JAVA_HOME=str(a_java(tmp_path, version) if version else tmp_path))
    assert done.returncode == 2
    assert re.search(said.format(tmp_path), done.stderr)


@pytest.mark.parametrize(
    ("version", "is_well"),
    [("17.0.15", True), ("21", True), ("22-ea", True), ("16.0.2", False), ("1.8.0_412", False), ("", False)],
)
def test_which_java_is_new_enough(version: str, is_well: bool) -> None:
    assert (java_problem(version) == "") is is_well


def test_the_version_is_read_past_what_java_says_first(tmp_path: Path) -> None:
    assert java_version({"JAVA_HOME": str(a_java(tmp_path, "21.0.3"))}) == "21.0.3"


def test_problems_come_all_at_once_each_with_its_remedy(tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    for folder in ("conf", "setup"):
        (clone / folder).mkdir(parents=True)
    for file in ("conf/__init__.py", "conf/java.py", "setup/check_machine.py"):
        shutil.copy(ROOT / file, clone / file)
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".installed").write_text("/somewhere/else\n")
    command = [sys.executable, str(clone / "setup" / "check_machine.py")]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    problems = [line for line in done.stderr.splitlines() if line.startswith("headwater cannot be set up here")]
    assert done.returncode == 2
    assert [word for word in ("a clone", "/somewhere/else", "no Java") if word not in done.stderr] == []
    assert len(problems) == done.stderr.count("  → ") == 3


def test_make_help_lists_every_target() -> None:
    done = make()
    assert done.returncode == 0
    targets = re.findall(r"^  make ([a-z-]+) ", done.stdout, flags=re.MULTILINE)
    words = "help setup demo airflow airflow-demo cluster-demo test test-long lint lock doctor clean"
    assert set(words.split()) <= set(targets)


def test_what_runs_the_product_sets_up_first() -> None:
    rules = re.findall(r"^([a-z-]+): setup\b", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert rules == ["demo", "airflow", "airflow-demo", "cluster-demo", "test", "test-long", "bench", "bench-quick"]


def test_without_python_make_says_so_before_anything_else() -> None:
    done = make("setup", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "there is no no-such-python\n  → install Python 3.11 or newer" in done.stderr


def test_a_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    pretend = "import sys; sys.version_info = (3, 10, 14); exec(sys.argv[1])"
    version = 'test "$1" = --version && exec echo "Python 3.10.14"'
    python.write_text(f"""#!/bin/sh\n{version}\nexec {sys.executable} -c '{pretend}' "$2"\n""")
    python.chmod(0o755)
    done = make("setup", f"PYTHON={python}")
    assert done.returncode == 2
    assert "Python 3.10.14 is too old" in done.stderr


def test_the_lock_holds_what_the_project_asks_for() -> None:
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    asked = [Requirement(line) for line in lines]
    pins = locked("requirements.lock")
    missing = [str(pin) for pin in asked if not pin.specifier.contains(pins.get(pin.name, "0"))]
    assert missing == [], "run make lock"


def test_what_builds_the_project_is_locked_too() -> None:
    (build,) = PROJECT["build-system"]["requires"]
    assert Requirement(build).specifier.contains(locked("setup/bootstrap.lock")["setuptools"])


def test_what_the_benchmarks_compare_with_is_locked_too() -> None:
    pins = locked("bench/requirements.lock")
    for line in PROJECT["dependency-groups"]["bench"]:
        asked = Requirement(line)
        assert asked.specifier.contains(pins.get(asked.name, "0")), "run make lock"


@pytest.mark.parametrize("file", ["requirements.lock", "setup/bootstrap.lock", "bench/requirements.lock"])
def test_every_locked_package_has_a_hash_and_no_host(file: str) -> None:
    text = (ROOT / file).read_text()
    for entry in re.split(r"\n(?=[a-zA-Z0-9])", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in text
