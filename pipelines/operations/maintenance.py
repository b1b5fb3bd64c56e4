"""Maintenance of the lake: compacts the tables in which a partition has many small files. No row changes."""

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
    compactions = []
    for layer, name in list_tables(project, lake):
        spark, path, commit = lake.spark, lake.path(layer, name), unchanged(lake.version(layer, name))
        before = count_files(spark, path)
        if before >= MANY_FILES and not build_crowded(table_files(spark, path)).isEmpty():
            commit = compact_files(spark, path, Stamp(name, run))
        compactions.append(Compaction(f"{layer}.{name}", before, count_files(spark, path), commit))
    return compactions


def list_tables(project: Project, lake: Lake) -> list[tuple[str, str]]:
    """Return the tables of the project that have been written, as (layer, name)."""
    contracts, scores = sorted(project.contracts), [f"{name}_scores" for name in sorted(project.models)]
    names = {
        **dict.fromkeys(("bronze", "silver", "quarantine"), contracts),
        "gold": [*sorted(project.views), *scores],
        "ops": ["files", "runs", "retraining"],
    }
    return [(layer, name) for layer in names for name in names[layer] if lake.exists(layer, name)]


def build_crowded(files: DataFrame) -> DataFrame:
    """Return the partitions with ``MANY_FILES`` small files or more, lazily.

    Parameters
    ----------
    files : grain (path); partitionValues map, size in bytes
    """
    partition = F.array_sort(F.map_entries("partitionValues")).alias("partition")
    small = files.where(F.col("size") < SMALL_BYTES)
    return small.groupBy(partition).agg(F.count(F.lit(1)).alias("files")).where(F.col("files") >= MANY_FILES)
