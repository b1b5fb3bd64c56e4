"""The second project in a folder of its own, and its commands as a user types them."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.settings import ROOT
from tests.projects.energy_feeds import land_outages, land_readings, land_slots

HEADWATER = [str(Path(sys.executable).parent / "headwater")]
# What is not a function of the data: wall time, run ids, version numbers.
VOLATILE = {"_ingested_at", "scored_at", "run_id", "feature_versions"}


@dataclass(frozen=True)
class EnergyProject:
    """A copy of ``tests/energy`` in ``folder``."""

    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "lake" / "local" / "landing"

    @property
    def tables(self) -> Path:
        return self.folder / "lake" / "local" / "tables"

    @property
    def store(self) -> Path:
        return self.folder / "lake" / "local" / "mlflow.db"

    def land(self, days: int) -> None:
        """Land what came in the first days; slots come two days ahead."""
        land_readings(self.landing, 0, 24 * days)
        land_outages(self.landing, 0, days)
        land_slots(self.landing, 0, days + 2)

    def copy(self, folder: Path) -> "EnergyProject":
        """Copy the project and its lake. MLflow's store holds full paths; in the copy they name the copied files."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(self.store.name))
        copied = EnergyProject(folder)
        with closing(sqlite3.connect(self.store)) as old, closing(sqlite3.connect(copied.store)) as new:
            new.executescript("\n".join(old.iterdump()).replace(str(self.folder), str(folder)))
        return copied

    def command(self, *words: str) -> list[str]:
        return [*HEADWATER, "--project", str(self.folder), *words]

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)


def make_energy(folder: Path, days: int) -> EnergyProject:
    """Copy the project and land its first days."""
    shutil.copytree(ROOT / "tests" / "energy", folder)
    project = EnergyProject(folder)
    project.land(days)
    return project


def contents(spark: SparkSession, project: EnergyProject, layers: Sequence[str]) -> dict[str, list[str]]:
    """Return the rows of every table of the layers, sorted, without what is not a function of the data."""
    found = {}
    for layer in layers:
        for path in sorted((project.tables / layer).glob("*")):
            if (path / "_delta_log").is_dir():
                frame = spark.read.format("delta").load(str(path))
                kept = sorted(set(frame.columns) - VOLATILE)
                found[f"{layer}.{path.name}"] = sorted(str(tuple(row)) for row in frame.select(*kept).collect())
    return found
