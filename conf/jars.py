"""The Delta jars and the class archive: which files, where they lie, and whether they are the right ones."""

import hashlib
from pathlib import Path

from conf.errors import EnvironmentProblem
from conf.java import JAVA_HINT, java_problem, java_version
from conf.settings import ROOT, child_environment

DELTA_VERSION = "4.4.0"
JAR_SHA256 = {
    f"delta-spark_4.2_2.13-{DELTA_VERSION}.jar": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    f"delta-storage-{DELTA_VERSION}.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
JARS = tuple(JAR_SHA256)
JAR_FOLDER = ROOT / ".jars"


def jar_paths(folder: Path = JAR_FOLDER) -> tuple[Path, ...]:
    return tuple(folder / name for name in JARS)


def wrong_jars(folder: Path = JAR_FOLDER) -> tuple[str, ...]:
    """Return the names of the jars that are missing, or whose content is not the pinned one."""
    return tuple(
        name
        for name, pinned in JAR_SHA256.items()
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != pinned
    )


def class_archive(java_version: str, folder: Path = JAR_FOLDER) -> Path:
    """Where the class archive of this Java and these jars lies; with it (AppCDS) Spark starts in half the time."""
    return folder / f"headwater-java{java_version}-delta{DELTA_VERSION}.jsa"


def find_archive() -> Path | None:
    """Return the class archive made for the Java that will start, if there is one.

    Raises
    ------
    EnvironmentProblem : when Java is missing or too old
    """
    environ = child_environment()
    version = java_version(environ)
    problem = java_problem(version, environ.get("JAVA_HOME", ""))
    if problem:
        raise EnvironmentProblem(problem, JAVA_HINT)
    archive = class_archive(version)
    return archive if archive.is_file() else None
