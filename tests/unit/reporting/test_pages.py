"""The console's page: what it says, in both languages, and that nothing from outside becomes markup."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.entrypoints.pages import TEXTS, customers_page, sign_in_page
from shared.paging import Listing
from shared.problems import Problem

AS_OF = datetime(2026, 3, 9, 2, 11, 12, tzinfo=UTC)


def _tier(**changes: Any) -> dict[str, Any]:
    return {
        "scheme": "city-default",
        "tier": "gold",
        "effective_on": date(2026, 3, 9),
        "period": "2026",
        "total_fen": 20_000_000,
        "key_account": True,
        **changes,
    }


def _row(*tiers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "customer_code": "3205000000011",
        "name": "苏州织造",
        "unit_code": "3205",
        "unit_name_zh": "苏州市分公司",
        "unit_name_en": "Suzhou",
        "status": "active",
        "agreements": [{"agreement_no": "XY-1"}],
        "tiers": list(tiers),
        **changes,
    }


def test_the_page_speaks_chinese_and_english_and_says_how_old_it_is() -> None:
    zh = customers_page("zh", "李明", [_row(_tier())], None, {}, AS_OF)
    en = customers_page("en", "李明", [_row(_tier())], None, {}, AS_OF)
    assert '<html lang="zh-CN">' in zh and "数据截至: <time" in zh and "苏州市分公司" in zh
    assert '<html lang="en">' in en and "Data as of: <time" in en and "Suzhou" in en
    for page in (zh, en):
        assert "2026-03-09 10:11:12" in page and "2026: 200000.00" in page and "gold" in page


def test_a_customer_without_any_tier_shows_no_data_and_not_zero() -> None:
    page = customers_page("en", "x", [_row()], None, {}, None)
    assert "no data" in page and "0.00" not in page and "no event has arrived yet" in page


def test_a_customer_under_two_schemes_has_a_row_for_each() -> None:
    page = customers_page("en", "x", [_row(_tier(), _tier(scheme="letters", tier="none"))], None, {}, AS_OF)
    assert page.count("<tr>") == 3 and page.count("rowspan=2") == 5


def test_every_text_exists_in_both_languages() -> None:
    assert all(zh and en for zh, en in TEXTS.values())


def test_the_next_page_keeps_the_filters_and_nothing_is_loaded_from_elsewhere() -> None:
    page = customers_page("en", "x", [_row(_tier())], "abc", {"q": "a&b", "cursor": "old"}, AS_OF)
    assert 'href="/?q=a%26b&amp;lang=en&amp;cursor=abc"' in page
    for text in (page, sign_in_page("zh", "refused")):
        assert "<script" not in text and "http://" not in text and "https://" not in text


@given(st.text(alphabet="<>&\"'ab=/ ", min_size=1))
def test_nothing_from_outside_becomes_markup(said: str) -> None:
    plain = customers_page("en", "u", [_row(_tier())], "c", {"q": "q"}, AS_OF)
    row = _row(_tier(scheme=said, tier=said, period=said), name=said, customer_code=said, unit_name_en=said)
    row["agreements"] = [{"agreement_no": said}]
    hostile = customers_page("en", said, [row], said, {"q": said}, AS_OF)
    tags = re.compile(r"<[a-z/!][^>]*>")

    def shape(page: str) -> list[str]:
        return [re.split(r"[ >]", tag)[0] for tag in tags.findall(page)]

    assert shape(hostile) == shape(plain)


@given(st.text(max_size=60))
def test_a_cursor_that_is_none_of_ours_is_refused_as_a_problem(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        Listing("a", {}).after(cursor, ("",))
    assert refused.value.code == "bad_cursor"


def test_a_cursor_belongs_to_its_list_and_filters_and_leads_to_the_next_row() -> None:
    rows, cursor = Listing("a", {"unit": "3205"}).page([1, 2, 3], 2, lambda row: (f"k{row}",))
    assert rows == [1, 2]
    assert Listing("a", {"unit": "3205"}).after(cursor, ("",)) == ("k2",)
    assert Listing("a", {}).page([1, 2], 2, lambda row: (row,)) == ([1, 2], None)
    for other in (Listing("b", {"unit": "3205"}), Listing("a", {"unit": "3201"})):
        with pytest.raises(Problem):
            other.after(cursor, ("",))
    with pytest.raises(Problem):
        Listing("a", {"unit": "3205"}).after(cursor, (1,))
