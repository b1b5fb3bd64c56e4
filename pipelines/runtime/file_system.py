"""Files and folders through Hadoop's file systems: the same calls work on a local path and on ``s3a://``.

Nothing else in the engine asks the JVM for a file system. No call here starts a Spark job.
"""

from typing import Any

from py4j.protocol import Py4JJavaError
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


def read_text(spark: SparkSession, uri: str) -> str | None:
    """Return the text of a small UTF-8 file; None when there is no such file."""
    path, file_system = _resolve(spark, uri)
    jvm: Any = spark._jvm
    try:
        stream = file_system.open(path)
    except Py4JJavaError as error:
        if "FileNotFoundException" in error.java_exception.toString():
            return None
        raise
    try:
        return str(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def remove_folder(spark: SparkSession, uri: str) -> None:
    """Remove a folder with all that lies in it, if there is one."""
    path, file_system = _resolve(spark, uri)
    file_system.delete(path, True)


def rename_folder(spark: SparkSession, source: str, target: str) -> bool:
    """Rename a folder; tell whether that was done."""
    path, file_system = _resolve(spark, source)
    renamed, _ = _resolve(spark, target)
    return bool(file_system.rename(path, renamed))


def _resolve(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """Return Hadoop's path of a URI, and the file system that it lies in."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return path, path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
