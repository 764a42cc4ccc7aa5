"""What a counter's code means at which counter (REG-10): the narrowest binding that covers it on the business date."""

from __future__ import annotations

from datetime import date

import pytest

from services.tiering.domain.account import Binding, meant

pytestmark = pytest.mark.req("REG-10")

DAY = date(2026, 3, 9)
KUNSHAN = "/CN/32/3205/320583/32058301"

ALL = Binding(1)
PROVINCE = Binding(2, unit_code="32")
CITY = Binding(3, unit_code="3205")
COUNTY = Binding(4, unit_code="320583")
OUTLET = Binding(5, unit_code="32058301")
COUNTER = Binding(6, counter_id="32058301")
ELSEWHERE = Binding(7, unit_code="3201")


def test_the_narrower_a_scope_the_sooner_it_holds_whatever_the_order() -> None:
    narrowing = [ALL, PROVINCE, CITY, COUNTY, OUTLET, COUNTER]
    for length in range(1, len(narrowing) + 1):
        some = [*narrowing[:length], ELSEWHERE]
        assert meant(some, DAY, "32058301", KUNSHAN) == narrowing[length - 1]
        assert meant(some[::-1], DAY, "32058301", KUNSHAN) == narrowing[length - 1]


def test_a_counter_whose_unit_nobody_knows_has_only_what_is_its_own_or_everybodys() -> None:
    assert meant([ALL, CITY], DAY, "X", "") == ALL
    assert meant([CITY, ELSEWHERE], DAY, "X", "") is None
    assert meant([ALL, Binding(8, counter_id="X")], DAY, "X", "") == Binding(8, counter_id="X")


def test_a_unit_whose_code_begins_alike_is_another_unit() -> None:
    assert meant([Binding(1, unit_code="320")], DAY, "32058301", KUNSHAN) is None


def test_a_narrow_mapping_that_has_ended_leaves_the_wider_one() -> None:
    ended = Binding(3, date(2026, 1, 1), date(2026, 3, 8), unit_code="3205")
    assert meant([ended, ALL], DAY, "32058301", KUNSHAN) == ALL
    assert meant([ended, ALL], date(2026, 3, 8), "32058301", KUNSHAN) == ended
