"""Which Java Spark will start, and its version. Uses only the standard library, as set-up runs it before installing."""

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
    """Return the path of the java that Spark's scripts use: that of JAVA_HOME, else the first on PATH, else ''."""
    home = environ.get("JAVA_HOME")
    if home:
        command = Path(home) / "bin" / "java"
        return str(command) if command.is_file() else ""
    return shutil.which("java", path=environ.get("PATH", "")) or ""


def java_version(environ: Mapping[str, str]) -> str:
    """Return the version of the java that Spark will start, such as ``17.0.15``, or '' when none is found or runs."""
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
    """Return why this version of Java cannot be used, or ''. ``home`` is JAVA_HOME, to be named in the message."""
    where = f" under JAVA_HOME={home}" if home else ""
    if not version:
        return f"no Java that runs was found{where or ' on PATH'}"
    major = re.match(r"\d+", version)
    if major is None or int(major[0]) < OLDEST_JAVA:
        return f"Java {version}{where} is too old; {OLDEST_JAVA} or newer is needed"
    return ""
