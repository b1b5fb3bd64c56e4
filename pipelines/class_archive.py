"""The class archive (AppCDS): Java's memory image of the classes a session loads, which halves a cold start.

Java silently ignores an archive made for another Java or another class path, and a session then starts as slowly as
without one. Here Java is asked, so that set-up makes the archive anew when it must, and ``doctor`` can tell.
"""

import subprocess
from pathlib import Path

import pyspark

from conf.java import java_command
from conf.settings import Settings, child_environment
from conf.spark_properties import spark_properties

_MAIN = "org.apache.spark.deploy.SparkSubmit"


def is_usable(archive: Path, settings: Settings) -> bool:
    """Return whether Java takes this archive for the command by which Spark's launcher starts a session."""
    if not archive.is_file():
        return False
    command = _session_command(settings, archive)
    if _MAIN not in command:
        return False
    java = [*command[: command.index(_MAIN)], "-Xshare:on", "-version"]
    return subprocess.run(java, capture_output=True, timeout=60).returncode == 0


def _session_command(settings: Settings, archive: Path) -> list[str]:
    home = str(Path(pyspark.__file__).parent)
    java = java_command(child_environment())
    properties = spark_properties(settings, archive)
    options = ("spark.driver.extraClassPath", "spark.driver.extraJavaOptions", "spark.driver.memory")
    confs = [part for name in options for part in ("--conf", f"{name}={properties[name]}")]
    launcher = [java, "-cp", f"{home}/jars/*", "org.apache.spark.launcher.Main", _MAIN, *confs, "pyspark-shell"]
    done = subprocess.run(
        launcher, capture_output=True, text=True, timeout=60, env=child_environment(SPARK_HOME=home), check=False
    )
    return [part for part in done.stdout.split("\0") if part.strip()]
