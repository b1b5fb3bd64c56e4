"""When to try again after a failure: at once when another file landed, else after a pause that grows."""

from collections.abc import Set
from dataclasses import dataclass

from pipelines.landing.listing import LandedFile

LONGEST_SECONDS = 600


@dataclass
class Pause:
    """Without a failure there is none. With each failure it doubles, from ``shortest`` seconds on."""

    shortest: float
    _tried: Set[LandedFile] = frozenset()
    _seconds: float = 0
    _until: float = 0

    def is_over(self, landed: Set[LandedFile], now: float) -> bool:
        """Tell whether to try now, with the files that landed and are not loaded."""
        return not self._seconds or not landed <= self._tried or now >= self._until

    def note(self, landed: Set[LandedFile], has_failed: bool, now: float) -> None:
        """Note how a try with these files ended."""
        self._tried = landed
        self._seconds = min(2 * self._seconds or self.shortest, LONGEST_SECONDS) if has_failed else 0
        self._until = now + self._seconds
