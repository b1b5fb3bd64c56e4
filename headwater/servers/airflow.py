"""Airflow on this machine. It listens on loopback, and when it stops, every process that it started is ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from conf.errors import HeadwaterError
from conf.settings import Settings
from headwater.output import stderr
from headwater.servers.airflow_home import USER, airflow_environment, airflow_home, password, prepare_airflow
from headwater.servers.in_use import mark_in_use
from headwater.servers.ports import require_port

SERVER_MARK = "HEADWATER_AIRFLOW_SERVER"  # a variable that every process started by the server inherits
STOP_SECONDS = 10


def serve_airflow(settings: Settings) -> None:
    """Run Airflow until it is interrupted. Raise HeadwaterError if it ends by itself."""
    environment = make_airflow(settings, is_paused=True)
    with mark_in_use(settings), running_airflow(settings, environment) as server:
        announce_airflow(settings)
        stderr.print("The DAGs begin paused: switch them on in the UI. Ctrl-C stops it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            stderr.print("stopping")
            return
        raise HeadwaterError("Airflow ended by itself", f"read {airflow_home(settings) / 'standalone.log'}")


def run_own_command(settings: Settings, words: Sequence[str]) -> int:
    """Run one of Airflow's own commands on this environment's Airflow, and return its exit code."""
    command = [sys.executable, "-m", "airflow", *words]
    return subprocess.run(command, env=airflow_environment(settings), check=False).returncode


def make_airflow(settings: Settings, is_paused: bool) -> dict[str, str]:
    """Make Airflow's database and pool, and return the environment variables of its processes.

    Raise EnvironmentProblem if the port is taken, or a command of Airflow fails.
    """
    require_port(settings.airflow, "airflow")
    environment = airflow_environment(settings, is_paused)
    with stderr.status("preparing Airflow's database"):
        prepare_airflow(settings, environment)
    return environment


def announce_airflow(settings: Settings) -> None:
    """Print Airflow's address and login."""
    address = f"http://{settings.airflow.host}:{settings.airflow.port}"
    login = f"user {USER}, password {password(settings)}"
    stderr.print(f"Airflow of the environment [bold]{settings.env}[/bold]: {address}  {login}", soft_wrap=True)


@contextmanager
def running_airflow(settings: Settings, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run scheduler, DAG processor, API server and triggerer while the body runs, and leave no process behind."""
    require_port(settings.airflow, "airflow")
    log = airflow_home(settings) / "standalone.log"
    marked = environment | {SERVER_MARK: str(airflow_home(settings))}
    command = [sys.executable, "-m", "airflow", "standalone"]
    with log.open("ab") as output:
        server = subprocess.Popen(command, env=marked, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield server
    finally:
        _stop(server, airflow_home(settings))


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the server of this home and every process that it started."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(SERVER_MARK) == str(home):
                found.append(process)
    return found


def _stop(server: subprocess.Popen[bytes], home: Path) -> None:
    """Ask the server to stop, then end the processes that are left, such as running tasks and their JVMs.

    A process that renamed itself may have lost the mark, so the server's descendants are collected as well.
    """
    descendants = {*psutil.Process(server.pid).children(recursive=True)} if server.poll() is None else set()
    with suppress(ProcessLookupError):
        server.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        server.wait(timeout=STOP_SECONDS)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = [process for process in descendants | {*processes_of(home)} if process.is_running()]
        for process in left:
            with suppress(psutil.Error):
                end(process)
        psutil.wait_procs(left, timeout=STOP_SECONDS)
    server.wait(timeout=STOP_SECONDS)
