"""The condition that names a load's files to Delta: it holds for all of them, it is short, and it leaves gaps out."""

import re
from hashlib import sha256
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.bronze.hash_bounds import MOST_RANGES, bound_hashes

HASHES = st.binary(min_size=2, max_size=2).map(lambda two: two.hex() + "0" * 60)


def ranges_of(bound: str) -> list[tuple[str, str]]:
    """Read the condition back as ranges; a single hash is a range of itself."""
    found = []
    for part in bound.removeprefix("(").removesuffix(")").split(" OR "):
        ends = re.fullmatch(r"t\._file_hash (?:= '(\w+)'|>= '(\w+)' AND t\._file_hash <= '(\w+)')", part)
        assert ends is not None, part
        found.append((ends[1] or ends[2], ends[1] or ends[3]))
    return found


@given(st.sets(HASHES, min_size=1, max_size=80))
@example({f"{number:02x}" + "0" * 62 for number in range(80)})
def test_every_hash_is_within_and_the_widest_gaps_are_not(hashes: set[str]) -> None:
    ordered, ranges = sorted(hashes), ranges_of(bound_hashes(hashes))
    assert len(ranges) == min(len(hashes), MOST_RANGES)
    assert all(any(low <= one <= high for low, high in ranges) for one in hashes)
    assert all(low in hashes and high in hashes for low, high in ranges)

    def width(low: str, high: str) -> int:
        return int(high, 16) - int(low, 16)

    left_out = [width(one[1], two[0]) for one, two in pairwise(ranges)]
    covered = [gap for gap in pairwise(ordered) if any(low <= gap[0] and gap[1] <= high for low, high in ranges)]
    assert not covered or min(left_out) >= max(width(*gap) for gap in covered)


def test_the_condition_stays_short_for_any_number_of_files() -> None:
    many = [sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    assert bound_hashes(many[:1]) == f"(t._file_hash = '{many[0]}')"
    assert len(bound_hashes(many)) < MOST_RANGES * 200
