"""The verdicts of the gate that versions carry, and what became of a version at the gate."""

import json
from dataclasses import dataclass
from enum import StrEnum

from training.registry.gate import Verdict
from training.registry.versions import Version

VERDICT_TAG, REASON_TAG = "gate.verdict", "gate.reason"


class Step(StrEnum):
    """What the gate did: it moved the alias, refused to move it, or found that an earlier run had done so already."""

    PROMOTED = "PROMOTED"
    REFUSED = "REFUSED"
    ALREADY_CHAMPION = "ALREADY_CHAMPION"
    ALREADY_REFUSED = "ALREADY_REFUSED"


@dataclass(frozen=True)
class PromoteReport:
    """What became of a version at the gate; ``champion`` is the version that holds the alias afterwards."""

    model: str
    version: int
    step: Step
    champion: int | None
    verdict: Verdict | None


def recorded_verdict(version: Version, champion: int | None) -> Verdict | None:
    """Return the verdict on a version, if it was judged against the champion that holds the alias now.

    Of the champion itself, return the verdict that made it champion.
    """
    written = version.tags.get(VERDICT_TAG)
    if written is None:
        return None
    verdict = Verdict.from_json(json.loads(written))
    return verdict if champion in (verdict.champion_version, version.number) else None


def find_settled(model: str, version: Version, champion: int | None) -> PromoteReport | None:
    """Return the report on a version that the gate has nothing more to do for; None when it has."""
    verdict = recorded_verdict(version, champion)
    if champion == version.number:
        return PromoteReport(model, version.number, Step.ALREADY_CHAMPION, champion, verdict)
    if verdict is not None and not verdict.is_promoted:
        return PromoteReport(model, version.number, Step.ALREADY_REFUSED, champion, verdict)
    return None
