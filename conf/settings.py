"""The settings of a project in one environment, and the only reader of environment variables.

The settings come from ``conf/base.yml``; ``conf/ENV.yml`` overrides that file, and variables named
``HEADWATER__SECTION__KEY`` override both (``HEADWATER__SPARK__MASTER=local[4]``; the value is read as YAML).
``HEADWATER_PROJECT`` and ``HEADWATER_ENV`` are used where ``--project`` and ``--env`` are not given. A secret is never
written in YAML: ``spark.secrets`` maps a Spark property to the environment variable that holds its value.
"""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, SecretStr, model_validator

from conf.durations import Duration
from conf.errors import ConfigError, Problem, UsageError
from conf.instants import Instant
from conf.spark_profile import Asked
from conf.yaml_file import Declared, build, read_yaml

OVERRIDE = "HEADWATER__"
SECRET_LIKE = re.compile(r"(?i)secret|password|token|access[.]?key|credential")
EXIT_CODE_FILE = "HEADWATER_EXIT_CODE_FILE"
ROOT = Path(__file__).resolve().parent.parent
AIRFLOW_FACTS = {
    "dag": "HEADWATER_DAG_ID",
    "dag_run": "HEADWATER_DAG_RUN_ID",
    "task": "HEADWATER_TASK_ID",
    "try": "HEADWATER_TRY_NUMBER",
}


class SparkSettings(Declared):
    """How Spark runs. ``properties`` are Spark properties, which override those that Headwater sets.

    ``profile`` sizes an embedded Spark (``conf/spark_profile.py``). ``driver_java_options`` and ``shuffle_partitions``
    are taken instead of the profile's where they are set.
    """

    master: str = "local[*]"
    driver_memory: str = "4g"
    profile: Asked = "auto"
    driver_java_options: str = ""
    shuffle_partitions: int | None = Field(None, ge=1)
    properties: dict[str, str | int | float | bool] = {}
    secrets: dict[str, str] = {}

    @model_validator(mode="after")
    def _no_secret_in_the_open(self) -> Self:
        names = ", ".join(name for name in self.properties if SECRET_LIKE.search(name))
        if names:
            hint = "put it into an environment variable and name that variable under spark.secrets"
            raise ValueError(f"properties: {names} looks like a secret; {hint}")
        return self

    @property
    def is_local(self) -> bool:
        return self.master.startswith("local")


class ServerSettings(Declared):
    """Where a server that Headwater starts listens: always on a loopback address."""

    host: Literal["127.0.0.1", "localhost"] = "127.0.0.1"
    port: int = Field(5000, ge=1024, le=65535)


class AirflowSettings(ServerSettings):
    """Where Airflow's UI listens, when the DAGs run, and how their tasks are retried.

    A schedule is a cron line in UTC, or null for none. ``incremental_load`` has scheduled intervals from ``start_at``
    to ``end_at``; with ``catchup`` the missed ones run too. ``lease_wait`` is how long a task waits while a command
    outside Airflow writes to the lake.
    """

    port: int = Field(8080, ge=1024, le=65535)
    incremental_load: str | None = "30 11 * * *"
    retrain: str | None = "0 13 * * 1"
    maintenance: str | None = "0 3 * * 0"
    start_at: Instant | None = None
    end_at: Instant | None = None
    catchup: bool = False
    retries: int = Field(2, ge=0)
    retry_delay: Duration = Field(default="1m", validate_default=True)
    max_retry_delay: Duration = Field(default="30m", validate_default=True)
    timeout: Duration = Field(default="6h", validate_default=True)
    lease_wait: Duration = Field(default="10m", validate_default=True)
    pool: str = "headwater_writer"
    owner: str = "headwater"
    tags: tuple[str, ...] = ()


class Settings(Declared):
    """Where a job finds the lake and its servers, and how Spark runs. Paths are URIs or absolute local paths.

    ``engine`` says what joins features to the rows of a model: this process (``local``), Spark, or ``auto``: this
    process, if no more than ``local_limit_mb`` of Parquet are to be read.
    """

    project: Path
    env: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    lake: str
    landing: str
    tracking_uri: SecretStr
    artifacts: str
    engine: Literal["auto", "local", "spark"] = "auto"
    local_limit_mb: int = Field(512, ge=0)
    spark: SparkSettings = SparkSettings()
    mlflow: ServerSettings = ServerSettings()
    airflow: AirflowSettings = AirflowSettings()

    @property
    def tracking(self) -> str:
        """The tracking URI with its password, for connecting to MLflow; never show it to the user."""
        return self.tracking_uri.get_secret_value()

    @property
    def shown_tracking_uri(self) -> str:
        return re.sub(r"://([^:/@]+):[^@]*@", r"://\1:***@", self.tracking)


