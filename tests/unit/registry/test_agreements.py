"""Agreements: signed, prolonged, ended."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.registry.domain.agreements import (
    Agreement,
    AlreadyEnded,
    EndLiesAhead,
    EndsBeforeSigned,
    SignedInFuture,
    Signing,
    end_is_due_at,
    end_now,
    expire,
    move_end,
    one_in_force,
    sign,
)

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


def test_an_agreement_that_is_to_end_now_has_a_last_day_that_is_not_ahead() -> None:
    agreement = signed(date(2026, 6, 30))
    ended = end_now(agreement, TODAY, TODAY)
    assert isinstance(ended, Agreement)
    assert (ended.state, ended.ends_on, ended.ended_on) == ("ended", TODAY, TODAY)
    assert end_now(agreement, date(2026, 3, 10), TODAY) == EndLiesAhead(TODAY)
    assert end_now(ended, TODAY, TODAY) == ended
    assert end_now(ended, date(2026, 3, 8), TODAY) == AlreadyEnded("A-1", TODAY)


@pytest.mark.parametrize(
    ("signed_on", "ends_on", "problem"),
    [
        (TODAY, None, None),
        (TODAY, TODAY, None),
        (date(2026, 3, 10), None, SignedInFuture(TODAY)),
        (TODAY, date(2026, 3, 8), EndsBeforeSigned(TODAY)),
    ],
)
def test_nothing_is_signed_on_a_day_to_come_nor_ends_before_it_began(
    signed_on: date, ends_on: date | None, problem: SignedInFuture | EndsBeforeSigned | None
) -> None:
    assert Signing("A-1", signed_on, ends_on).bad_term(TODAY) == problem


def test_a_signing_tells_of_the_agreement_that_has_its_terms() -> None:
    known = sign("A-1", SIGNED, None, NOW, TODAY, ("express", "letters"), "3205")
    assert Signing("A-1", SIGNED, None, ("letters", "express")).tells_of(known)
    assert Signing("A-1", SIGNED, None, ("letters", "express"), "3205").tells_of(known)
    assert not Signing("A-1", SIGNED, None, ("letters",)).tells_of(known)
    assert not Signing("A-1", SIGNED, None, ("letters", "express"), "3201").tells_of(known)


@pytest.mark.req("REG-19")
def test_b_leads_while_an_agreement_is_in_force() -> None:
    open_ended, over = signed(None), signed(date(2026, 3, 1))
    assert one_in_force([over, open_ended])
    assert not one_in_force([over])
    assert not one_in_force([])
