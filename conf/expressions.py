"""Which words a Spark SQL expression contains, found without parsing it."""

import re

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def words_of(expression: str) -> set[str]:
    """Return every word of an expression: the columns that it reads, and also its functions and keywords.

    All are in lower case, because ``Amount`` and ``amount`` are the same column to Spark.
    """
    return {word.lower() for word in _WORD.findall(expression)}