def find_project(named: str | None, start: Path | None = None) -> Path:
    """Return the project's directory: ``named``, else HEADWATER_PROJECT, else the nearest folder with conf/base.yml.

    The search goes upwards from ``start``, by default the current folder.

    Raises
    ------
    UsageError : when no project is found
    """
    named = named or os.environ.get("HEADWATER_PROJECT")
    if named:
        project = Path(named).expanduser().resolve()
        if not (project / "conf" / "base.yml").is_file():
            raise UsageError(f"{project} is not a project: it has no conf/base.yml", "name another --project")
        return project
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "conf" / "base.yml").is_file():
            return folder
    raise UsageError(f"no project here: neither {here} nor a folder above it has conf/base.yml", "use --project DIR")


def env_name(named: str | None) -> str:
    """Return the name of the environment: ``named``, else HEADWATER_ENV, else ``local``."""
    return named or os.environ.get("HEADWATER_ENV") or "local"


def load_settings(project: Path, env: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of ``project`` in the environment ``env``.

    Raises
    ------
    ConfigError : names every key that is unknown, missing or of the wrong type, and every secret that is not set
    """
    environ = os.environ if environ is None else environ
    base, overlay = project / "conf" / "base.yml", project / "conf" / f"{env}.yml"
    content = read_yaml(base)
    if overlay.is_file():
        content = _merge(content, read_yaml(overlay))
    elif env != "local":
        known = sorted(path.stem for path in base.parent.glob("*.yml") if path.stem != "base")
        raise ConfigError([Problem(str(overlay), "", "does not exist", f"--env is one of: {', '.join(known)}")])
    content = _merge(content, _overrides(environ))
    content = {key: _resolve(key, value, env, project) for key, value in content.items()}
    settings = build(Settings, {**content, "project": project, "env": env}, str(overlay if overlay.exists() else base))
    unset = [variable for variable in settings.spark.secrets.values() if variable not in environ]
    if unset:
        problem = f"the environment variable {', '.join(unset)} is not set"
        raise ConfigError([Problem(str(overlay), "spark.secrets", problem, "export it before the command")])
    return settings


def secret_properties(settings: Settings) -> dict[str, str]:
    """Return the Spark properties that are secret; their values come from environment variables. Never log them."""
    return {name: os.environ[variable] for name, variable in settings.spark.secrets.items()}


def airflow_facts() -> dict[str, str]:
    """Return which task of which DAG run started this process: dag, dag_run, task, try; empty outside Airflow."""
    return {name: os.environ[variable] for name, variable in AIRFLOW_FACTS.items() if variable in os.environ}


def airflow_variables() -> dict[str, str]:
    """Return the variables that ``airflow_facts`` reads, with Airflow templates as values, to set for a task."""
    templates = ("{{ dag.dag_id }}", "{{ run_id }}", "{{ task.task_id }}", "{{ ti.try_number }}")
    return dict(zip(AIRFLOW_FACTS.values(), templates, strict=True))


def record_exit_code(code: int) -> None:
    """Write the exit code of this process to the file that the Airflow task has named in a variable, if it has."""
    file = os.environ.get(EXIT_CODE_FILE)
    if file and Path(file).parent.is_dir():  # with Spark's deploy mode "cluster" the folder is on another machine
        Path(file).write_text(str(code), encoding="ascii")


def is_submitted() -> bool:
    """Return whether spark-submit started this process; then a JVM with all Spark properties runs already."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def project_variables(settings: Settings) -> dict[str, str]:
    """Return the variables that tell another process the project and the environment."""
    return {"HEADWATER_PROJECT": str(settings.project), "HEADWATER_ENV": settings.env}


def child_environment(**extra: str) -> dict[str, str]:
    """Return the variables of this process with ``extra`` added, for a child process."""
    return {**os.environ, **extra}


def prepare_libraries() -> None:
    """Stop MLflow from sending telemetry and printing progress; to be called before MLflow is imported."""
    set_environment(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
        MLFLOW_LOGGING_LEVEL="ERROR",
    )


def set_environment(**variables: str) -> None:
    """Set environment variables that libraries read; variables that the user has set keep their values."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def use_utc() -> None:
    """Set the time zone of this process to UTC, so that no library takes a timestamp for local time."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        is_nested = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if is_nested else value
    return merged


def _overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, text in environ.items():
        if name.startswith(OVERRIDE):
            *sections, key = name.removeprefix(OVERRIDE).lower().split("__")
            place = result
            for section in sections:
                place = place.setdefault(section, {})
            place[key] = yaml.safe_load(text)
    return result


def _resolve(key: str, value: Any, env: str, project: Path) -> Any:
    """Fill in ``{env}``, and make relative local paths absolute: they are below the project."""
    if not isinstance(value, str):
        return value
    value = value.replace("{env}", env)
    if key in ("lake", "landing", "artifacts"):
        value = value.removeprefix("file://")
        return value if "://" in value else str((project / value).resolve())
    if key == "tracking_uri" and value.startswith("sqlite:///") and not value.startswith("sqlite:////"):
        return f"sqlite:///{(project / value.removeprefix('sqlite:///')).resolve()}"
    return value
