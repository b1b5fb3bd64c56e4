"""The MLflow server on loopback: migrated once, one worker, only our own addresses as hosts."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conf.errors import LakeBusy
from conf.settings import Settings, child_environment
from headwater.doctor import require_port
from headwater.output import stderr
from training.registry.tracking import prepare_store


def serve_tracking(settings: Settings, port: int) -> None:
    """Run the server until it is interrupted.

    Raises
    ------
    EnvironmentProblem : when the port is taken
    """
    host = settings.mlflow.host
    require_port(settings.mlflow.model_copy(update={"port": port}))
    hosts = ",".join(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1",
        "--artifacts-destination", settings.artifacts, "--allowed-hosts", hosts,
    ]  # fmt: skip
    environment = child_environment(
        MLFLOW_BACKEND_STORE_URI=settings.tracking,
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    )
    with serving(settings):
        prepare_store(settings)
        stderr.print(f"MLflow of the environment [bold]{settings.env}[/bold]: http://{host}:{port}  (Ctrl-C stops it)")
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            server.wait()
        except KeyboardInterrupt:
            stderr.print("stopped")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=20)


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Mark the environment as used by a server while the body runs."""
    mark = _mark(settings)
    mark.parent.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def check_not_served(settings: Settings) -> None:
    """Refuse where a server shows this environment.

    Raises
    ------
    LakeBusy
    """
    mark = _mark(settings)
    if not mark.exists():
        return
    with mark.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeBusy(f"`headwater ui` shows the environment {settings.env}", "stop it first") from None


def _mark(settings: Settings) -> Path:
    return Path(settings.project) / "lake" / settings.env / ".served"
