"""The delivery time of a file, read from its path, and the names in a landing folder that are no data.

The delivery time is part of the path (``delivered=2013-11-02T11-00/part.csv``), never the file system's time, so
that it is the same wherever the file is copied. A regular expression over whole path segments finds the text of each
strptime directive; ``datetime.strptime`` then makes the time.
"""

import re
from datetime import datetime
from functools import cache

from conf.errors import ConfigError, FileRejected, Problem
from conf.instants import as_utc

# By directive: the least and the greatest number of digits, or the regular expression of a word.
_DIGITS = {"Y": (4, 4), "y": (2, 2), "G": (4, 4), "j": (1, 3), "f": (1, 6), "u": (1, 1)}
_DIGITS |= dict.fromkeys("mdHIMSV", (1, 2))
_WORDS = {"z": r"(?:Z|[+-]\d\d:?\d\d)"} | dict.fromkeys("bBaAp", r"[^\W\d_]+")
_TOKEN = re.compile(r"%(.?)|(\*)|([^%*]+)", re.DOTALL)
_UNFINISHED = (".tmp", ".crc", ".part", "_SUCCESS")


def is_ignored(name: str) -> bool:
    """Tell by its name whether a file or folder is no data: a marker, hidden or unfinished."""
    return name.startswith(("_", ".")) or name.endswith(_UNFINISHED)


def delivered_at(path: str, pattern: str) -> datetime:
    """Return the delivery time that a path holds, in UTC. A pattern without ``%z`` is read as UTC.

    Parameters
    ----------
    path : relative to the table's landing folder, segments separated by ``/``
    pattern : strptime directives and ``*`` (any text within a segment), for one or several whole segments

    Raises
    ------
    FileRejected : when no segments match, the time does not exist, or two places say different times
    ConfigError : when the pattern has a directive that is not known, or no year
    """
    regex, directives = _compile(pattern)
    hint = f"the pattern is {pattern!r}, for whole path segments; rename the file or fix landing.delivered"
    times = set()
    for match in regex.finditer(path):
        values = [match[f"d_{directive}"] for directive in directives]
        try:
            moment = datetime.strptime(" ".join(values), " ".join(f"%{directive}" for directive in directives))
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
def _compile(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return the regular expression of a pattern, and the directives in the order in which they first occur."""
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
            may_touch_digits = any(star or name in _DIGITS for name, star, _ in neighbours)
            parts.append(f"(?P<d_{directive}>{_directive_regex(pattern, directive, may_touch_digits)})")
            seen.append(directive)
    if not {"Y", "y", "G"} & set(seen):
        raise _pattern_error(pattern, "has no year", "write %Y, or `ingestion` if the path holds no time")
    return re.compile(f"(?<![^/]){''.join(parts)}(?![^/])"), tuple(seen)


def _directive_regex(pattern: str, directive: str, may_touch_digits: bool) -> str:
    """Return what a directive matches. A number that other digits may touch must have all its digits: 20131102."""
    if directive in _WORDS:
        return _WORDS[directive]
    if directive not in _DIGITS:
        known = " ".join(f"%{name}" for name in sorted((*_DIGITS, *_WORDS)))
        raise _pattern_error(pattern, f"has the unknown directive %{directive}", f"known: {known}, and %% for a %")
    least, most = _DIGITS[directive]
    return rf"[0-9]{{{most if may_touch_digits else least},{most}}}"


def _pattern_error(pattern: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem("conf/tables", "landing.delivered", f"{pattern!r} {message}", hint)])
