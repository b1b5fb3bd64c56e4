"""The Spark session of the benchmarks. Headwater and the scripts written by hand get the same properties."""

from pyspark.sql import SparkSession

from conf.jars import find_archive
from conf.settings import ROOT, Settings, child_environment, load_settings
from conf.spark_profile import SMALL
from conf.spark_properties import spark_properties
from pipelines.runtime.session import open_session

CORES = 2  # of every engine, on any machine


def bench_settings() -> Settings:
    return load_settings(ROOT, "local", child_environment(HEADWATER__SPARK__MASTER=f"local[{CORES}]"))


def bench_properties() -> dict[str, str]:
    """Return Headwater's own Spark properties, with its class path and class archive, for a script written by hand.

    They are those of the profile ``small``, which Headwater takes for what these benchmarks read.
    """
    return spark_properties(bench_settings(), find_archive(), SMALL)


def open_bench_session() -> SparkSession:
    return open_session(bench_settings(), "bench")
