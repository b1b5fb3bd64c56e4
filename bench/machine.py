"""The machine and the versions with which something was measured."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from conf.instants import format_instant
from conf.java import java_version
from conf.settings import child_environment
from pipelines.runtime.code_version import code_version, is_git_dirty

PACKAGES = ("pyspark", "delta-spark", "deltalake", "pyarrow", "mlflow", "polars", "duckdb")


def describe_machine() -> dict[str, str]:
    """Return facts of this machine at this moment, as text by name."""
    code = code_version() + (" with changes that are not committed" if is_git_dirty() else "")
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "measured at": format_instant(datetime.now(UTC).replace(microsecond=0)),
        "code": code,
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1024**3:.0f} GiB",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "Java": java_version(child_environment()) or "none",
        "Python": platform.python_version(),
        **{name: version for name, version in versions.items() if version},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
