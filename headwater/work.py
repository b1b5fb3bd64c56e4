"""What every command begins with: the project, a session, and for writers the lake's lease."""

import importlib.metadata
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from conf.settings import ROOT, Settings, env_name, find_project, load_settings
from headwater.output import stderr
from pipelines.lake import Lake
from pipelines.lease import check_free, hold_lease
from pipelines.project import Project, check, load_project
from pipelines.session import close_session, has_session, open_session


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


@dataclass(frozen=True)
class Work:
    """One command at work: what it works on, who it is, and how it says what it is doing."""

    project: Project
    lake: Lake
    run: dict[str, Any]

    def say(self, message: str) -> None:
        if stderr.is_terminal:
            stderr.print(f"[dim]· {message}[/dim]")
        else:
            stderr.print(f"· {message}")


@contextmanager
def reading(options: Options, job: str) -> Iterator[Work]:
    """Open a session for a command that writes nothing."""
    project = options.load()
    with _spark(project, job) as work:
        yield work


@contextmanager
def writing(options: Options, job: str) -> Iterator[Work]:
    """Open a session and hold the lake's lease.

    Raises
    ------
    LakeBusy : when another process writes to the lake
    """
    project = options.load()
    check_free(project.settings, options.wait_seconds)
    with _spark(project, job) as work, hold_lease(work.lake.spark, project.settings, options.wait_seconds):
        yield work


@contextmanager
def _spark(project: Project, job: str) -> Iterator[Work]:
    is_ours = not has_session()
    with stderr.status("starting Spark"):
        spark = open_session(project.settings, f"headwater {job}")
    try:
        yield Work(project, Lake(spark, project.settings), run_facts(job))
    finally:
        if is_ours:
            close_session()


def run_facts(job: str) -> dict[str, Any]:
    """Return who a commit is made by: run id, job, code version."""
    return {"run": uuid.uuid4().hex, "job": job, "code": code_version()}


@cache
def code_version() -> str:
    """Return the engine's version, with the git commit of its clone where there is one."""
    version = importlib.metadata.version("headwater")
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    return f"{version}+{done.stdout.strip()}" if done.returncode == 0 else version
