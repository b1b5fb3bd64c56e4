"""The Spark properties of an environment, made here for the embedded session and for spark-submit alike.

ARCHITECTURE.md, "Settings that matter", gives the reason for each of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from conf.jars import find_archive, jar_paths
from conf.settings import ROOT, Settings, secret_properties
from conf.spark_profile import LARGE, SparkProfile

LOG_SETTINGS = ROOT / "conf" / "log4j2.properties"
REDACTED = "(?i)secret|password|token|access[.]?key|credential|private|jdbc|sas|dsn"


@contextmanager
def properties_file(settings: Settings) -> Iterator[Path]:
    """Write the Spark properties and secrets to a file that only this user can read; it is deleted afterwards."""
    properties = spark_properties(settings, find_archive()) | secret_properties(settings)
    with NamedTemporaryFile("w", prefix="headwater-", suffix=".properties", encoding="utf-8") as file:
        file.writelines(f"{name}={_escaped(value)}\n" for name, value in properties.items())
        file.flush()
        yield Path(file.name)


def spark_properties(settings: Settings, archive: Path | None = None, profile: SparkProfile = LARGE) -> dict[str, str]:
    """Return every Spark property without the secrets.

    What the settings say wins: the other keys of ``spark`` over the profile, and ``spark.properties`` over all.
    """
    spark, jars = settings.spark, [str(path) for path in jar_paths()]
    java = ["-Duser.timezone=UTC", "-Xlog:disable", "-Xlog:all=error:stderr"]
    java += [*(spark.driver_java_options or profile.java_options).split()]
    java.append(f"-Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()}")
    if archive is not None and archive.is_file():
        java.append(f"-XX:SharedArchiveFile={archive}")
    properties: dict[str, str] = {
        "spark.master": spark.master,
        "spark.driver.memory": spark.driver_memory,
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions or profile.shuffle_partitions),
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
        "spark.sql.runSQLOnFiles": "false",
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.redaction.regex": REDACTED,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    } | dict(profile.properties)
    if spark.is_local:
        properties |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.warehouse.dir": str(ROOT / "lake" / "warehouse"),
        }
    else:
        properties |= {"spark.jars": ",".join(jars), "spark.executor.extraJavaOptions": "-Duser.timezone=UTC"}
    return properties | {name: _text(value) for name, value in spark.properties.items()}


def _escaped(value: str) -> str:
    """Escape a value for a properties file of Java."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
