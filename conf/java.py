"""Which Java Spark will start, and how new it is. Standard library only: set-up asks before anything is installed."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

OLDEST_JAVA = 17
JAVA_HINT = (
    f"install Java {OLDEST_JAVA} or newer (a package called openjdk-{OLDEST_JAVA}-jre-headless, or a JDK from its"
    " vendor), or point JAVA_HOME at one"
)


def java_command(environ: Mapping[str, str]) -> str:
    """Return the path of the java that Spark's own scripts choose: JAVA_HOME's, else the first on PATH; '' if none."""
    home = environ.get("JAVA_HOME")
    if home:
        command = Path(home) / "bin" / "java"
        return str(command) if command.is_file() else ""
    return shutil.which("java", path=environ.get("PATH", "")) or ""


def java_version(environ: Mapping[str, str]) -> str:
    """Return the full version of that java, such as ``17.0.15``; '' when there is none or it does not run."""
    command = java_command(environ)
    if not command:
        return ""
    try:
        done = subprocess.run([command, "-version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r'version "([^"]+)"', done.stderr)
    return found[1] if found else ""


def java_problem(version: str, home: str = "") -> str:
    """Return what is wrong with a Java of this version, or ''. ``home`` is JAVA_HOME, named if it misleads."""
    where = f" under JAVA_HOME={home}" if home else ""
    if not version:
        return f"no Java that runs was found{where or ' on PATH'}"
    major = re.match(r"\d+", version)
    if major is None or int(major[0]) < OLDEST_JAVA:
        return f"Java {version}{where} is too old; {OLDEST_JAVA} or newer is needed"
    return ""
