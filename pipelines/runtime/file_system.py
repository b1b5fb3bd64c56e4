"""Files and folders through Hadoop's file systems: the same calls work on a local path and on ``s3a://``.

This is the only module that asks the JVM for a file system. No call here starts a Spark job.
"""

from typing import Any

from pyspark.sql import SparkSession


def path_exists(spark: SparkSession, uri: str) -> bool:
    """Tell whether a file or folder lies at ``uri``."""
    path, file_system = _resolve(spark, uri)
    return bool(file_system.exists(path))


def list_folders(spark: SparkSession, uri: str) -> list[str]:
    """Return the names of the folders in a folder, sorted; none when there is no such folder."""
    path, file_system = _resolve(spark, uri)
    if not file_system.exists(path):
        return []
    return sorted(status.getPath().getName() for status in file_system.listStatus(path) if status.isDirectory())


def remove_folder(spark: SparkSession, uri: str) -> None:
    """Remove a folder and everything in it, if there is one."""
    path, file_system = _resolve(spark, uri)
    file_system.delete(path, True)


def rename_folder(spark: SparkSession, source: str, target: str) -> bool:
    """Rename a folder; tell whether it succeeded."""
    path, file_system = _resolve(spark, source)
    return bool(file_system.rename(path, _resolve(spark, target)[0]))


def _resolve(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """Return Hadoop's path of a URI, and the file system that it lies in."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return path, path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
