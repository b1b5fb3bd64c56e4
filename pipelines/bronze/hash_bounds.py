"""The files of a load, named to Delta in a few literals, however many they are.

Delta skips a data file when its least and greatest ``_file_hash`` cannot meet a condition. It takes a long IN list by
its least and greatest value alone, which skips nothing. So the hashes are bound by a few ranges instead, and the
widest gaps between the hashes are left out.
"""

from collections.abc import Collection

MOST_RANGES = 32


def bound_hashes(hashes: Collection[str]) -> str:
    """Return a condition on ``t._file_hash`` that holds for each of these hex hashes, and for few others."""
    ordered = sorted(set(hashes))
    numbers = [int(hash_, 16) for hash_ in ordered]
    widest_first = sorted(range(1, len(ordered)), key=lambda place: numbers[place - 1] - numbers[place])
    starts = [0, *sorted(widest_first[: MOST_RANGES - 1])]
    ranges = [
        (ordered[start], ordered[end - 1]) for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)
    ]
    return f"({' OR '.join(_is_between(low, high) for low, high in ranges)})"


def _is_between(low: str, high: str) -> str:
    if low == high:
        return f"t._file_hash = '{low}'"
    return f"t._file_hash >= '{low}' AND t._file_hash <= '{high}'"
