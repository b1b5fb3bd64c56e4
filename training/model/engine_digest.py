"""The hash of the engine's own source: another code may make another model of the same rows."""

import hashlib
from functools import cache

from conf.settings import ROOT

ENGINE = (
    "conf/*.py",
    "features/*.py",
    "features/spark/*.py",
    "features/local/*.py",
    "pipelines/**/*.py",
    "training/**/*.py",
)


@cache
def engine_digest() -> str:
    """Hash the engine's own source files."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in ENGINE for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
