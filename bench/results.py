"""What a benchmark found: cases, each with the usage of every engine in every turn; kept as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

OURS = "Headwater"


@dataclass(frozen=True)
class Usage:
    """What one run took, in seconds."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Case:
    """One size or kind of work.

    Parameters
    ----------
    engines : the usage of each engine by turn, ours first; the names of ours begin with ``Headwater``
    facts : what else is to be said of the case, by column
    """

    name: str
    engines: Mapping[str, list[Usage]]
    facts: Mapping[str, str | int | float] = field(default_factory=dict)

    def median(self, engine: str, unit: str) -> float:
        return float(median(getattr(usage, unit) for usage in self.engines[engine]))

    def ratios(self, engine: str, peer: str, unit: str) -> list[float]:
        """Return an engine's seconds divided by a peer's, of each turn."""
        turns = zip(self.engines[engine], self.engines[peer], strict=True)
        return [getattr(ours, unit) / getattr(theirs, unit) for ours, theirs in turns]

    @property
    def ours(self) -> list[str]:
        return [name for name in self.engines if name.startswith(OURS)]

    @property
    def peers(self) -> list[str]:
        return [name for name in self.engines if not name.startswith(OURS)]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        engines = {name: [Usage(**usage) for usage in turns] for name, turns in content["engines"].items()}
        return cls(content["name"], engines, content["facts"])


@dataclass(frozen=True)
class Report:
    """One run of one benchmark: when, where, by which command."""

    benchmark: str
    command: str
    machine: Mapping[str, str]
    cases: list[Case]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        cases = [Case.from_json(case) for case in content["cases"]]
        return cls(content["benchmark"], content["command"], content["machine"], cases)


def read_reports(path: Path) -> dict[str, Report]:
    """Return the reports of a file by benchmark; none when there is no file."""
    if not path.is_file():
        return {}
    return {name: Report.from_json(content) for name, content in json.loads(path.read_text(encoding="utf-8")).items()}


def keep_report(path: Path, report: Report) -> None:
    """Write a report into a file, in the place of the older one of the same benchmark."""
    reports = {**read_reports(path), report.benchmark: report}
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: _rounded(asdict(reports[name])) for name in sorted(reports)}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Round all numbers to milliseconds, so that the file can be read."""
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value
