"""What the pages say is so: figures that stand together come from one source, today's total is told as today's, and people
and units have their names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.reporting.adapters.peers import PeerAnswer
from services.reporting.adapters.reads.customers import CustomerFilter
from services.reporting.adapters.reads.searching import words_of
from services.reporting.adapters.reads.suspense import SuspenseFilter
from services.reporting.entrypoints.console.directory import Names
from services.reporting.entrypoints.console.standing import booked_one, effects, together
from shared.listing import Page
from tests.support.console import (
    HELD,
    Bench,
    customer_page,
    customer_row,
    explained,
    fields_of,
    held,
    sent,
    suspense_row,
)

pytestmark = pytest.mark.req("REP-16")

SUMMARY = {
    "held": 121, "amount_fen": 5, "customers": 3,
    "by_reason": [{"reason": "unknown_code", "count": 23, "amount_fen": 851_704, "customers": 2, "oldest": None}],
    "by_age": [],
}  # fmt: skip


@pytest.mark.req("REP-12", "REP-19")
async def test_tiles_groups_and_list_of_held_transactions_come_from_one_view(bench: Bench) -> None:
    bench.reads.answers |= {
        "suspense_summary": SUMMARY,
        "suspense": Page([suspense_row()], None),
        "suspense_codes": [
            {"customer_code": "SZ-1", "count": 23, "amount_fen": 851_704, "item": HELD, "name": None}
        ],
    }
    async with bench.browser("steward") as browser:
        page = (await browser.get("/suspense?reason=unknown_code")).text
    assert page.count("8,517.04") == 2 and f'href="/suspense/{HELD}"' in page
    asked = dict(bench.reads.asked)
    assert asked["suspense"][0] == SuspenseFilter("held", "unknown_code", None)
    assert not [one for one in bench.services.requests if one.url.host == "tiering.test"]


async def test_an_empty_list_never_says_all_booked_beside_what_is_held(bench: Bench) -> None:
    bench.reads.answers["suspense_summary"] = SUMMARY
    async with bench.browser("steward", "zh") as browser:
        page = (await browser.get("/suspense?reason=conflict")).text
        assert "所有到达的交易都已入账" not in page and "仍有 121 笔待处理交易" in page
        bench.reads.answers["suspense_summary"] = {**SUMMARY, "held": 0, "by_reason": []}
        assert "所有到达的交易都已入账" in (await browser.get("/suspense")).text


@pytest.mark.req("REG-10")
async def test_a_steward_maps_what_tiering_does_not_show_them_and_is_told_what_cannot_be_done(
    bench: Bench,
) -> None:
    bench.reads.answers |= {"suspense_item": suspense_row(), "suspense": Page([suspense_row()], None)}
    bench.services.say("GET", "/v1/suspense", 200, {"items": [], "next": "0", "more": False})
    bench.services.say("POST", "/v1/counter-codes", 201, {"id": 1})
    async with bench.browser("steward") as browser:
        page = await browser.get(f"/suspense/{HELD}")
        assert page.status_code == 200 and "its owner does not let your roles decide" in page.text
        form = fields_of(page.text, f"/suspense/{HELD}/map")
        answer = await browser.post(f"/suspense/{HELD}/map", data={**form, "customer_code": "3205000000011"})
    assert answer.status_code == 303
    assert sent(bench.services.told()[0]) == {"code": "SZ-1", "customer_code": "3205000000011"}


async def test_the_one_that_is_meant_is_found_among_all_that_are_held_for_a_code(bench: Bench) -> None:
    bench.reads.answers["suspense_item"] = suspense_row()
    other = held(number=3, data={"line": "express", "kind": "sale", "amount": "99.00"})

    def pages(request: httpx.Request) -> httpx.Response:
        first = request.url.params["after"] == "0"
        body = (
            {"items": [other], "next": "3", "more": True}
            if first
            else {"items": [held()], "next": "7", "more": False}
        )
        return httpx.Response(200, json=body)

    bench.services.answers["GET", "/v1/suspense"] = pages
    async with bench.browser() as browser:
        form = fields_of((await browser.get(f"/suspense/{HELD}")).text, f"/suspense/{HELD}/decision")
    assert form["number"] == "7"


async def test_a_conflict_shows_both_contents_what_differs_and_what_replacing_would_do(bench: Bench) -> None:
    row = suspense_row(customer_code="3205000000011", reason="conflict")
    bench.reads.answers["suspense_item"] = row
    bench.services.say("GET", "/v1/customers/3205000000011/tiers", 200, explained())
    async with bench.browser() as browser:
        page = (await browser.get(f"/suspense/{HELD}")).text
        assert "<td>10.00</td><td><mark>12.50</mark></td>" in page
        assert "<td>2026-02-28</td><td><mark>2026-03-01</mark></td>" in page
        assert "<td>Express</td><td>Express</td>" in page
        assert "199,999.00" in page and "200,001.50" in page and "Gold" in page
        bench.services.say("GET", "/v1/customers/3205000000011/tiers", 200, {"tiers": []})
        assert "cannot be shown beside it" in (await browser.get(f"/suspense/{HELD}")).text


async def test_a_customer_without_a_tier_shows_its_revenue_and_lists_can_begin_with_the_largest(
    bench: Bench,
) -> None:
    row = customer_row(tiers=[], agreements=[], revenue_fen=81_389_545)
    bench.reads.answers |= {
        "customers": Page([row], None),
        "customer_counts": {"total": 48, "revenue_fen": 500_000_00, "year": 2026},
    }
    async with bench.browser("centre", "zh") as browser:
        page = (await browser.get("/customers?agreement=no&order=revenue")).text
    assert "813,895.45" in page and "共 48 个客户，2026 年累计用邮 500,000.00 元" in page
    asked = dict(bench.reads.asked)
    assert asked["customers"][0] == CustomerFilter(agreement=False, order="revenue")
    assert asked["customer_counts"][0] == asked["customers"][0], "counted is what the list has"


@pytest.mark.req("TIE-15", "REP-3")
async def test_the_total_of_today_and_the_one_at_the_change_are_told_apart_and_a_tier_says_why(
    bench: Bench,
) -> None:
    bench.reads.answers |= {"customer360": customer_page(), "customer": customer_row()}
    bench.services.say("GET", "/v1/customers/3205000000011/tiers", 200, explained())
    async with bench.browser("centre", "zh") as browser:
        page = (await browser.get("/customers/3205000000011")).text
        assert '累计用邮（2026，元）</dt><dd class="nowrap"><strong>199,999.00' in page
        assert "晋级时累计（2026，元） 200,000.00" in page and "reached its threshold" in page
        why = (await browser.get("/customers/3205000000011/why")).text
    for shown in ("还差 1.00 元", "200,000.00", "引起变动的交易", ">T0<", "有效，2026-01-01 签订"):
        assert shown in why, shown


async def test_people_units_and_the_system_are_told_by_name_and_by_code_where_nobody_knows_the_name(
    bench: Bench,
) -> None:
    person = {"user": "manager", "name_zh": "李明", "name_en": "Li Ming"}
    bench.services.say("GET", "/v1/staff", 200, {"items": [person], "next_cursor": None})
    found = customer_page()
    found["customer"] |= {"manager_a": "manager", "manager_b": "stranger"}
    bench.reads.answers["customer360"] = found
    async with bench.browser("centre", "zh") as browser:
        page = (await browser.get("/customers/3205000000011")).text
        assert "李明" in page and "<dd>stranger" in page and "系统" in page and "service:claims" not in page
        bench.console.directory.forget()
        bench.services.say("GET", "/v1/staff", 503, {"code": "service_away"})
        page = (await browser.get("/customers/3205000000011")).text
        assert "<dd>manager" in page, "the page is shown all the same"


def test_a_unit_is_meant_by_its_code_or_by_its_name_in_full_or_in_part() -> None:
    names = Names(
        units={
            "320583": ("昆山市局", "Kunshan office"),
            "32058301": ("昆山市局玉山支局", "Yushan outlet"),
            "3201": ("南京市大客户中心", "Nanjing centre"),
        }
    )
    meant = {
        "320583": "320583", "昆山市局": "320583", "昆山": "320583", "玉山": "32058301", " kunshan  office ": "320583",
        "nanjing": "3201", "无此机构": "无此机构", "": None, None: None,
    }  # fmt: skip
    assert {typed: names.unit_meant(typed) for typed in meant} == meant


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("苏州 工业园", ("苏州", "工业园")),
        ("模拟７-017", ("模拟7-017",)),
        ("ＡＢＣ　abc", ("abc",)),
        ("", ()),
        (None, ()),
    ],
)
def test_what_was_typed_is_looked_for_word_by_word_with_wide_letters_as_plain_ones(
    typed: Any, words: Any
) -> None:
    assert words_of(typed) == words


def told(**changes: Any) -> PeerAnswer:
    return _told(explained(**changes))


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return PeerAnswer({name: _told(member) for name, member in value.items()})
    return [_told(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("change_fen", "tier_after"), [(99, "silver"), (100, "gold"), (101, "gold"), (-199_000_00, "silver")]
)
def test_a_change_of_the_total_reaches_the_next_level_at_its_threshold_and_never_lowers_a_tier(
    change_fen: int, tier_after: str
) -> None:
    customer = told()
    booking = booked_one(customer, "/counters/1", "T1")
    assert booking is not None
    (effect,) = effects(customer, booking, change_fen)
    assert (effect.total_after_fen, effect.tier_after) == (199_999_00 + change_fen, tier_after)


def test_without_an_agreement_no_total_gives_a_tier_and_one_of_either_side_covers_both() -> None:
    bare = {"agreement": {"needed": True, "in_force": False}, "tier": "none"}
    (alone,) = together(told(**bare), told(**bare))
    assert (alone.total_after_fen, alone.tier_after) == (399_998_00, "none")
    (covered,) = together(told(**bare), told(tier="none"))
    assert covered.tier_after == "gold"


def test_a_scheme_that_does_not_count_the_booking_is_not_moved_by_it() -> None:
    customer = told()
    booking = booked_one(customer, "/counters/1", "T1")
    assert booking is not None and booked_one(customer, "/counters/2", "T1") is None
    customer["tiers"][0]["evidence"]["latest_bookings"] = []
    assert effects(customer, booking, 100) == []


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    "path",
    [
        "/customers/%00", "/customers/%00/why", "/declarations/%00", "/declarations/%00/edit", "/plans/%00",
        "/plans/%00/edit", "/plans/new?customer=%00", "/cases/%00", "/merges/%00", "/merges/99999999999999999999",
        "/merges/new?survivor=%00&alias=b", "/suspense/%00", "/suspense/99999999999999999999", "/suspense?code=%00",
        "/dead-letters/tiering/99999999999999999999", "/dead-letters/%00/1",
        "/dead-letters?cursor=99999999999999999999", "/customers?unit=%00", "/customers?q=%00", "/windows?unit=%00",
        "/exports/%00.csv",
    ],
)  # fmt: skip
async def test_what_no_database_can_hold_in_an_address_is_refused_inside_the_frame(
    bench: Bench, path: str
) -> None:
    async with bench.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code in (404, 422), answer.text[:500]
    assert bench.services.requests == [] and 'id="nav"' in answer.text


async def test_an_address_that_is_nothing_keeps_the_navigation_and_programs_get_a_problem(
    bench: Bench,
) -> None:
    async with bench.browser("centre", "zh") as browser:
        page = await browser.get("/nope", headers={"accept": "text/html"})
        assert page.status_code == 404 and 'id="nav"' in page.text and "没有这个地址" in page.text
        for path, accept in (("/v1/nope", "text/html"), ("/nope", "application/json")):
            answer = await browser.get(path, headers={"accept": accept})
            assert answer.headers["content-type"] == "application/problem+json"
    async with bench.browser(None) as stranger:
        page = await stranger.get("/nope", headers={"accept": "text/html"})
        assert page.status_code == 404 and 'id="nav"' not in page.text
