"""When a file was delivered, read from its path, and which names in a landing folder are data at all.

The delivery time is part of the path (``delivered=2013-11-02T11-00/part.csv``), never the file system's time, so
that it is the same wherever the file is copied. Every directive of the pattern is found by a regular expression over
whole path segments, then judged by ``datetime.strptime``.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from conf.errors import ConfigError, FileRejected, Problem
from conf.instants import as_utc

_LETTERS = r"[^\W\d_]+"
_NUMBERS = {"Y": (4, 4), "y": (2, 2), "G": (4, 4), "j": (1, 3), "f": (1, 6), "u": (1, 1)} | dict.fromkeys(
    "mdHIMSV", (1, 2)
)
_WORDS = {"b": _LETTERS, "B": _LETTERS, "a": _LETTERS, "A": _LETTERS, "p": _LETTERS}
_WORDS |= {"z": r"(?:Z|[+-]\d\d:?\d\d)"}
_TOKEN = re.compile(r"%(.?)|(\*)|([^%*]+)", re.DOTALL)
_UNFINISHED = (".tmp", ".crc", ".part", "_SUCCESS")


@dataclass(frozen=True)
class _Pattern:
    regex: re.Pattern[str]
    directives: tuple[str, ...]


def is_ignored(name: str) -> bool:
    """Say whether a file or folder name is a marker, hidden or unfinished, hence no data."""
    return name.startswith(("_", ".")) or name.endswith(_UNFINISHED)


def delivered_at(path: str, pattern: str) -> datetime:
    """Return the delivery time that stands in a path.

    Parameters
    ----------
    path : relative to the table's landing folder, segments separated by ``/``
    pattern : strptime directives and ``*`` (any text within a segment), for one or several whole segments

    Returns
    -------
    an instant in UTC; a pattern without ``%z`` is read as UTC

    Raises
    ------
    FileRejected : when no segments match, the time does not exist, or two places say different times
    ConfigError : when the pattern has a directive that is not known, or no year
    """
    compiled = _compile(pattern)
    hint = f"the pattern is {pattern!r}, for whole path segments; rename the file or mend landing.delivered"
    times = set()
    for match in compiled.regex.finditer(path):
        values = [match[f"d_{directive}"] for directive in compiled.directives]
        try:
            moment = datetime.strptime(" ".join(values), " ".join(f"%{name}" for name in compiled.directives))
            times.add(as_utc(moment))
        except (ValueError, OverflowError):
            raise FileRejected(f"{path} does not match its pattern: {match[0]!r} is not a time", hint) from None
    if not times:
        raise FileRejected(f"{path} does not match its pattern", hint)
    if len(times) > 1:
        found = ", ".join(sorted(moment.isoformat() for moment in times))
        raise FileRejected(f"{path} does not match its pattern in one place only: {found}", hint)
    return times.pop()


@cache
def _compile(pattern: str) -> _Pattern:
    tokens = _TOKEN.findall(pattern)
    parts: list[str] = []
    seen: list[str] = []
    for position, (directive, star, text) in enumerate(tokens):
        if text or star:
            parts.append(re.escape(text) if text else "[^/]*")
        elif directive == "%":
            parts.append("%")
        elif directive in seen:
            parts.append(f"(?P=d_{directive})")
        else:
            neighbours = (*tokens[max(position - 1, 0) : position], *tokens[position + 1 : position + 2])
            is_fixed = any(star or name in _NUMBERS for name, star, _ in neighbours)
            parts.append(f"(?P<d_{directive}>{_directive_regex(pattern, directive, is_fixed)})")
            seen.append(directive)
    if not {"Y", "y", "G"} & set(seen):
        raise _pattern_error(pattern, "has no year", "write %Y, or `ingestion` if the path holds no time")
    return _Pattern(re.compile(f"(?<![^/]){''.join(parts)}(?![^/])"), tuple(seen))


def _directive_regex(pattern: str, directive: str, is_fixed: bool) -> str:
    """Return what a directive matches; a number that other digits may touch has its full width."""
    if directive in _WORDS:
        return _WORDS[directive]
    if directive not in _NUMBERS:
        known = " ".join(f"%{name}" for name in sorted((*_NUMBERS, *_WORDS)))
        raise _pattern_error(pattern, f"has the unknown directive %{directive}", f"known: {known}, and %% for a %")
    least, most = _NUMBERS[directive]
    return rf"[0-9]{{{most if is_fixed else least},{most}}}"


def _pattern_error(pattern: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem("conf/tables", "landing.delivered", f"{pattern!r} {message}", hint)])
