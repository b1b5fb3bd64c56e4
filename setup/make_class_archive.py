"""Make Java's class archive (AppCDS), from which Java loads Spark's classes, so that a session starts faster.

A session runs a little of everything, and Java stores the classes that it loaded. Headwater also works without the
archive, so a failure is only reported and set-up goes on. Java writes the archive while it shuts down, some seconds
after Python is done; so it is written to a temporary name, and renamed when Java has ended.
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
from pyspark.sql import SparkSession, Window
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
        print("class archive: already made")
        return 0
    print("class archive: making it, about a minute (once)", flush=True)
    started = time.monotonic()
    problem = make_archive(archive, settings)
    if problem:
        print(f"class archive: not made, so sessions start more slowly: {problem}\n  → try again: make class-archive")
        return 0
    for old in archive.parent.glob("*.jsa"):
        if old != archive:
            old.unlink()
    seconds, size_mb = time.monotonic() - started, archive.stat().st_size / 1024**2
    print(f"class archive: made in {seconds:.0f} s, {size_mb:.0f} MB")
    return 0


def make_archive(archive: Path, settings: Settings) -> str:
    """Make the archive; return why it could not be made, or ''."""
    if shutil.disk_usage(archive.parent).free < NEEDED_BYTES:
        return "the disk is nearly full"
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        fresh = Path(folder) / "fresh.jsa"
        command = [sys.executable, __file__, "--run-session", str(fresh), folder]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            _, log = child.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it took longer than {LONGEST_SECONDS} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        if child.returncode or not is_usable(fresh, settings):
            errors = [line for line in log.splitlines() if line.strip() and not line.startswith("WARNING")]
            return errors[-1] if errors else "Java wrote no archive that it can use"
        fresh.replace(archive)
    return ""


def run_session(archive: Path, folder: Path) -> None:
    """Run the session whose classes Java archives, and wait until Java has ended."""
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
    """Read, write, merge, join and window a few rows in the ways of the real jobs, so that Java loads their classes."""
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
    source = partitioned.where("id < 50").withColumn("amount", F.col("amount") + 1).alias("s")
    for _ in range(2):
        target = DeltaTable.forPath(spark, table).alias("t")
        merge = target.merge(source, "t.id = s.id AND t.month IN ('1970-01', '1970-02')")
        merge.whenMatchedUpdateAll("t.amount <> s.amount").whenNotMatchedInsertAll().execute()
    stored = spark.read.format("delta").option("versionAsOf", 1).load(table)
    ranked = Window.partitionBy("name").orderBy(F.col("event_at").desc())
    newest = stored.withColumn("rank", F.row_number().over(ranked)).where("rank <= 3")
    sums = stored.groupBy("name", F.window("event_at", "1 day")).agg(F.sum("amount"), F.max("event_at"), F.count("*"))
    newest.join(sums, "name", "left").orderBy("id").toPandas()
    rows.mapInPandas(_unchanged, rows.schema).cache().count()
    spark.sql("SELECT try_cast('x' AS double), sha2('x', 256), from_json('{}', 'a int')").collect()
    DeltaTable.forPath(spark, table).history(1).select("operationMetrics").collect()


def _unchanged(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield from batches


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run-session"]:
        run_session(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main())
