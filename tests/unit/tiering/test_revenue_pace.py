"""When revenue is told: at once while things are quiet, seldom under heavy work, and all of it once that is over."""

from __future__ import annotations

from itertools import pairwise

from services.tiering.entrypoints.revenue import HEAVY, HEAVY_REST_SECONDS, Pace


def test_the_first_booking_after_silence_is_told_at_once() -> None:
    pace = Pace()
    assert pace.look(0.0, 10)
    assert pace.look(60.0, 11)


def test_under_a_steady_trickle_telling_rests_nine_times_as_long_as_it_took() -> None:
    pace = Pace()
    pace.look(0.0, 1)
    pace.told(0.0, 0.1)
    assert not pace.look(0.5, 2)
    assert not pace.look(0.9, 3)
    assert pace.look(1.0, 4)


def test_what_is_left_is_told_without_rest_once_nothing_more_is_booked() -> None:
    pace = Pace()
    pace.look(0.0, 1)
    pace.told(0.0, 0.4)
    assert not pace.look(0.5, 2)
    assert pace.look(0.6, 2)


def test_heavy_booking_is_disturbed_seldom_until_it_pauses() -> None:
    pace = Pace()
    head, told_at = 0, []
    for tenth in range(151):
        head += HEAVY // 10
        if pace.look(tenth / 10, head):
            told_at.append(tenth / 10)
            pace.told(tenth / 10, tenth / 10 + 0.05)
    heavy = [at for at in told_at if at > 2.0]
    assert len(heavy) >= 2
    assert all(later - earlier >= HEAVY_REST_SECONDS for earlier, later in pairwise(heavy))
    assert not pace.look(15.5, head)
    assert pace.look(16.1, head)


def test_what_does_not_fit_into_one_telling_waits_while_the_ledger_is_worked_on() -> None:
    pace = Pace()
    pace.look(0.0, 1)
    pace.told(0.0, 0.1, full=True)
    assert not pace.look(1.5, 2)
    assert not pace.look(1.6, 2, at_work=True)
    assert pace.look(HEAVY_REST_SECONDS + 0.1, 3)
    pace.told(HEAVY_REST_SECONDS + 0.1, HEAVY_REST_SECONDS + 0.2, full=True)
    assert pace.look(HEAVY_REST_SECONDS + 0.3, 3), "nobody books: all the rest at once"
