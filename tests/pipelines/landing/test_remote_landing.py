"""A landing folder that Python cannot open: another scheme, through Hadoop's file systems."""

from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from pipelines.delta.lake import Lake
from tests.projects.small_lake import accounting, make_lake


def test_files_behind_another_scheme_load_as_local_ones_do(spark: SparkSession, tmp_path: Path) -> None:
    """viewfs is Hadoop's own: a mount table, here onto the local disk."""
    small = make_lake(spark, tmp_path)
    landing = Path(small.project.settings.landing)
    small.orders("2024-01-02T00-00", "1,a,5.0,2024-01-01T10:00:00Z,1", "2,a,x,2024-01-01T11:00:00Z,1")
    small.orders("2024-01-03T00-00", "1,a,6.0,2024-01-01T10:00:00Z,2", name="new {orders}, 2 [é].csv")
    small.land("orders/d=2024-01-03T00-00/bad.csv", b"\xff\xfe\x00")
    small.land("orders/d=2024-01-03T00-00/.unfinished.csv", "id")
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set("fs.viewfs.mounttable.store.link./landing", landing.as_uri())
    remote = small.project.settings.model_copy(update={"landing": "viewfs://store/landing"})
    small = replace(small, lake=Lake(remote, spark))
    done = small.load()
    assert done.bronze is not None
    assert (done.bronze.files_seen, done.bronze.files_new, done.bronze.files_failed) == (3, 3, 1)
    assert small.rows("silver", "orders", "id", "amount_eur") == [(1, 6.0)]
    found = accounting(small)
    assert found["orders/d=2024-01-02T00-00/orders.csv"] == ("loaded", 2, 0, 1, 1, 0)
    assert found["orders/d=2024-01-03T00-00/new {orders}, 2 [é].csv"] == ("loaded", 1, 1, 0, 0, 0)
    assert found["orders/d=2024-01-03T00-00/bad.csv"][0] == "failed"
    before = small.versions()
    small.load()
    assert small.versions() == before
