"""Counter codes: one customer a day, whatever the order of requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.counter_codes import (
    CodeMapping,
    EndsBeforeStart,
    MappingEnded,
    Overlap,
    clean_counter_code,
    end_mapping,
    holding,
    map_code,
)

pytestmark = pytest.mark.req("REG-10")

DAY = date(2026, 3, 9)


def mapping(customer: str, first: int | None, last: int | None, id: int = 0) -> CodeMapping:
    """A mapping by days around `DAY`."""
    start = None if first is None else DAY + timedelta(days=first)
    end = None if last is None else DAY + timedelta(days=last)
    return CodeMapping(id, "K", customer, start, end)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ((None, None), (None, None), True),
        ((None, 0), (1, None), False),
        ((None, 0), (0, None), True),
        ((1, None), (None, 0), False),
        ((0, 5), (5, 9), True),
        ((0, 5), (6, 9), False),
        ((0, 0), (0, 0), True),
        ((0, -1), (None, None), False),
    ],
)
def test_mappings_meet_on_the_days_that_both_have(
    one: tuple[int | None, int | None], other: tuple[int | None, int | None], meet: bool
) -> None:
    first, second = mapping("A", *one), mapping("B", *other)
    assert first.overlaps(second) is second.overlaps(first) is meet


def test_the_same_mapping_again_is_the_one_on_record() -> None:
    known = mapping("A", 0, None, id=7)
    assert map_code(mapping("A", 0, None), [known]) == known
    assert map_code(mapping("A", 1, None), [known]) == Overlap((known,))


def test_one_code_has_a_meaning_of_its_own_in_each_scope() -> None:
    everywhere = mapping("A", None, None, id=1)
    city = replace(mapping("B", None, None, id=2), unit_code="3205")
    counter = replace(mapping("C", None, None, id=3), counter_id="32050001")
    known = [everywhere, city, counter]
    for each in known:
        assert not any(each.overlaps(other) for other in known if other is not each)
        assert map_code(replace(each, id=0, customer_code="D"), known) == Overlap((each,))
        assert map_code(replace(each, id=0), known) == each
    other = replace(mapping("D", None, None), unit_code="3201")
    assert map_code(other, known) == other


def test_a_mapping_cannot_end_before_it_starts() -> None:
    assert map_code(mapping("A", 0, -1), []) == EndsBeforeStart(DAY)
    assert map_code(mapping("A", 0, 0), []) == mapping("A", 0, 0)


def test_a_mapping_ends_earlier_never_later() -> None:
    known = mapping("A", 0, 10, id=7)
    assert end_mapping(known, DAY + timedelta(days=10)) == known
    assert end_mapping(known, DAY + timedelta(days=11)) == MappingEnded(DAY + timedelta(days=10))
    shorter = end_mapping(known, DAY + timedelta(days=9))
    assert isinstance(shorter, CodeMapping)
    assert (shorter.valid_to, shorter.version, shorter.taken_back) == (DAY + timedelta(days=9), 2, False)
    back = end_mapping(known, DAY - timedelta(days=1))
    assert isinstance(back, CodeMapping)
    assert back.taken_back
    assert holding([back]) == ()


offsets = st.none() | st.integers(-4, 4)
requests = st.lists(st.tuples(st.sampled_from("ABC"), offsets, offsets), max_size=12)


@given(requests)
def test_no_order_of_requests_gives_a_code_two_customers_on_one_day(
    asked: list[tuple[str, int | None, int | None]],
) -> None:
    known: list[CodeMapping] = []
    for customer, first, last in asked:
        decided = map_code(mapping(customer, first, last, id=0), known)
        if isinstance(decided, CodeMapping) and not decided.id:
            known.append(CodeMapping(len(known) + 1, "K", customer, decided.valid_from, decided.valid_to))
    for offset in range(-9, 10):
        day = DAY + timedelta(days=offset)
        on_day = [each for each in known if each.overlaps(CodeMapping(0, "K", "?", day, day))]
        assert len(on_day) <= 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("K 001", "K 001"),
        ("１２３", "１２３"),
        ("e\u0301", "é"),
        ("x" * 32, "x" * 32),
        ("x" * 33, None),
        ("", None),
        ("  ", None),
        ("a\tb", None),
        ("a\u0000", None),
    ],
)
def test_a_counters_code_is_taken_as_it_is_sent(text: str, code: str | None) -> None:
    assert clean_counter_code(text) == code
