"""Where benchmarks keep what they make: ``lake/bench`` of the clone, which git ignores; nothing stays there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.settings import ROOT


@contextmanager
def scratch_folder(benchmark: str) -> Iterator[Path]:
    """Yield an empty folder, and remove it afterwards."""
    folder = ROOT / "lake" / "bench" / benchmark
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty_folder(folder: Path) -> Path:
    """Remove what is in a folder, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
