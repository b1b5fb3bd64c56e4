"""The checks on questions and answers that both engines share."""

from collections.abc import Mapping, Sequence
from typing import Any

from conf.errors import DataError, TrainingError
from training.dataset.columns import KNOWN_AT
from training.dataset.inputs import Inputs
from training.registry.compatibility import find_incompatibility
from training.scoring.plan import ScoringPlan


def refuse_questions(plan: ScoringPlan, found: Sequence[Mapping[str, Any]]) -> None:
    """Raise a DataError that names these rows of the spine, if there are any: they cannot be asked about."""
    if found:
        keys = "; ".join(", ".join(f"{name}={row[name]}" for name in (*plan.key, KNOWN_AT)) for row in found)
        raise DataError(
            f"{plan.spine.full_name} has rows without prediction_at, or known only after it: {keys}",
            "mend spine.prediction_at or spine.where, or begin after them with --from",
        )


def check_compatible(plan: ScoringPlan, inputs: Inputs) -> None:
    """Raise a TrainingError when the version cannot answer with the features as they are declared now."""
    reason = find_incompatibility(plan.job.fingerprints, plan.tracking, plan.version, inputs)
    if reason:
        hint = f"run `headwater train {plan.job.model}`"
        raise TrainingError(f"champion v{plan.version.number} cannot score: {reason}", hint)


def check_numbers(plan: ScoringPlan, rows: int, numbers: int) -> None:
    """Raise a DataError when fewer of the answers than there are rows are finite numbers."""
    if numbers != rows:
        version = f"champion v{plan.version.number} of {plan.job.model}"
        raise DataError(f"{version} gave no number for {rows - numbers} rows", "train it again")
