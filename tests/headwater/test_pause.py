"""When `watch` tries again after a failure."""

from headwater.pause import LONGEST_SECONDS, Pause
from pipelines.landing.listing import LandedFile

BAD = LandedFile("/landing/bad", "bad", 10, 7)
POWERS = (5, 10, 20, 40, 80, 160, 320)
MENDED = LandedFile("/landing/bad", "bad", 11, 8)


def test_without_a_failure_there_is_no_pause() -> None:
    pause = Pause(5)
    assert pause.is_over(frozenset(), 0)
    pause.note({BAD}, False, 0)
    assert pause.is_over({BAD}, 0)


def test_after_a_failure_another_file_ends_the_pause_and_a_file_less_does_not() -> None:
    pause = Pause(5)
    pause.note({BAD}, True, 100)
    assert not pause.is_over({BAD}, 104.9)
    assert not pause.is_over(frozenset(), 104.9)
    assert pause.is_over({BAD, MENDED}, 100)
    assert pause.is_over({MENDED}, 100)
    assert pause.is_over({BAD}, 105)


def test_the_pause_doubles_up_to_ten_minutes_and_begins_anew_after_a_success() -> None:
    pause, now, pauses = Pause(5), 0.0, []
    for has_failed in [*[True] * 9, False, True]:
        pause.note({BAD}, has_failed, now)
        waited = next(seconds for seconds in (0, *POWERS, LONGEST_SECONDS) if pause.is_over({BAD}, now + seconds))
        pauses.append(waited)
        now += waited
    assert pauses == [*POWERS, LONGEST_SECONDS, LONGEST_SECONDS, 0, 5]
