"""The only module that starts Spark.

An embedded session takes its properties from ``conf``. Under spark-submit they were given to spark-submit already, so
this module sets none.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from conf.errors import EnvironmentProblem
from conf.jars import find_archive, jar_paths
from conf.settings import Settings, is_submitted, secret_properties, set_environment, use_utc
from conf.spark_profile import LARGE, SparkProfile
from conf.spark_properties import spark_properties
from conf.storage import storage_options

LOOPBACK = "127.0.0.1"
JAVA_WARNING = b"WARNING: "  # begins Java's lines about modules and deprecated methods; users cannot act on them
ABOVE_ALL_LEVELS = 100


def open_session(
    settings: Settings, app_name: str = "headwater", is_verbose: bool = False, profile: SparkProfile = LARGE,
    is_shielded: bool = False,
) -> SparkSession:  # fmt: skip
    """Start Spark, or return the session that already runs.

    Parameters
    ----------
    is_verbose : also show the warnings of Spark and Java
    profile : sizes a Spark that starts embedded in this process
    is_shielded : Ctrl-C in the terminal does not reach Spark's processes, only this one

    Raises
    ------
    EnvironmentProblem : when Java is missing or too old, or the Delta jars are missing
    """
    if (active := SparkSession.getActiveSession()) is not None:
        return active
    missing = [path.name for path in jar_paths() if not path.is_file()]
    if missing:
        raise EnvironmentProblem(f"the jars {', '.join(missing)} are missing", "run `make setup` once, online")
    use_utc()
    set_environment(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
    warnings.filterwarnings("ignore", message=".*distutils.*", category=DeprecationWarning)
    if not is_submitted():
        _start_embedded(settings, app_name, is_verbose, profile, is_shielded)
    spark = SparkSession.builder.appName(app_name).getOrCreate()
    spark.sparkContext.setLogLevel("WARN" if is_verbose else "ERROR")
    if not is_verbose:
        # PySpark logs 10 kB of JSON before every analysis error, which Headwater reports in its own words.
        PySparkLogger.getLogger("SQLQueryContextLogger").setLevel(ABOVE_ALL_LEVELS)
    return spark


def session_storage(spark: SparkSession, uri: str) -> dict[str, str]:
    """Return the options by which a URI is reached outside Spark, from the session's own properties."""
    return storage_options(uri, dict(spark.sparkContext.getConf().getAll())) if "://" in uri else {}


def has_session() -> bool:
    """Tell whether this process has started Spark."""
    return SparkSession.getActiveSession() is not None


def close_session() -> None:
    """Stop Spark if it runs."""
    if (active := SparkSession.getActiveSession()) is not None:
        active.stop()


def _start_embedded(
    settings: Settings, app_name: str, is_verbose: bool, profile: SparkProfile, is_shielded: bool
) -> None:
    """Start a JVM with the properties of ``conf``, and a Spark context in it."""
    properties = spark_properties(settings, find_archive(), profile) | secret_properties(settings)
    if properties.get("spark.driver.host") == LOOPBACK:
        set_environment(SPARK_LOCAL_IP=LOOPBACK)  # else Spark looks for another address, and warns
    conf = SparkConf().setAppName(app_name).setAll(list(properties.items()))
    if SparkContext._gateway is not None:  # a JVM that was started before is used again
        SparkContext(conf=conf)
        return
    with ExitStack() as pipe:
        stderr = None if is_verbose else pipe.enter_context(_filtered_stderr())
        popen = {"stderr": stderr, "start_new_session": is_shielded}
        gateway = launch_gateway(conf, popen)  # type: ignore[no-untyped-call]
    SparkContext(conf=conf, gateway=gateway)


@contextmanager
def _filtered_stderr() -> Iterator[int]:
    """Yield the end of a pipe for Java's stderr; what Java writes into it is shown without its own warnings."""
    reading, writing = os.pipe()
    threading.Thread(target=_pass_on_errors, args=(reading,), daemon=True, name="stderr of Java").start()
    try:
        yield writing
    finally:
        os.close(writing)


def _pass_on_errors(reading: int) -> None:
    """Copy what Java writes to stderr, without its own warnings, until Java ends."""
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not line.startswith(JAVA_WARNING):
                sys.stderr.write(line.decode(errors="replace"))
                sys.stderr.flush()


@contextmanager
def temporary_confs(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Set properties of the session while the body runs, then put the old values back, also after an error.

    A commit's stamp is set this way. If it stayed, Delta would take the next commit for one that it has already
    made, and silently skip it.
    """
    before = {name: spark.conf.get(name, None) for name in confs}
    try:
        for name, value in confs.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, old in before.items():
            spark.conf.unset(name) if old is None else spark.conf.set(name, old)
