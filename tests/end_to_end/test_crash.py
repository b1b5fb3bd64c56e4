"""Any command killed with SIGKILL, at any point, and run again ends in the tables of an undisturbed run.

The parent kills the whole process group when it sees the point in the victim's files; nothing in the product helps
it. Every run but the last is killed, so each run also recovers from the one before.
"""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.projects.energy_project import EnergyProject, contents, make_energy

pytestmark = pytest.mark.long(minutes=7)
LAYERS = ("bronze", "silver", "quarantine", "gold")
MODEL = "usage"


def parquet(table: str) -> Callable[[EnergyProject], bool]:
    """The first data file of a write."""
    return lambda project: any((project.tables / table).rglob("*.parquet"))


def commit(table: str, version: int) -> Callable[[EnergyProject], bool]:
    """A commit that stands, its answer lost."""
    return lambda project: (project.tables / table / "_delta_log" / f"{version:020d}.json").exists()


def count(project: EnergyProject, rows: str) -> int:
    """How many rows the tracking store has; 0 also while it is being made or written."""
    if not project.store.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{project.store}?mode=ro", uri=True, timeout=0.2) as store:
            return int(store.execute(f"select count(*) from {rows}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def in_store(rows: str) -> Callable[[EnergyProject], bool]:
    return lambda project: count(project, rows) > 0


POINTS: list[tuple[tuple[str, ...], str, Callable[[EnergyProject], bool]]] = [
    (("load",), "bronze writes its first file", parquet("bronze/readings")),
    (("load",), "bronze has committed", commit("bronze/readings", 1)),
    (("load",), "silver writes its first file", parquet("silver/readings")),
    (("load",), "silver has committed", commit("silver/readings", 1)),
    (("materialize",), "gold writes its first file", parquet("gold/meter_usage")),
    (("materialize",), "gold has committed", commit("gold/site_outages", 1)),
    (("train", MODEL), "the run is logged", in_store("metrics")),
    (("train", MODEL), "the version is registered", in_store("model_versions")),
    (("train", MODEL), "the alias is about to move", in_store("model_version_tags where key = 'gate.verdict'")),
    (("score", MODEL), "scores are being written", parquet("gold/usage_scores")),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> EnergyProject:
    project = make_energy(tmp_path_factory.mktemp("calm") / "energy", days=5)
    for command in (("load",), ("materialize",), ("train", MODEL), ("score", MODEL)):
        project.run(*command)
    return project


def test_killed_everywhere_ends_the_same(spark: SparkSession, tmp_path: Path, undisturbed: EnergyProject) -> None:
    project = make_energy(tmp_path / "energy", days=5)
    for command, points in groupby(POINTS, key=itemgetter(0)):
        for _, point, is_reached in points:
            _kill_when(project, command, point, is_reached)
        project.run(*command)
    assert contents(spark, project, LAYERS) == contents(spark, undisturbed, LAYERS)
    assert count(project, "model_versions where name = 'usage'") == 1
    assert count(project, "registered_model_aliases where alias = 'champion'") == 1


def _kill_when(
    project: EnergyProject, command: tuple[str, ...], point: str, is_reached: Callable[[EnergyProject], bool]
) -> None:
    assert not is_reached(project), f"{point}: reached before the command began"
    victim = subprocess.Popen(
        project.command(*command), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not is_reached(project):
        assert victim.poll() is None, f"{point}: the command ended by itself before it was reached"
        assert time.monotonic() < deadline, f"{point}: not reached"
        time.sleep(0.002)
    os.killpg(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, f"{point}: the command had ended by itself"
