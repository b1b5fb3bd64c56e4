"""Airflow's home, a folder of the project: the variables of its processes, its secrets, its connection and its pool."""

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from conf.errors import EnvironmentProblem
from conf.settings import ROOT, Settings, child_environment, project_variables
from headwater.output import stderr

USER = "admin"


def airflow_home(settings: Settings) -> Path:
    """Return the folder in which Airflow keeps its state. Each environment of a project has its own."""
    return Path(settings.project) / "lake" / settings.env / "airflow"


def airflow_environment(settings: Settings, is_paused: bool = True) -> dict[str, str]:
    """Return the environment variables of every Airflow process of this home. ``is_paused``: new DAGs begin paused."""
    home = airflow_home(settings)
    address = f"http://{settings.airflow.host}:{settings.airflow.port}"
    keys = _read_keys(home)
    return child_environment(
        **project_variables(settings),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), child_environment().get("PATH", "")]),
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=str(is_paused),
        AIRFLOW__CORE__PARALLELISM="4",
        AIRFLOW__CORE__EXECUTOR="LocalExecutor",
        AIRFLOW__CORE__AUTH_MANAGER="airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=f"{USER}:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(_password_file(home)),
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{address}/execution/",
        AIRFLOW__CORE__FERNET_KEY=keys["fernet"],
        AIRFLOW__API__HOST=settings.airflow.host,
        AIRFLOW__API__PORT=str(settings.airflow.port),
        AIRFLOW__API__BASE_URL=address,
        AIRFLOW__API__WORKERS="1",
        AIRFLOW__API__SECRET_KEY=keys["api"],
        AIRFLOW__API_AUTH__JWT_SECRET=keys["jwt"],
        AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS="20",
        AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
        AIRFLOW__LOGGING__COLORED_CONSOLE_LOG="False",
        AIRFLOW_CONN_SPARK_DEFAULT=json.dumps({"conn_type": "spark", "host": settings.spark.master}),
    )


def password(settings: Settings) -> str:
    """Return the password of Airflow's user ``admin``. It is made once and kept in a file that only you can read."""
    _read_keys(airflow_home(settings))
    return str(json.loads(_password_file(airflow_home(settings)).read_text(encoding="utf-8"))[USER])


def prepare_airflow(settings: Settings, environment: dict[str, str]) -> None:
    """Bring Airflow's database to the installed version, and make the pool, whose one slot all writers share."""
    run_airflow(environment, "db", "migrate")
    run_airflow(environment, "pools", "set", settings.airflow.pool, "1", "whoever writes to the lake")


def run_airflow(environment: dict[str, str], *words: str) -> None:
    """Run an ``airflow`` command. Raise EnvironmentProblem with the last lines of its output if it fails."""
    command = [sys.executable, "-m", "airflow", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise EnvironmentProblem(
            f"`airflow {' '.join(words)}` failed: {tail}", f"its home is {environment['AIRFLOW_HOME']}"
        )


def _password_file(home: Path) -> Path:
    return home / "passwords.json"


def _read_keys(home: Path) -> dict[str, Any]:
    """Return the home's keys. The first time, make them and the password, in files that only you can read."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "secrets.json"
    if not file.exists():
        keys = {name: secrets.token_urlsafe(32) for name in ("api", "jwt")}
        _write_private(_password_file(home), {USER: secrets.token_urlsafe(12)})
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # the form that Fernet requires
        _write_private(file, {**keys, "fernet": fernet})
        stderr.print(f"made the secrets of {home}")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _write_private(file: Path, content: dict[str, str]) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
        json.dump(content, handle)
