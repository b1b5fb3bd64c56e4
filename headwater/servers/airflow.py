"""Airflow on this machine: started on loopback, stopped with every process that it started."""

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

SERVER_MARK = "HEADWATER_AIRFLOW_SERVER"  # in the environment of all that a server of ours starts, and of nothing else
STOP_SECONDS = 10


def serve_airflow(settings: Settings) -> None:
    """Run Airflow until it is interrupted.

    Raises
    ------
    EnvironmentProblem : when the port is taken, or Airflow's database cannot be made
    HeadwaterError : when Airflow ends by itself
    """
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
    """Run one of Airflow's own commands in this environment's home and return its exit code."""
    command = [sys.executable, "-m", "airflow", *words]
    return subprocess.run(command, env=airflow_environment(settings), check=False).returncode


def make_airflow(settings: Settings, is_paused: bool) -> dict[str, str]:
    """Make Airflow's database and pool, and return the environment of its processes.

    Raises
    ------
    EnvironmentProblem : when the port is taken, or Airflow cannot do either
    """
    require_port(settings.airflow, "airflow")
    environment = airflow_environment(settings, is_paused)
    with stderr.status("preparing Airflow's database"):
        prepare_airflow(settings, environment)
    return environment


def announce_airflow(settings: Settings) -> None:
    """Say where Airflow is, and the login."""
    address = f"http://{settings.airflow.host}:{settings.airflow.port}"
    login = f"user {USER}, password {password(settings)}"
    stderr.print(f"Airflow of the environment [bold]{settings.env}[/bold]: {address}  {login}", soft_wrap=True)


@contextmanager
def running_airflow(settings: Settings, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run scheduler, DAG processor, API server and triggerer while the body runs; leave no process behind.

    Raises
    ------
    EnvironmentProblem : when the port is taken
    """
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
    """Return every process that the server of this home started, itself among them."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found += [process] if process.environ().get(SERVER_MARK) == str(home) else []
    return found


def _stop(server: subprocess.Popen[bytes], home: Path) -> None:
    """Ask the server to stop; then end what is left of it, the tasks that run with their JVMs among them.

    A process that renamed itself may have lost its environment, so descendants are noted as well.
    """
    family = {*psutil.Process(server.pid).children(recursive=True)} if server.poll() is None else set()
    with suppress(ProcessLookupError):
        server.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        server.wait(timeout=STOP_SECONDS)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = [process for process in family | {*processes_of(home)} if process.is_running()]
        for process in left:
            with suppress(psutil.Error):
                end(process)
        psutil.wait_procs(left, timeout=STOP_SECONDS)
    server.wait(timeout=STOP_SECONDS)
