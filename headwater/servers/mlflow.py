"""The MLflow server on loopback, with one worker. It answers only requests to 127.0.0.1 and localhost."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from conf.settings import Settings, child_environment
from headwater.output import stderr
from headwater.servers.in_use import mark_in_use
from headwater.servers.ports import require_port
from training.registry.store import prepare_store


def serve_mlflow(settings: Settings, port: int) -> None:
    """Run the server until it is interrupted. Raise EnvironmentProblem if the port is taken."""
    host = settings.mlflow.host
    require_port(settings.mlflow.model_copy(update={"port": port}), "mlflow")
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
    with mark_in_use(settings):
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
