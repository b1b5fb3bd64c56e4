"""Whether a server's port is free, taken by a server of the same kind, or taken by another program."""

import http.client
import socket
from dataclasses import dataclass

from conf.errors import EnvironmentProblem
from conf.settings import ServerSettings

# By section of the settings: the name of the program, and the path at which it tells its version.
PROGRAMS = {"mlflow": "MLflow", "airflow": "Airflow", "spark": "Spark"}
VERSION_PATHS = {"mlflow": "/version", "airflow": "/api/v2/version"}


@dataclass(frozen=True)
class PortCheck:
    """What was found at a port. ``is_ours``: a server of the same kind answers there. ``fix`` is '' if it is free."""

    is_free: bool
    is_ours: bool
    detail: str
    fix: str


def check_port(server: ServerSettings, section: str) -> PortCheck:
    """Tell whether a server's port is free, and if not, who has it. ``section`` is a key of ``PROGRAMS``."""
    where = f"{server.host}:{server.port}"
    program = PROGRAMS[section]
    if _can_bind(server):
        return PortCheck(True, False, f"{where} is free", "")
    other = f"use another port: HEADWATER__{section.upper()}__PORT={_free_port(server.host)}"
    if _answers_as(server, section):
        return PortCheck(False, True, f"{where}: a server of {program} runs there", f"stop it, or {other}")
    detail = f"{where} is taken by a program that is not {program}"
    return PortCheck(False, False, detail, f"stop that program, or {other}")


def require_port(server: ServerSettings, section: str) -> None:
    """Raise EnvironmentProblem if a server's port is taken, also if it is taken by a server of the same kind."""
    check = check_port(server, section)
    if not check.is_free:
        raise EnvironmentProblem(check.detail, check.fix)


def _can_bind(server: ServerSettings) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError:
            return False
    return True


def _answers_as(server: ServerSettings, section: str) -> bool:
    """Ask a server for its version: MLflow answers with a number, Airflow with JSON."""
    if section not in VERSION_PATHS:
        return False
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request("GET", VERSION_PATHS[section])
        answer = connection.getresponse()
        text = answer.read(100).decode("ascii", "replace").strip()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return answer.status == http.client.OK and (text[:1].isdigit() if section == "mlflow" else text[:1] == "{")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
