"""The class archive (AppCDS): Java's memory image of the classes a session loads, which halves a cold start.

Java silently ignores an archive made for another Java or another class path, and a session then starts as slowly as
without one. Here Java is asked, so that set-up makes the archive anew when it must, and ``doctor`` can tell.
"""

import subprocess
from pathlib import Path

import pyspark

from conf.settings import Settings, child_environment
from conf.spark_properties import spark_properties


def is_usable(archive: Path, settings: Settings) -> bool:
    """Return whether Java takes this archive when Spark starts it with these settings; about two seconds."""
    if not archive.is_file():
        return False
    home = str(Path(pyspark.__file__).parent)
    properties = spark_properties(settings, archive)
    java = f"spark.driver.extraJavaOptions={properties['spark.driver.extraJavaOptions']} -Xshare:on"
    class_path = f"spark.driver.extraClassPath={properties['spark.driver.extraClassPath']}"
    command = [f"{home}/bin/spark-submit", "--conf", class_path, "--conf", java, "--version"]
    environ = child_environment(SPARK_HOME=home)
    return subprocess.run(command, capture_output=True, timeout=120, env=environ, check=False).returncode == 0
