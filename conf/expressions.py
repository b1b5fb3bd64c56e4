"""The names that a Spark SQL expression mentions, found without parsing it."""

import re

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def words_of(expression: str) -> set[str]:
    """Return every word of an expression in lower case: the columns that it reads, functions and keywords among them.

    Spark's names have no case, so ``Amount`` and ``amount`` are one word.
    """
    return {word.lower() for word in _WORD.findall(expression)}
