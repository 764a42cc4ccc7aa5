"""Two accounts become one (TIE-14): totals, what the alias is left with, and what the survivor takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tiering.adapters.scheme_files import load_schemes
from services.tiering.domain.account import Account
from services.tiering.domain.agreement import NEVER_COVERED, Agreement, Cover
from services.tiering.domain.merging import (
    alias_at_merge,
    joined_agreements,
    joined_cover,
    survivor_at_merge,
    take_totals,
)
from services.tiering.domain.scheme import LINES
from services.tiering.domain.standing import Direction, Reason, Standing

CITY = next(scheme for scheme in load_schemes() if scheme.code == "city-default").versions[0]
DAY = date(2026, 5, 10)
COVERED = Standing(cover=Cover(signed_on=date(2026, 1, 5)))
SILVER = replace(COVERED, tier=2, version=3, effective_on=date(2026, 3, 9))

totals = st.dictionaries(
    st.integers(2020, 2026),
    st.lists(st.integers(-(10**9), 10**9), min_size=len(LINES), max_size=len(LINES)),
    max_size=4,
)
covers = st.builds(
    lambda day, in_force: Cover(signed_on=day) if in_force else Cover(ended_on=day),
    st.dates(date(2020, 1, 1), date(2026, 1, 1)),
    st.booleans(),
) | st.just(NEVER_COVERED)


def account(number: int, years: dict[int, list[int]]) -> Account:
    return Account(number, str(number), totals={year: lines.copy() for year, lines in years.items()})


@pytest.mark.req("TIE-14", "TIE-2")
@given(totals, totals, totals)
def test_totals_add_up_in_whatever_order_customers_are_merged(
    one: dict[int, list[int]], two: dict[int, list[int]], three: dict[int, list[int]]
) -> None:
    a, b, c = account(1, one), account(2, two), account(3, three)
    take_totals(b, a)
    take_totals(c, b)
    d, e, f = account(1, one), account(2, two), account(3, three)
    take_totals(f, e)
    take_totals(f, d)
    assert c.totals == f.totals
    assert a.totals == b.totals == {}
    for year in c.totals:
        parts = [years[year] for years in (one, two, three) if year in years]
        assert c.totals[year] == [sum(line) for line in zip(*parts, strict=True)]


@pytest.mark.req("TIE-14")
def test_the_alias_is_left_with_nothing_and_says_so_once_if_it_held_a_tier() -> None:
    left, move = alias_at_merge(SILVER, DAY)
    assert move is not None
    assert (move.from_tier, move.to_tier, move.reason, move.direction) == (
        2, 0, Reason.MERGED, Direction.CORRECTION,
    )  # fmt: skip
    assert (move.effective_on, move.year, move.total_fen) == (DAY, 2026, 0)
    assert (left.tier, left.version, left.cover) == (0, 4, NEVER_COVERED)
    later = replace(SILVER, effective_on=date(2026, 5, 12))
    assert alias_at_merge(later, DAY)[0].effective_on == date(2026, 5, 12)
    assert alias_at_merge(COVERED, DAY) == (Standing(), None)


@pytest.mark.req("TIE-14", "TIE-8")
@pytest.mark.parametrize(
    ("fen", "tier"), [(4_999_999, 1), (5_000_000, 2), (5_000_001, 2)], ids=["below", "at", "above"]
)
def test_the_survivor_takes_what_both_together_justify(fen: int, tier: int) -> None:
    move = survivor_at_merge(CITY, COVERED, None, {2026: [0, 0, fen, 0, 0, 0, 0, 0]}, None, DAY, None)
    assert move is not None
    assert (move.to_tier, move.total_fen, move.year) == (tier, fen, 2026)
    assert (move.reason, move.direction, move.effective_on) == (Reason.MERGED, Direction.CORRECTION, DAY)


@pytest.mark.req("TIE-14")
@given(totals, st.integers(0, 4), st.booleans())
def test_a_merge_never_lowers_the_survivor_and_without_an_agreement_never_raises_it(
    years: dict[int, list[int]], tier: int, covered: bool
) -> None:
    standing = replace(COVERED if covered else Standing(), tier=tier)
    move = survivor_at_merge(CITY, standing, None, years, None, DAY, None)
    assert move is None or (covered and move.to_tier > tier and move.effective_on >= DAY)


@pytest.mark.req("TIE-14", "TIE-8")
def test_the_survivors_chain_goes_on_and_else_the_aliass() -> None:
    own, other = Cover(signed_on=date(2024, 1, 1)), Cover(signed_on=date(2020, 1, 1))
    ended, earlier = Cover(ended_on=date(2025, 6, 30)), Cover(ended_on=date(2023, 6, 30))
    assert joined_cover(own, other) == own
    assert joined_cover(ended, other) == other
    assert joined_cover(NEVER_COVERED, other) == other
    assert joined_cover(earlier, ended) == joined_cover(ended, earlier) == ended
    assert joined_cover(NEVER_COVERED, NEVER_COVERED) == NEVER_COVERED


@given(covers, covers)
def test_both_together_are_covered_if_either_is(one: Cover, other: Cover) -> None:
    assert joined_cover(one, other).in_force == (one.in_force or other.in_force)


def test_agreements_are_told_apart_by_their_numbers() -> None:
    def signed(number: str, year: int) -> Agreement:
        return Agreement(number, date(year, 1, 1), None, (), True, None)

    joined = joined_agreements((signed("A", 2024),), (signed("A", 2020), signed("B", 2021)))
    assert [(one.number, one.signed_on.year) for one in joined] == [("A", 2024), ("B", 2021)]
