"""A Spark standalone cluster on loopback, made of a master and workers from the installed pyspark package."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyspark

from conf.errors import UsageError
from conf.settings import ServerSettings, Settings, child_environment
from headwater.servers.ports import require_port
from headwater.servers.wait_for import wait_for

WORKERS = 2
START_SECONDS = 60.0


@dataclass(frozen=True)
class Cluster:
    """A master and its workers. Each is a process group of its own and writes its log into ``folder``."""

    folder: Path
    master: subprocess.Popen[bytes]
    workers: Sequence[subprocess.Popen[bytes]]

    def kill_worker(self, place: int) -> None:
        """Kill a worker and its executors, as if its machine were lost."""
        os.killpg(self.workers[place].pid, signal.SIGKILL)
        self.workers[place].wait()


@contextmanager
def running_cluster(settings: Settings) -> Iterator[Cluster]:
    """Run a master at the address ``spark.master``, and two workers of one core each, while the body runs.

    Raises
    ------
    UsageError : when ``spark.master`` is not a standalone master on this machine
    EnvironmentProblem : when its port is taken
    """
    address = urlsplit(settings.spark.master)
    if address.scheme != "spark" or address.hostname != "127.0.0.1" or address.port is None:
        raise UsageError(
            f"spark.master is {settings.spark.master}, not a standalone master on this machine",
            "use an environment whose master is spark://127.0.0.1:PORT, such as --env cluster",
        )
    require_port(ServerSettings(host="127.0.0.1", port=address.port), "spark")
    folder = Path(settings.project) / "lake" / settings.env / "spark"
    folder.mkdir(parents=True, exist_ok=True)
    started: list[subprocess.Popen[bytes]] = []
    try:
        local = ("--host", "127.0.0.1", "--webui-port", "0")
        started.append(_start(folder, "master", "master.Master", *local, "--port", str(address.port)))
        wait_for("the Spark master", lambda: "I have been elected leader" in _log(folder, "master"), START_SECONDS)
        for number in range(1, WORKERS + 1):
            size = ("--cores", "1", "--memory", "2g", "--work-dir", str(folder / f"worker-{number}"))
            started.append(_start(folder, f"worker-{number}", "worker.Worker", *local, *size, settings.spark.master))
        registered = "Registering worker"
        wait_for("the workers", lambda: _log(folder, "master").count(registered) >= WORKERS, START_SECONDS)
        yield Cluster(folder, started[0], tuple(started[1:]))
    finally:
        for process in reversed(started):
            _stop(process)


def _start(folder: Path, name: str, java_class: str, *words: str) -> subprocess.Popen[bytes]:
    home = Path(pyspark.__file__).parent
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{java_class}", *words],
            env=child_environment(SPARK_HOME=str(home), SPARK_LOCAL_IP="127.0.0.1", SPARK_NO_DAEMONIZE="1"),
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def _log(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
