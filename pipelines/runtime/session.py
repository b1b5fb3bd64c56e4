"""The one place that starts Spark.

Embedded, the session takes its properties from ``conf``; under spark-submit they have been passed already and
nothing is set here.
"""

import sys
import warnings

from pyspark import SparkConf
from pyspark.sql import SparkSession

from conf.errors import EnvironmentProblem
from conf.settings import Settings, secret_properties, set_environment, use_utc
from conf.spark_properties import find_archive, jar_paths, spark_properties

LOOPBACK = "127.0.0.1"


def open_session(settings: Settings, app_name: str = "headwater") -> SparkSession:
    """Start Spark, or return the session that runs.

    Raises
    ------
    EnvironmentProblem : when Java is missing or too old, or the Delta jars are missing
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    missing = [path.name for path in jar_paths() if not path.is_file()]
    if missing:
        raise EnvironmentProblem(f"the jars {', '.join(missing)} are missing", "run `make setup` once, online")
    use_utc()
    set_environment(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
    warnings.filterwarnings("ignore", message=".*distutils.*", category=DeprecationWarning)
    conf = SparkConf()
    if not conf.contains("spark.submit.deployMode"):
        properties = spark_properties(settings, find_archive()) | secret_properties(settings)
        if properties.get("spark.driver.host") == LOOPBACK:
            set_environment(SPARK_LOCAL_IP=LOOPBACK)  # else Spark looks for an address, and warns
        for name, value in properties.items():
            conf.set(name, value)
    spark = SparkSession.builder.config(conf=conf).appName(app_name).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def has_session() -> bool:
    """Tell whether this process has started Spark."""
    return SparkSession.getActiveSession() is not None


def close_session() -> None:
    """Stop Spark if it runs."""
    active = SparkSession.getActiveSession()
    if active is not None:
        active.stop()
