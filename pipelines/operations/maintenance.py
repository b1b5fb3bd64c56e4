"""Maintenance of the lake: compacts the tables in which a partition has many small files. No row changes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.delta.commit import Commit, Stamp, unchanged
from pipelines.delta.lake import Lake
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
        before = after = lake.files(layer, name)
        commit = unchanged(lake.version(layer, name))
        if is_crowded(before):
            commit = compact_files(lake.spark, lake.path(layer, name), Stamp(name, run))
            after = lake.files(layer, name)
        compactions.append(Compaction(f"{layer}.{name}", len(before), len(after), commit))
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


def is_crowded(files: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a partition has ``MANY_FILES`` small files or more.

    Parameters
    ----------
    files : each with size_bytes and, where the table has partitions, partition
    """
    small = (file for file in files if file["size_bytes"] < SMALL_BYTES)
    return max(Counter(str(file.get("partition")) for file in small).values(), default=0) >= MANY_FILES
