"""The options that stand before a command, and the project that they choose."""

from dataclasses import dataclass
from pathlib import Path

from conf.settings import Settings, env_name, find_project, load_settings
from pipelines.project.cross_checks import check_references
from pipelines.project.project import Project, load_project


@dataclass(frozen=True)
class Options:
    """Which project, in which environment; how long to wait for another writer; whether to show all warnings.

    ``is_shielded``: Ctrl-C does not reach Spark's processes.
    """

    project: str | None = None
    env: str | None = None
    wait_seconds: float = 0
    is_verbose: bool = False
    is_shielded: bool = False

    def directory(self) -> Path:
        return find_project(self.project)

    def settings(self) -> Settings:
        return load_settings(self.directory(), env_name(self.env))

    def load(self) -> Project:
        """Read the project, and check its declarations against each other."""
        project = load_project(self.directory(), env_name(self.env))
        check_references(project)
        return project
