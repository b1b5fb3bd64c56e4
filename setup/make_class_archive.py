"""Makes the class archive once: a session runs a little of everything, and Java writes down which classes it took.

Nothing depends on it but the time a cold start takes, so whatever goes wrong is told and set-up goes on. Java writes
the archive while it ends, some seconds after Python is done with it: it goes to a name of its own, and gets the final
one when Java has ended.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from delta.tables import DeltaTable
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.jars import class_archive
from conf.java import java_version
from conf.settings import ROOT, Settings, child_environment, load_settings
from conf.spark_properties import spark_properties
from pipelines.runtime.class_archive import is_usable
from pipelines.runtime.session import close_session, open_session

LONGEST_SECONDS = 300
NEEDED_BYTES = 600 * 1024**2


def main() -> int:
    settings = load_settings(ROOT, "local", {})
    archive = class_archive(java_version(child_environment()))
    if is_usable(archive, settings):
        print("class archive: there already")
        return 0
    print("class archive: making it, about a minute (once)", flush=True)
    started = time.monotonic()
    problem = make(archive, settings)
    if problem:
        print(f"class archive: not made, so a session starts more slowly: {problem}")
        print("  → make class-archive tries again")
        return 0
    for old in archive.parent.glob("*.jsa"):
        if old != archive:
            old.unlink()
    size = archive.stat().st_size / 1024**2
    print(f"class archive: made in {time.monotonic() - started:.0f} s, {size:.0f} MB")
    return 0


def make(archive: Path, settings: Settings) -> str:
    """Make the archive; return why it could not be made, or ''."""
    if shutil.disk_usage(archive.parent).free < NEEDED_BYTES:
        return "the disk is nearly full"
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        fresh = Path(folder) / "fresh.jsa"
        command = [sys.executable, __file__, "--run-session", str(fresh), folder]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            _, said = child.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it took longer than {LONGEST_SECONDS} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        if child.returncode or not is_usable(fresh, settings):
            errors = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING")]
            return errors[-1] if errors else "Java made no archive that it takes"
        fresh.replace(archive)
    return ""


def run_session(archive: Path, folder: Path) -> None:
    """Run the session whose classes are archived, and wait until its Java has ended."""
    settings = load_settings(ROOT, "local", {"HEADWATER__LAKE": str(folder / "lake")})
    java = f"{spark_properties(settings)['spark.driver.extraJavaOptions']} -XX:ArchiveClassesAtExit={archive}"
    properties = {**settings.spark.properties, "spark.driver.extraJavaOptions": java}
    spark_settings = settings.spark.model_copy(update={"properties": properties})
    spark = open_session(settings.model_copy(update={"spark": spark_settings}), "class-archive")
    use_everything(spark, folder)
    gateway = SparkContext._gateway
    close_session()
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=LONGEST_SECONDS)


def use_everything(spark: SparkSession, folder: Path) -> None:
    """Read, write, merge, join and window as the jobs do, on a few rows."""
    rows = spark.range(0, 1000, 1, 2).select(
        F.col("id"),
        (F.col("id") % 7).cast("string").alias("name"),
        F.timestamp_seconds(F.col("id") * 3600).alias("event_at"),
        (F.col("id") * 1.5).alias("amount"),
    )
    table = str(folder / "table")
    partitioned = rows.withColumn("month", F.date_format("event_at", "yyyy-MM"))
    partitioned.write.format("delta").partitionBy("month").option("userMetadata", "{}").save(table)
    for file_format in ("csv", "json", "parquet"):
        rows.write.format(file_format).save(str(folder / file_format))
        spark.read.schema(rows.schema).format(file_format).load(str(folder / file_format)).count()
    for _ in range(2):
        merge(spark, table, partitioned.where("id < 50").withColumn("amount", F.col("amount") + 1))
    stored = spark.read.format("delta").option("versionAsOf", 1).load(table)
    ranked = Window.partitionBy("name").orderBy(F.col("event_at").desc())
    newest = stored.withColumn("rank", F.row_number().over(ranked)).where("rank <= 3")
    sums = stored.groupBy("name", F.window("event_at", "1 day")).agg(F.sum("amount"), F.max("event_at"), F.count("*"))
    newest.join(sums, "name", "left").orderBy("id").toPandas()
    rows.mapInPandas(_unchanged, rows.schema).cache().count()
    spark.sql("SELECT try_cast('x' AS double), sha2('x', 256), from_json('{}', 'a int')").collect()
    DeltaTable.forPath(spark, table).history(1).select("operationMetrics").collect()


def merge(spark: SparkSession, table: str, source: DataFrame) -> None:
    (
        DeltaTable.forPath(spark, table)
        .alias("t")
        .merge(source.alias("s"), "t.id = s.id AND t.month IN ('1970-01', '1970-02')")
        .whenMatchedUpdateAll("t.amount <> s.amount")
        .whenNotMatchedInsertAll()
        .execute()
    )


def _unchanged(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield from batches


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run-session"]:
        run_session(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main())
