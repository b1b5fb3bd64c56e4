"""The recipe of a model: a hash of all that its fit follows from. The same recipe makes the same model."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from functools import cache

from conf.model import ModelDeclaration
from conf.settings import ROOT
from training.dataset.collected_rows import Rows
from training.model.estimator import estimator_params, estimator_path

ENGINE = ("conf", "features", "pipelines", "training")


def recipe_of(declaration: ModelDeclaration, rows: Rows, requirements: Sequence[str]) -> str:
    """Hash the rows, the inputs, the estimator, its libraries and the engine's source. 32 hex digits."""
    parts = {
        "rows": rows.content_hash,
        "inputs": list(rows.inputs.kinds.items()),
        "estimator": estimator_path(declaration.estimator, declaration.task),
        "params": estimator_params(declaration.estimator, declaration.task),
        "task": declaration.task,
        "requirements": list(requirements),
        "engine": engine_digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@cache
def engine_digest() -> str:
    """Hash the engine's own source files."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in ENGINE for path in (ROOT / folder).glob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def git_commit() -> str:
    """Return the commit of the engine's checkout; ``unknown`` where there is none."""
    return _git("rev-parse", "HEAD") or "unknown"


@cache
def is_git_dirty() -> bool:
    """Tell whether the checkout differs from its commit."""
    return bool(_git("status", "--porcelain"))


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
