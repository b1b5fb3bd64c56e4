"""Maintenance of the lake: tables whose partitions have gathered many small files are compacted. No row changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
from pipelines.delta.log import count_files, table_files
from pipelines.delta.merge import compact_files
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts

SMALL_BYTES = 64 * 1024 * 1024
MANY_FILES = 8


@dataclass(frozen=True)
class Compaction:
    """What maintenance did to one table, in files."""

    table: str
    files_before: int
    files_after: int
    commit: Commit

    @property
    def is_compacted(self) -> bool:
        return self.commit.version_after > self.commit.version_before


def maintain_tables(project: Project, lake: Lake, run: RunFacts) -> list[Compaction]:
    """Compact each table that has a partition with ``MANY_FILES`` small files or more."""
    return [_maintain(lake, layer, name, run) for layer, name in list_tables(project, lake)]


def list_tables(project: Project, lake: Lake) -> list[tuple[str, str]]:
    """Return the tables of the project that have been written, as (layer, name)."""
    contracts = sorted(project.contracts)
    named: Iterable[tuple[str, str]] = (
        *((layer, name) for layer in ("bronze", "silver", "quarantine") for name in contracts),
        *(("gold", name) for name in sorted(project.views)),
        *(("gold", f"{name}_scores") for name in sorted(project.models)),
        *(("ops", name) for name in ("files", "runs", "retraining")),
    )
    return [(layer, name) for layer, name in named if lake.exists(layer, name)]


def build_crowded(files: DataFrame) -> DataFrame:
    """Return the partitions that have gathered many small files, lazily.

    Parameters
    ----------
    files : grain (path); partitionValues map, size in bytes
    """
    partition = F.array_sort(F.map_entries("partitionValues"))
    small = files.where(F.col("size") < SMALL_BYTES)
    counted = small.groupBy(partition.alias("partition")).agg(F.count(F.lit(1)).alias("files"))
    return counted.where(F.col("files") >= MANY_FILES)


def _maintain(lake: Lake, layer: str, name: str, run: RunFacts) -> Compaction:
    spark, path = lake.spark, lake.path(layer, name)
    before = count_files(spark, path)
    if before < MANY_FILES or build_crowded(table_files(spark, path)).isEmpty():
        return Compaction(f"{layer}.{name}", before, before, unchanged(lake.version(layer, name)))
    commit = compact_files(spark, path, Stamp(name, run))
    return Compaction(f"{layer}.{name}", before, count_files(spark, path), commit)
