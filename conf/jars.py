"""The Delta jars and the Java class archive: which files they are, where they lie, and whether they are valid."""

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
    """Return the names of the jars that are missing, or whose SHA-256 is not the pinned one."""
    files = [path for path in jar_paths(folder) if path.is_file()]
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return tuple(name for name, pinned in JAR_SHA256.items() if found.get(name) != pinned)


def class_archive(java_version: str, folder: Path = JAR_FOLDER) -> Path:
    """Return where the class archive (AppCDS) for this Java and these jars lies; with it Spark starts faster."""
    return folder / f"headwater-java{java_version}-delta{DELTA_VERSION}.jsa"


def find_archive() -> Path | None:
    """Return the class archive for the Java that Spark will start, or None when it was not made.

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
