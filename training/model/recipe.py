"""The recipe of a model: a hash of everything that decides its fit. The same recipe makes the same model."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache

from conf.model import ModelDeclaration
from conf.settings import ROOT
from training.dataset.collected_rows import CollectedRows
from training.model.estimator import estimator_params, estimator_path

ENGINE = ("conf/*.py", "features/*.py", "features/spark/*.py", "pipelines/**/*.py", "training/**/*.py")


def recipe_of(declaration: ModelDeclaration, rows: CollectedRows, requirements: Sequence[str]) -> str:
    """Hash the rows, the inputs, the estimator, its packages and the engine's source. Returns 32 hex digits."""
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
    for path in sorted(path for pattern in ENGINE for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
