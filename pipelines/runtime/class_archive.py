"""The class archive (AppCDS): a file with the classes that a Spark session loads. With it Spark starts twice as fast.

Java silently ignores an archive that was made for another Java or another class path. Here Java is asked whether it
takes the archive: set-up then makes a new one if it does not, and ``headwater doctor`` reports it.
"""

import subprocess
from pathlib import Path

import pyspark

from conf.settings import Settings, child_environment
from conf.spark_properties import spark_properties


def is_usable(archive: Path, settings: Settings) -> bool:
    """Tell whether Java takes this archive when Spark starts it with these settings. Asking takes about two seconds."""
    if not archive.is_file():
        return False
    home = str(Path(pyspark.__file__).parent)
    properties = spark_properties(settings, archive)
    # With -Xshare:on Java fails where it would otherwise ignore the archive.
    java = f"spark.driver.extraJavaOptions={properties['spark.driver.extraJavaOptions']} -Xshare:on"
    class_path = f"spark.driver.extraClassPath={properties['spark.driver.extraClassPath']}"
    command = [f"{home}/bin/spark-submit", "--conf", class_path, "--conf", java, "--version"]
    environ = child_environment(SPARK_HOME=home)
    return subprocess.run(command, capture_output=True, timeout=120, env=environ, check=False).returncode == 0
