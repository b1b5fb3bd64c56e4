"""The recipe of a model: a hash of everything that decides its fit. The same recipe makes the same model."""

import hashlib
import json
from collections.abc import Sequence

from conf.model import ModelDeclaration
from training.dataset.rows import TrainingRows
from training.model.engine_digest import engine_digest
from training.model.estimator import estimator_params, estimator_path


def recipe_of(declaration: ModelDeclaration, rows: TrainingRows, requirements: Sequence[str]) -> str:
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
