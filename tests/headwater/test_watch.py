"""`headwater watch` in a process of its own: what lands is loaded, materialized and scored while it runs."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from pyspark.sql import SparkSession

from conf.settings import Settings, load_settings
from headwater.cli.main import run
from pipelines.delta.lake import LakeTables
from pipelines.operations.lease import check_free, hold_lease, holder_file
from pipelines.operations.locks import ProcessLock
from tests.projects.energy_feeds import METERS, land_readings, land_slots
from tests.projects.energy_project import EnergyProject, make_energy

LONGEST_SECONDS = 240


class Watch:
    """A running ``watch --json``, and the increments that it prints."""

    def __init__(self, project: EnergyProject, *words: str) -> None:
        self.process = subprocess.Popen(
            project.command("watch", "--every", "1s", "--json", *words), start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.messages: queue.Queue[str] = queue.Queue()
        self.lines: queue.Queue[str] = queue.Queue()
        streams = ((self.process.stdout, self.lines), (self.process.stderr, self.messages))
        self._readers = [threading.Thread(target=_read, args=pair) for pair in streams]
        for reader in self._readers:
            reader.start()

    def increment(self) -> Any:
        """Wait for the next increment. It fails where the process has ended."""
        line = self.lines.get(timeout=LONGEST_SECONDS)
        assert line, f"it ended: {list(self.messages.queue)}"
        return json.loads(line)

    def started(self) -> None:
        assert "watching" in self.messages.get(timeout=LONGEST_SECONDS)

    def javas(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if process.name() == "java"]

    def is_silent(self) -> bool:
        return self.lines.empty()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()


def _read(stream: IO[str], lines: "queue.Queue[str]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")  # the stream has ended


@contextmanager
def watching(project: EnergyProject, *words: str) -> Iterator[Watch]:
    watch = Watch(project, *words)
    try:
        yield watch
    finally:
        watch.kill()


def land(project: EnergyProject, feed: Callable[[Path], object]) -> None:
    """Land files as a careful sender does: written elsewhere, each moved to its place whole."""
    written = project.folder / "written"
    feed(written)
    for file in sorted(path for path in written.rglob("*") if path.is_file()):
        target = project.landing / file.relative_to(written)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)


def slots_of_day(day: int) -> Callable[[Path], object]:
    return lambda folder: land_slots(folder, day, day + 1)


@pytest.fixture
def energy(spark: SparkSession, tmp_path: Path) -> EnergyProject:
    """Five days that are loaded, with a champion that has scored nothing."""
    project = make_energy(tmp_path / "energy", days=5)
    for words in (["load"], ["materialize"], ["train", "usage"]):
        assert run([*words, "--project", str(project.folder)]) == 0
    return project


def settings_of(project: EnergyProject) -> Settings:
    return load_settings(project.folder, "local", {})


@pytest.mark.long(minutes=2)
def test_what_lands_is_scored_while_the_process_runs(energy: EnergyProject) -> None:
    settings = settings_of(energy)
    tables = LakeTables(settings)

    def count(layer: str, name: str) -> int:
        return int(tables.value(layer, name, "count(*)"))

    with watching(energy) as watch:
        backlog = watch.increment()
        scored = backlog["score"]["usage"]["rows_scored"]
        assert (backlog["load"], backlog["materialize"], backlog["errors"]) == (None, None, [])
        assert scored == count("gold", "usage_scores") > 0
        assert watch.javas() == []  # this process answered

        land(energy, slots_of_day(7))
        asked = watch.increment()
        assert asked["load"]["tables"]["silver.slots"]["rows_accepted"] == 24 * len(METERS)
        assert "silver.readings" not in asked["load"]["tables"]  # nothing of it came
        assert asked["score"]["usage"]["rows_scored"] == 24 * len(METERS) == count("gold", "usage_scores") - scored
        (java,) = watch.javas()
        assert os.getsid(java.pid) != os.getsid(watch.process.pid)  # so Ctrl-C does not reach it
        check_free(settings)

        rows = count("gold", "meter_usage")
        land(energy, lambda folder: land_readings(folder, 120, 122))
        read = watch.increment()
        assert read["load"]["tables"]["silver.readings"]["rows_accepted"] == 2 * len(METERS) + 1
        assert (read["materialize"]["outcome"], read["score"]) == ("APPLIED", {})
        assert count("gold", "meter_usage") > rows
        assert watch.javas() == [java]

        with hold_lease(ProcessLock(), settings):
            land(energy, slots_of_day(8))
            (busy,) = watch.increment()["errors"]
            assert "the lake is being written by " in busy
        freed = watch.increment()
        assert freed["load"]["tables"]["silver.slots"]["rows_accepted"] == 24 * len(METERS)

        outages, aside = energy.landing / "field" / "outages", energy.landing / "aside"
        outages.rename(aside)
        outages.write_text("no folder", encoding="utf-8")
        assert "cannot be listed: Not a directory" in watch.increment()["errors"][0]
        outages.unlink()
        aside.rename(outages)

        land(energy, lambda folder: land_readings(folder, 122, 132))
        while not holder_file(settings).exists():
            assert watch.is_silent()
        os.killpg(watch.process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        assert watch.increment()["load"]["outcome"] == "APPLIED"
        assert watch.process.wait(LONGEST_SECONDS) == 0
        assert psutil.wait_procs([java], LONGEST_SECONDS)[1] == []
    check_free(settings)
    jobs = tables.rows("ops", "runs", "spark_app IS NOT NULL", ["job", "status", "outcome"]).to_pylist()
    assert [run["status"] for run in jobs] == ["DONE"] * len(jobs)


def test_sigterm_ends_it_where_nothing_ever_came(tmp_path: Path) -> None:
    project = make_energy(tmp_path / "energy", days=0)
    shutil.rmtree(project.landing)
    with watching(project) as watch:
        watch.started()
        watch.process.send_signal(signal.SIGTERM)
        assert watch.process.wait(LONGEST_SECONDS) == 0
        assert watch.lines.get() == ""
    assert not project.tables.exists()
