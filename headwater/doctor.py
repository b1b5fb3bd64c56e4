"""What is wrong on this machine, and how to mend it: one check for each thing that a job needs, such as Java or a port.

A check changes nothing. It says what it found and, if a job cannot run with that, what to do.
"""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyspark
from packaging.requirements import Requirement

from conf.jars import JAR_FOLDER, JARS, class_archive, wrong_jars
from conf.java import JAVA_HINT, java_command, java_problem, java_version
from conf.settings import ROOT, ServerSettings, Settings, child_environment
from headwater.servers.ports import check_port
from pipelines.runtime.class_archive import is_usable

GB = 1024**3
GB_TO_RUN = 1.0
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """What one check found. ``fix`` is empty if there is nothing to mend."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All checks, and where the data of this environment lies. Local paths are absolute and have no scheme."""

    lake: str
    landing: str
    tracking_uri: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok} | asdict(self) | {"checks": [asdict(check) for check in self.checks]}


def diagnose(settings: Settings) -> Diagnosis:
    """Check everything that a job of this environment needs, in some seconds. No Spark session is started."""
    checks = (
        check_python(),
        check_java(),
        check_spark_home(),
        check_jars(JAR_FOLDER),
        check_class_archive(settings),
        check_packages(),
        check_folder("lake", settings.lake, is_written=True),
        check_folder("landing", settings.landing, is_written=False),
        check_folder("tracking_uri", _tracking_folder(settings.shown_tracking_uri), is_written=True),
        check_folder("artifacts", settings.artifacts, is_written=True),
        check_server_port(settings.mlflow, "mlflow"),
        check_server_port(settings.airflow, "airflow"),
        check_time_zone(),
    )
    return Diagnosis(settings.lake, settings.landing, settings.shown_tracking_uri.removeprefix("file://"), checks)


def check_python() -> Check:
    found = f"{platform.python_version()} in {sys.prefix}"
    is_new = sys.version_info >= OLDEST_PYTHON
    return Check("python", is_new, found, "" if is_new else "make distclean setup PYTHON=/path/to/python3.11")


def check_java() -> Check:
    environ = child_environment()
    version = java_version(environ)
    problem = java_problem(version, environ.get("JAVA_HOME", ""))
    if problem:
        return Check("java", False, problem, JAVA_HINT)
    return Check("java", True, f"{version}, {java_command(environ)}")


def check_spark_home() -> Check:
    """Refuse a SPARK_HOME of another Spark: Spark's scripts would use it, and fail with errors that do not say why."""
    installed = Path(pyspark.__file__).parent
    named = child_environment().get("SPARK_HOME")
    if named and Path(named).resolve() != installed.resolve():
        return Check("spark", False, f"SPARK_HOME={named} is not the Spark installed here", "unset SPARK_HOME")
    return Check("spark", True, f"{pyspark.__version__} in {installed}")


def check_jars(folder: Path) -> Check:
    wrong = wrong_jars(folder)
    if wrong:
        fix = f"rm -f {' '.join(str(folder / name) for name in wrong)} && make setup, once with a connection"
        return Check("jars", False, f"missing, or not the pinned file: {', '.join(wrong)}", fix)
    return Check("jars", True, f"{', '.join(JARS)} in {folder}")


def check_class_archive(settings: Settings) -> Check:
    """Look for the archive that makes a session start faster. All works without it, so this check never fails."""
    version = java_version(child_environment())
    archive = class_archive(version)
    others = [path.name for path in archive.parent.glob("*.jsa") if path != archive]
    if not version or not archive.is_file():
        stale = f" ({', '.join(others)} is of another Java or Delta)" if others else ""
        return Check("class_archive", True, f"none for this Java: a session starts slowly{stale}", "make class-archive")
    if not is_usable(archive, settings):
        return Check("class_archive", True, f"stale, Java does not take it: {archive}", "make class-archive")
    return Check("class_archive", True, str(archive))


def check_packages() -> Check:
    """Compare the installed packages with the pins of pyproject.toml."""
    wrong = []
    required = [Requirement(line) for line in importlib.metadata.requires("headwater") or ()]
    pins = [pin for pin in required if pin.marker is None or pin.marker.evaluate({"extra": ""})]  # not the dev extra
    for pin in pins:
        found = _installed(pin.name)
        if not found or not pin.specifier.contains(found, prereleases=True):
            wrong.append(f"{pin.name} {found or 'missing'} ({pin.specifier})")
    if _installed("pyspark") != _installed("pyspark-client"):
        wrong.append("pyspark and pyspark-client differ")
    if wrong:
        fix = f"rm -f {ROOT / '.venv' / '.packages'} && make setup"
        return Check("packages", False, f"not as pinned: {'; '.join(wrong)}", fix)
    return Check("packages", True, f"{len(pins)} as pinned")


def check_folder(name: str, path: str, is_written: bool) -> Check:
    """Check that a folder exists or can be made, and that its disk has room. Remote folders are not checked."""
    if "://" in path:
        return Check(name, True, f"{path} (not on this machine, not looked at)")
    fix = f"choose another place: HEADWATER__{name.upper()}=…, or {name} in conf/"
    folder = next(place for place in (Path(path), *Path(path).parents) if place.exists())  # the folder or one above it
    if not folder.is_dir():
        return Check(name, False, f"{path}: {folder} is not a folder", fix)
    if (is_written or folder != Path(path)) and not _can_write(folder):
        return Check(name, False, f"{path}: no file can be made in {folder}", f"chmod u+w {folder}, or {fix}")
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check(name, False, f"{path}: {folder} cannot be read", f"chmod u+rx {folder}, or {fix}")
    free = shutil.disk_usage(folder).free / GB
    if free < GB_TO_RUN:
        return Check(name, False, f"{path}: only {free:.1f} GB are free", f"free some disk, or {fix}")
    return Check(name, True, f"{path}, {free:.0f} GB free")


def check_server_port(server: ServerSettings, section: str) -> Check:
    """Check that a server's port is free, or that such a server answers there already."""
    found = check_port(server, section)
    name = "port" if section == "mlflow" else f"{section}_port"
    is_good = found.is_free or found.is_ours
    return Check(name, is_good, found.detail, "" if is_good else found.fix)


def check_time_zone() -> Check:
    zone = " and ".join(dict.fromkeys(time.tzname))
    return Check("time_zone", True, f"this machine shows {zone}; Headwater reckons and prints in UTC")


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _tracking_folder(tracking_uri: str) -> str:
    """Return the folder of a local tracking store, or the URI of a store on another machine."""
    if tracking_uri.startswith("sqlite:///"):
        return str(Path(tracking_uri.removeprefix("sqlite:///")).parent)
    return tracking_uri.removeprefix("file://")
