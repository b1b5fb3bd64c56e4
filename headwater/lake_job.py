"""What every command begins with: the project, a session, and for writers the lake's lease and a row in the journal."""

import importlib.metadata
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from conf.errors import LeaseLost
from conf.instants import format_instant
from conf.settings import ROOT, Settings, airflow_facts, env_name, find_project, load_settings
from headwater.output import stderr
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import Lake
from pipelines.operations.journal import ended_run, killed_run, write_runs
from pipelines.operations.lease import check_free, check_lease, hold_lease
from pipelines.project.project import Project, check, load_project
from pipelines.runtime.executors import describe_executors
from pipelines.runtime.session import close_session, has_session, open_session


@dataclass(frozen=True)
class Options:
    """The options that every command takes."""

    project: str | None = None
    env: str | None = None
    wait_seconds: float = 0

    def directory(self) -> Path:
        return find_project(self.project)

    def settings(self) -> Settings:
        return load_settings(self.directory(), env_name(self.env))

    def load(self) -> Project:
        """Read the project and check its declarations against each other."""
        project = load_project(self.directory(), env_name(self.env))
        check(project)
        return project


@dataclass
class Work:
    """One command at work: what it works on, who it is, how it says what it does, and what the journal will say."""

    project: Project
    lake: Lake
    run: dict[str, Any]
    outcome: Outcome | None = None
    tables: Sequence[str] = ()

    def say(self, message: str) -> None:
        if stderr.is_terminal:
            stderr.print(f"[dim]· {message}[/dim]")
        else:
            stderr.print(f"· {message}", soft_wrap=True)


@contextmanager
def reading(options: Options, job: str) -> Iterator[Work]:
    """Open a session for a command that writes nothing."""
    project = options.load()
    with _spark(project, job) as work:
        yield work


@contextmanager
def writing(options: Options, job: str) -> Iterator[Work]:
    """Open a session, hold the lake's lease, and enter into the journal how the job ended.

    Raises
    ------
    LakeBusy : when another process writes to the lake
    LeaseLost : when the JVM ended before the job did
    """
    project = options.load()
    check_free(project.settings, options.wait_seconds)
    with _spark(project, job) as work, leased(work, options.wait_seconds):
        yield work


@contextmanager
def leased(work: Work, wait_seconds: float) -> Iterator[None]:
    """Hold the lake's lease while the body runs, and enter into the journal how it ended."""
    lake = work.lake
    with hold_lease(lake.spark, lake.settings, wait_seconds, work.run) as died:
        killed = killed_run(died) if died else None
        if killed is not None:
            write_runs(lake, [killed], work.run)
        try:
            yield
        except BaseException as error:
            check_lease(lake.spark)
            reason = str(error).strip() or type(error).__name__
            write_runs(lake, [ended_run(work.run, _now(), None, work.tables, reason)], work.run)
            raise
        check_lease(lake.spark)
        row = ended_run(work.run, _now(), work.outcome, work.tables, None)
        if not lake.settings.spark.is_local:
            row = replace(row, spread=describe_executors(lake.spark))
            work.say(str(row.spread))
        write_runs(lake, [row], work.run)


@contextmanager
def _spark(project: Project, job: str) -> Iterator[Work]:
    is_ours = not has_session()
    run = run_facts(job)
    task = "/".join(run[name] for name in ("dag", "dag_run", "task") if name in run)
    name = f"headwater {job}" + (f" · {task} · try {run['try']}" if task else "")
    with stderr.status("starting Spark"):
        spark = open_session(project.settings, name)
    try:
        yield Work(project, Lake(spark, project.settings), run | {"spark_app": spark.sparkContext.applicationId})
    finally:
        if is_ours:
            with suppress(LeaseLost):
                check_lease(spark)
                close_session()


def run_facts(job: str) -> dict[str, Any]:
    """Return who a commit is made by: run id, job, code version, when it began, and under Airflow dag, run and try."""
    started = format_instant(_now())
    return {"run": uuid.uuid4().hex, "job": job, "code": code_version(), "started_at": started, **airflow_facts()}


@cache
def code_version() -> str:
    """Return the engine's version, with the git commit of its clone where there is one."""
    version = importlib.metadata.version("headwater")
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    return f"{version}+{done.stdout.strip()}" if done.returncode == 0 else version


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
