"""Agreements: signed, prolonged, ended."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.registry.domain.agreements import Agreement, AlreadyEnded, end_is_due_at, expire, move_end, sign

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
TODAY = date(2026, 3, 9)
SIGNED = date(2026, 1, 5)

pytestmark = pytest.mark.req("REG-20")


def signed(ends_on: date | None) -> Agreement:
    return sign("A-1", SIGNED, ends_on, NOW, TODAY)


@pytest.mark.parametrize(
    ("ends_on", "state", "ended_on"),
    [
        (None, "in_force", None),
        (date(2026, 3, 8), "ended", date(2026, 3, 8)),
        (date(2026, 3, 9), "in_force", None),
        (date(2026, 3, 10), "in_force", None),
    ],
)
def test_the_last_day_belongs_to_an_agreement(
    ends_on: date | None, state: str, ended_on: date | None
) -> None:
    agreement = signed(ends_on)
    assert (agreement.state, agreement.ended_on) == (state, ended_on)


def test_an_agreement_ends_when_the_day_after_its_last_begins_in_shanghai() -> None:
    assert end_is_due_at(date(2026, 3, 9)) == datetime(2026, 3, 9, 16, tzinfo=UTC)
    assert expire(signed(TODAY), TODAY).state == "in_force"
    assert expire(signed(TODAY), date(2026, 3, 10)).state == "ended"


def test_ending_twice_changes_nothing() -> None:
    ended = expire(signed(TODAY), date(2026, 3, 10))
    assert expire(ended, date(2026, 5, 1)) == ended


def test_an_agreement_in_force_is_prolonged_shortened_or_ended() -> None:
    agreement = signed(date(2026, 6, 30))
    longer = move_end(agreement, date(2027, 6, 30), TODAY)
    assert isinstance(longer, Agreement)
    assert (longer.ends_on, longer.state) == (date(2027, 6, 30), "in_force")
    ended = move_end(agreement, date(2026, 3, 8), TODAY)
    assert isinstance(ended, Agreement)
    assert (ended.state, ended.ended_on) == ("ended", date(2026, 3, 8))


def test_an_ended_agreement_stays_ended() -> None:
    ended = signed(date(2026, 3, 1))
    assert move_end(ended, date(2026, 3, 1), TODAY) == ended
    assert move_end(ended, date(2026, 12, 31), TODAY) == AlreadyEnded("A-1", date(2026, 3, 1))
