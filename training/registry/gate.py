"""The gate decides whether a challenger becomes champion, by numbers that were all measured on the same rows.

The challenger must beat the trivial baseline, and the champion if there is one. A number that is not finite never wins.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from conf.model import Gate


@dataclass(frozen=True)
class Champion:
    """The champion's metric on the challenger's holdout. ``incompatibility``: why it cannot answer; '' when it can."""

    version: int
    value: float
    incompatibility: str = ""
    has_seen_holdout: bool = False  # its training rows reach into the time of the holdout


@dataclass(frozen=True)
class Measured:
    """The gate's metric on the holdout, measured for the challenger and for the trivial baseline."""

    metric: str
    is_greater_better: bool
    challenger: float
    baseline: float


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, with the numbers it saw and the reason in words."""

    is_promoted: bool
    reason: str
    metric: str
    challenger: float
    baseline: float
    champion: float | None = None
    champion_version: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON can hold it: a number that is not finite becomes null."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read a verdict that ``as_json`` wrote. A measured number that became null is NaN again."""
        measured = ["challenger", "baseline", *(["champion"] if content["champion_version"] is not None else [])]
        return cls(**{**content, **{name: math.nan for name in measured if content[name] is None}})


def judge(gate: Gate, measured: Measured, champion: Champion | None) -> Verdict:
    """Compare the challenger with the baseline, then the champion. A gain must be above zero and reach its margin."""
    is_promoted, reason = _decide(gate, measured, champion)
    against: tuple[float | None, int | None] = (champion.value, champion.version) if champion else (None, None)
    return Verdict(is_promoted, reason, measured.metric, measured.challenger, measured.baseline, *against)


def _decide(gate: Gate, measured: Measured, champion: Champion | None) -> tuple[bool, str]:
    name, challenger, baseline = measured.metric, measured.challenger, measured.baseline
    if not math.isfinite(challenger):
        return False, f"{name} of the challenger is not a number on this holdout"
    if not math.isfinite(baseline):
        return False, f"{name} of the trivial baseline is not a number on this holdout"
    if not _gains(measured, baseline, gate.min_gain_over_baseline):
        return False, f"{name} {challenger:.6g} does not beat the trivial baseline's {baseline:.6g}"
    if champion is None:
        return True, f"{name} {challenger:.6g} beats the trivial baseline's {baseline:.6g}; there is no champion yet"
    if champion.incompatibility:
        return True, f"champion v{champion.version} cannot answer this holdout: {champion.incompatibility}"
    if not math.isfinite(champion.value):
        return True, f"{name} of champion v{champion.version} is not a number on this holdout"
    against = f"champion v{champion.version}'s {champion.value:.6g} on the same rows"
    if champion.has_seen_holdout:
        against += ", some of which that champion was trained on"
    if not _gains(measured, champion.value, gate.min_gain_over_champion):
        return False, f"{name} {challenger:.6g} does not beat {against}"
    return True, f"{name} {challenger:.6g} beats {against}"


def _gains(measured: Measured, other: float, margin: float) -> bool:
    gain = measured.challenger - other if measured.is_greater_better else other - measured.challenger
    return gain > 0 and gain >= margin
