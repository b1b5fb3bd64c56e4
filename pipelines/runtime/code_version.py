"""Which code runs: the engine's version, and the git commit of the clone it is installed from."""

import importlib.metadata
import subprocess
from functools import cache

from conf.settings import ROOT

UNKNOWN_COMMIT = "unknown"


@cache
def git_commit() -> str:
    """Return the commit of the engine's clone; ``unknown`` where the engine was not installed from a clone."""
    return _git("rev-parse", "HEAD") or UNKNOWN_COMMIT


@cache
def is_git_dirty() -> bool:
    """Tell whether the engine's clone has changes that are not committed."""
    return bool(_git("status", "--porcelain"))


@cache
def code_version() -> str:
    """Return the engine's version; from a clone followed by the short commit, as in ``0.1.0+8e6f5ba08e1e``."""
    version, commit = importlib.metadata.version("headwater"), git_commit()
    return version if commit == UNKNOWN_COMMIT else f"{version}+{commit[:12]}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
