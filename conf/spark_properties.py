"""The Spark properties of an environment, made in one place: the embedded session and spark-submit use the same.

Each setting and its reason: ARCHITECTURE.md, "Settings that matter".
"""

from pathlib import Path

from conf.settings import ROOT, Settings

DELTA_VERSION = "4.4.0"
JARS = (f"delta-spark_4.2_2.13-{DELTA_VERSION}.jar", f"delta-storage-{DELTA_VERSION}.jar")
JAR_FOLDER = ROOT / ".jars"
REDACTED = "(?i)secret|password|token|access[.]?key|credential|private|jdbc|sas|dsn"


def jar_paths(folder: Path = JAR_FOLDER) -> tuple[Path, ...]:
    return tuple(folder / name for name in JARS)


def class_archive(java_version: str, folder: Path = JAR_FOLDER) -> Path:
    """Where the class archive of this Java and these jars lies; it makes a cold start shorter (facts: AppCDS)."""
    return folder / f"headwater-java{java_version}-delta{DELTA_VERSION}.jsa"


def spark_properties(settings: Settings, archive: Path | None = None) -> dict[str, str]:
    """Return every Spark property Headwater sets, without secrets; ``spark.properties`` of the settings win."""
    jars = [str(path) for path in jar_paths()]
    java = ["-Duser.timezone=UTC", "-Xlog:disable", "-Xlog:all=error:stderr"]
    if archive is not None and archive.is_file():
        java.append(f"-XX:SharedArchiveFile={archive}")
    properties: dict[str, str] = {
        "spark.master": settings.spark.master,
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.driver.extraClassPath": ":".join(jars),
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
        "spark.sql.runSQLOnFiles": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "true",
        "spark.redaction.regex": REDACTED,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if settings.spark.is_local:
        properties |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.warehouse.dir": str(ROOT / "lake" / "warehouse"),
        }
    else:
        properties |= {"spark.jars": ",".join(jars), "spark.executor.extraJavaOptions": "-Duser.timezone=UTC"}
    return properties | {name: _text(value) for name, value in settings.spark.properties.items()}


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
