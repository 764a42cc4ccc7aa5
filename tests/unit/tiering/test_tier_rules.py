"""Promotion, agreements, closing and holding as pure decisions, at and around their boundaries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.tiering.adapters.code_shape import reason_for_unknown
from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain.account import Account
from services.tiering.domain.agreement import NEVER_COVERED, Agreement, Cover, cover_after
from services.tiering.domain.closing import ClosedYears, at_close, refusal
from services.tiering.domain.entries import Transaction
from services.tiering.domain.explanation import explain
from services.tiering.domain.holding import (
    DatePolicy,
    HoldReason,
    Sale,
    date_reason,
    reversal_reason,
    years_after,
)
from services.tiering.domain.promotion import deciding_year, last_rise, on_booking, on_grant, on_signing
from services.tiering.domain.refusals import EarlierYearOpen, YearNotOver
from services.tiering.domain.standing import Direction, Reason, Standing, moved
from shared.contracts import counter_v1

CITY, LETTERS = (scheme.versions[0] for scheme in load_schemes())
SIGNED = date(2025, 3, 1)
COVERED = Standing(cover=Cover(signed_on=SIGNED))
GOLD = replace(COVERED, tier=3, version=1, effective_on=date(2026, 2, 1))


def totals(**years: int) -> dict[int, list[int]]:
    """`y2026=5` means 5 fen of letters in 2026."""
    return {int(name[1:]): [fen, 0, 0, 0, 0, 0, 0, 0] for name, fen in years.items()}


@pytest.mark.req("TIE-7")
def test_the_booking_that_reaches_a_threshold_promotes_to_the_highest_level_at_once() -> None:
    move = on_booking(CITY, COVERED, None, date(2026, 3, 9), 20_000_000, None)
    assert move is not None
    assert (move.from_tier, move.to_tier, move.direction) == (0, 3, Direction.PROMOTION)
    assert (move.reason, move.effective_on, move.year, move.total_fen) == (
        Reason.THRESHOLD_REACHED, date(2026, 3, 9), 2026, 20_000_000,
    )  # fmt: skip
    assert on_booking(CITY, COVERED, None, date(2026, 3, 9), 999_999, None) is None
    assert on_booking(CITY, GOLD, None, date(2026, 3, 9), 99_999_999, None) is None


@pytest.mark.req("TIE-7")
@pytest.mark.parametrize(
    ("business_date", "last", "signed", "effective"),
    [
        (date(2026, 3, 9), None, date(2026, 1, 1), date(2026, 3, 9)),
        (date(2026, 3, 9), date(2026, 5, 1), date(2026, 1, 1), date(2026, 5, 1)),
        (date(2026, 3, 9), date(2026, 5, 1), date(2026, 6, 1), date(2026, 6, 1)),
    ],
)
def test_a_promotion_takes_effect_on_the_latest_of_its_dates(
    business_date: date, last: date | None, signed: date, effective: date
) -> None:
    standing = Standing(effective_on=last, cover=Cover(signed_on=signed))
    move = on_booking(CITY, standing, None, business_date, 1_000_000, None)
    assert move is not None and move.effective_on == effective


@pytest.mark.req("TIE-10")
def test_late_revenue_promotes_for_the_last_closed_year_alone() -> None:
    late = on_booking(CITY, COVERED, None, date(2025, 12, 30), 5_000_000, 2025)
    assert late is not None
    assert (late.reason, late.effective_on, late.year) == (Reason.LATE_REVENUE, date(2026, 1, 1), 2025)
    assert on_booking(CITY, COVERED, None, date(2024, 12, 30), 5_000_000, 2025) is None


@pytest.mark.req("TIE-8")
def test_without_an_agreement_in_force_nothing_promotes() -> None:
    ended = Standing(cover=Cover(ended_on=date(2026, 1, 31)))
    for standing in (Standing(), ended):
        assert on_booking(CITY, standing, None, date(2026, 3, 9), 20_000_000, None) is None


@pytest.mark.req("TIE-8")
def test_signing_takes_the_best_of_the_last_closed_and_the_open_years_and_the_latest_that_reaches_it() -> (
    None
):
    years = totals(y2023=100_000_000, y2024=20_000_000, y2025=20_500_000, y2026=5_000_000)
    assert deciding_year(CITY, None, years, 2024) == (3, 2025)
    assert deciding_year(CITY, None, years, None) == (4, 2023)
    assert deciding_year(CITY, None, totals(y2026=999_999), None) is None
    move = on_signing(CITY, COVERED, None, years, 2024, date(2025, 11, 2))
    assert move is not None
    assert (move.to_tier, move.year, move.total_fen, move.reason) == (
        3,
        2025,
        20_500_000,
        Reason.AGREEMENT_SIGNED,
    )
    assert move.effective_on == date(2025, 11, 2)
    assert on_signing(CITY, GOLD, None, years, 2024, None) is None


@pytest.mark.req("TIE-8")
def test_a_total_that_fell_and_rose_again_rose_last_with_its_second_crossing() -> None:
    course = [
        (date(2026, 1, 5), 900),
        (date(2026, 1, 9), 200),
        (date(2026, 2, 1), -300),
        (date(2026, 1, 20), 200),
    ]
    assert last_rise(course, 1_000) == date(2026, 1, 20)
    assert last_rise(course[:3], 1_000) == date(2026, 1, 9)
    assert last_rise(course[:1], 1_000) is None


@pytest.mark.req("TIE-8")
def test_the_chain_goes_on_while_one_agreement_follows_the_other() -> None:
    first = Agreement("A", date(2024, 1, 1), date(2025, 12, 31), (), True, None)
    second = Agreement("B", date(2025, 12, 1), None, (), True, None)
    cover = cover_after(NEVER_COVERED, CITY, [first])
    assert cover == Cover(signed_on=date(2024, 1, 1))
    over = replace(first, in_force=False, ended_on=date(2025, 12, 31))
    assert cover_after(cover, CITY, [over, second]).signed_on == date(2024, 1, 1)
    broken = cover_after(cover, CITY, [over])
    assert broken == Cover(ended_on=date(2025, 12, 31))
    assert cover_after(broken, CITY, [over, second]).signed_on == date(2025, 12, 1)


@pytest.mark.req("TIE-8")
def test_an_agreement_that_was_over_when_first_told_ends_nothing() -> None:
    old = Agreement("A", date(2019, 1, 1), date(2027, 6, 30), (), False, date(2027, 6, 30))
    assert cover_after(NEVER_COVERED, CITY, [old]) == NEVER_COVERED
    held = Agreement("B", date(2024, 1, 1), None, (), True, None)
    cover = cover_after(NEVER_COVERED, CITY, [old, held])
    over = replace(held, in_force=False, ended_on=date(2025, 12, 31))
    assert cover_after(cover, CITY, [old, over], [old, held]) == Cover(ended_on=date(2025, 12, 31))


@pytest.mark.req("TIE-8")
def test_an_agreement_covers_a_scheme_when_one_of_its_lines_is_counted() -> None:
    express = Agreement("A", date(2026, 1, 1), None, (2,), True, None)
    assert cover_after(NEVER_COVERED, CITY, [express]).in_force
    assert not cover_after(NEVER_COVERED, LETTERS, [express]).in_force
    assert cover_after(NEVER_COVERED, LETTERS, [replace(express, lines=())]).in_force


@pytest.mark.req("TIE-9")
@pytest.mark.parametrize(
    ("closed_fen", "later_fen", "tier", "total"),
    [
        (19_999_999, 0, 2, 19_999_999),
        (20_000_000, 0, None, 0),
        (500, 5_000_000, 2, 500),
        (-1, 0, 0, -1),
        (0, 20_000_000, None, 0),
    ],
)
def test_a_close_keeps_the_best_of_the_closed_year_and_the_years_after(
    closed_fen: int, later_fen: int, tier: int | None, total: int
) -> None:
    after, move = at_close(CITY, GOLD, None, totals(y2026=closed_fen, y2027=later_fen), 2026)
    assert after.closed_through == 2026
    if tier is None:
        assert move is None and after.tier == 3
    else:
        assert move is not None
        assert (move.to_tier, move.total_fen, move.reason) == (tier, total, Reason.YEAR_END)
        assert (move.effective_on, after.version) == (date(2027, 1, 1), 2)


@pytest.mark.req("TIE-9")
def test_a_close_never_takes_effect_before_the_last_change() -> None:
    late = replace(GOLD, effective_on=date(2027, 1, 4))
    _, move = at_close(CITY, late, None, totals(y2026=0), 2026)
    assert move is not None and move.effective_on == date(2027, 1, 4)


@pytest.mark.req("TIE-8", "TIE-9", "TIE-20")
def test_the_first_close_after_an_end_without_renewal_goes_to_none() -> None:
    ended = replace(GOLD, cover=Cover(ended_on=date(2027, 2, 28)))
    assert not ended.key_account(CITY) and GOLD.key_account(CITY)
    after, move = at_close(CITY, ended, None, totals(y2026=100_000_000), 2026)
    assert move is not None
    assert (move.to_tier, move.reason, move.effective_on) == (0, Reason.AGREEMENT_ENDED, date(2027, 3, 1))
    assert at_close(CITY, after, None, totals(), 2027)[1] is None


@pytest.mark.req("TIE-6", "TIE-9")
def test_a_granted_level_is_held_whatever_the_revenue_until_it_is_withdrawn() -> None:
    upstream = Standing(granted=True)
    move = on_grant(LETTERS, upstream, None, {}, date(2026, 5, 1), None)
    assert move is not None and (move.to_tier, move.reason) == (4, Reason.GRANTED)
    held = moved(upstream, move)
    assert at_close(LETTERS, held, None, {}, 2026)[1] is None
    back = on_grant(LETTERS, replace(held, granted=False), None, {}, date(2027, 5, 1), 2026)
    assert back is not None and (back.to_tier, back.direction) == (0, Direction.DEMOTION)
    assert on_grant(CITY, upstream, None, {}, date(2026, 5, 1), None) is None


@pytest.mark.req("TIE-9")
def test_years_close_in_order_and_only_when_they_are_over() -> None:
    none = ClosedYears({})
    assert refusal(2026, date(2026, 12, 31), none, None) == YearNotOver(2026)
    assert refusal(2026, date(2027, 1, 1), none, None) is None
    assert refusal(2026, date(2027, 1, 1), none, 2024) == EarlierYearOpen(2024)
    closed = ClosedYears({2025: datetime(2026, 1, 6, tzinfo=UTC)})
    assert refusal(2024, date(2027, 1, 1), closed, None) is None
    assert closed.closed_at(2019) == closed.closed_at(2025)
    assert closed.closed_at(2026) is None


@pytest.mark.req("TIE-3")
@pytest.mark.parametrize(("ahead", "held"), [(2, False), (3, True)])
def test_a_business_date_more_than_two_days_ahead_is_held(ahead: int, held: bool) -> None:
    today = date(2026, 3, 1)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    day = today + timedelta(days=ahead)
    expected = HoldReason.FUTURE_DATE if held else None
    assert date_reason(day, today, date(2027, 1, 1), now, ClosedYears({}), DatePolicy()) is expected
    assert date_reason(day, date(2027, 1, 1), today, now, ClosedYears({}), DatePolicy()) is expected


@pytest.mark.req("TIE-3")
def test_a_closed_year_takes_corrections_for_two_years_from_the_instant_of_its_close() -> None:
    closed_at = datetime(2024, 2, 29, 12, tzinfo=UTC)
    closed = ClosedYears({2023: closed_at})
    day = date(2021, 5, 5)
    last = datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert years_after(closed_at, 2) == last
    assert date_reason(day, day, last.date(), last, closed, DatePolicy()) is None
    after = last + timedelta(microseconds=1)
    assert date_reason(day, day, last.date(), after, closed, DatePolicy()) is HoldReason.YEAR_TOO_OLD
    assert (
        date_reason(date(2024, 1, 1), day, last.date(), after, closed, DatePolicy()) is HoldReason.FUTURE_DATE
    )


@pytest.mark.req("TIE-4")
def test_a_named_reversal_must_fit_its_sale() -> None:
    sale = Sale(account=7, line=2, left_fen=500)
    assert reversal_reason(sale, 7, 2, 500) is None
    assert reversal_reason(sale, 7, 2, 501) is HoldReason.OVER_REVERSAL
    assert reversal_reason(sale, 8, 2, 1) is HoldReason.REVERSAL_MISMATCH
    assert reversal_reason(sale, 7, 3, 1) is HoldReason.REVERSAL_MISMATCH


@pytest.mark.req("REG-4", "TIE-5")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("3205000000011", HoldReason.UNKNOWN_CODE),
        ("3205000000012", HoldReason.BAD_CHECK_DIGIT),
        ("320500000001", HoldReason.UNKNOWN_CODE),
        ("３２０５０００００００１２", HoldReason.UNKNOWN_CODE),
        ("LOCAL-7", HoldReason.UNKNOWN_CODE),
    ],
)
def test_a_check_digit_only_names_the_reason_of_an_unknown_code(code: str, reason: HoldReason) -> None:
    assert reason_for_unknown(code) is reason


@pytest.mark.req("TIE-15")
def test_an_explanation_says_what_is_missing_and_what_holds_a_customer_back() -> None:
    account = Account(1, "3205000000011", totals=totals(y2025=30_000_000, y2026=4_000_000))
    told = explain(CITY, Standing(), account, 2024, date(2026, 6, 1))
    assert (told.justified, told.year, told.held_back_by_agreement) == (3, 2025, True)
    silver = replace(COVERED, tier=2)
    ahead = explain(CITY, silver, account, 2025, date(2026, 6, 1)).next_level
    assert ahead is not None and (ahead.tier, ahead.missing_fen, ahead.year) == (3, 16_000_000, 2026)
    ahead = explain(CITY, silver, account, None, date(2026, 6, 1)).next_level
    assert ahead is not None and (ahead.threshold_fen, ahead.year) == (20_000_000, 2025)
    nothing = explain(CITY, Standing(), Account(2, "x"), 2025, date(2026, 6, 1)).next_level
    assert nothing is not None and (nothing.missing_fen, nothing.year) == (1_000_000, 2026)
    diamond = replace(COVERED, tier=4)
    assert explain(CITY, diamond, account, None, date(2026, 6, 1)).next_level is None


def test_the_ledgers_transaction_has_the_fields_of_the_contracts_in_its_order() -> None:
    assert Transaction._fields == counter_v1.Transaction._fields
