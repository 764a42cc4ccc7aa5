"""Every page of the console: it can be shown, empty and full, in both languages, and nothing from outside becomes
markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reporting.adapters.reads.customers import CustomerFilter
from shared.listing import Page
from shared.paging import Listing
from shared.problems import Problem
from tests.support.console import (
    HELD,
    NOW,
    Bench,
    customer_page,
    customer_row,
    declaration,
    declaration_row,
    explained,
    held,
    merge,
    plan,
    plan_row,
    suspense_row,
    window_row,
)

PAGES = (
    "/", "/customers", "/customers/3205000000011", "/customers/3205000000011/why", "/declarations", "/declarations/new",
    "/declarations/d-1", "/declarations/d-1/edit", "/merges", "/merges/4", "/merges/new?survivor=A1&alias=B2", "/plans",
    "/plans/new", "/plans/p-1", "/plans/p-1/edit", "/windows", "/cases", "/cases/c-1", "/suspense",
    "/suspense?reason=unknown_code", f"/suspense/{HELD}", "/dead-letters", "/dead-letters/tiering/3", "/freshness",
)  # fmt: skip


def filled(bench: Bench, said: str = "") -> None:
    """Reads and services that have something to show everywhere; `said` comes from outside in every text."""
    name = said or "苏州织造"
    reads, services = bench.reads.answers, bench.services
    row = customer_row(name=name, manager_b=name, agreements=[{"agreement_no": name}])
    found = customer_page()
    found["customer"]["name"] = found["agreements"][0]["agreement_no"] = name
    found["counter_codes"][0]["code"] = found["claims_events"][0]["reason"] = name
    reads["customers"] = Page([row], "next")
    reads["customer360"] = lambda _, code: {**found, "customer": {**found["customer"], "customer_code": code}}
    reads["dashboard"] = {
        "customers": {"total": 9, "potential": 2, "active": 7, "key_accounts": 3, "with_agreement": 4},
        "tiers": [{"scheme": "city-default", "tier": tier, "count": 3} for tier in ("gold", "diamond", "none")],
        "revenue": {
            "year": 2026, "total_fen": 5_000_000_00, "last_year_fen": None,
            "by_month": [{"month": 3, "amount_fen": 5, "last_year_fen": None}],
            "by_line": [{"line": "express", "amount_fen": 5, "last_year_fen": None}, {"line": "press",
            "amount_fen": None, "last_year_fen": 1}],
        },
        "movements": [{**found["movements"][0], "name": name}],
        "declarations": {"open": 1, "due_soon": 1, "breached": 1, "decided": 2, "decided_in_time": 1,
        "median_seconds": 7200},
        "windows": {"active": 1, "ending_7d": 1, "settling": 0, "review": 1, "overdue": 1},
        "suspense": summary(), "dead_letters": {"open": 2}, "as_of": NOW,
    }  # fmt: skip
    reads["declarations"] = Page([declaration_row(name=name)], None)
    reads["declaration"] = declaration_row(name=name)
    reads["plans"] = Page(
        [plan_row(name=name), plan_row(state="submitted", due_at=NOW, opens_at=None, ends_at=None)], None
    )
    reads["plan"] = plan_row(name=name)
    reads["windows"] = [
        window_row(name=name),
        window_row(state="settling"),
        window_row(state="expired", plan_id="p-2"),
    ]
    reads["suspense_summary"] = summary()
    reads["dead_letter_summary"] = {
        "open": 1, "customers": 0, "amount_fen": 0,
        "by_reason": [{"service": "tiering", "reason": "not_json", "count": 1, "amount_fen": 0, "oldest": NOW}],
    }  # fmt: skip
    reads["freshness"] = [
        {"view": "customer_view", "topic": "t", "partition": 0, "offset": 3, "event_time": NOW},
        {"view": "unit_view", "topic": "t", "partition": 1, "offset": 3, "event_time": None},
    ]
    services.say(
        "GET", "/v1/units", 200, {"items": [{"unit_code": "3205", "name_zh": name, "name_en": name}]}
    )
    services.say("GET", "/v1/customers/3205000000011", 200, {"version": 9})
    contacts = [{"name": name, "position": name, "phone": name, "email": name}]
    services.say("GET", "/v1/declarations/d-1", 200, declaration(name=name, address=name, contacts=contacts))
    services.say("GET", "/v1/merges", 200, {"items": [merge(reason=name)], "next_cursor": "c"})
    services.say("GET", "/v1/merges/4", 200, merge(reason=name))
    services.say("GET", "/v1/plans/p-1", 200, plan(name=name, plan_text=name, guidance=name))
    ranked = {
        "unit_code": name,
        "plan_id": "p-1",
        "declared": True,
        "submitted_at": "2026-03-09T10:00:00+08:00",
    }
    services.say(
        "GET",
        "/v1/plans/p-1/ranking",
        200,
        {"items": [ranked, {**ranked, "behind": "margin", "behind_zh": name, "behind_en": name}]},
    )
    case = {"case_id": "c-1", "kind": "foreign_agreement", "state": "open", "plan_id": "p-1", "name": name,
    "version": 1, "evidence": {"signed_on": name}, "opened_at": "2026-03-09T10:00:00+08:00"}  # fmt: skip
    services.say("GET", "/v1/cases", 200, {"items": [case], "next_cursor": None})
    services.say("GET", "/v1/cases/c-1", 200, case)
    services.say(
        "GET",
        "/v1/suspense",
        200,
        {
            "items": [held(customer_code=name, id=name, reason="conflict", decisions=["keep", "replace"])],
            "next": "7",
            "more": True,
        },
    )
    reads["suspense"] = Page([suspense_row(customer_code=name, id=name, name=name)], "next")
    reads["suspense_item"] = suspense_row(customer_code=name, id=name, reason="conflict")
    reads["suspense_codes"] = [
        {"customer_code": name, "count": 2, "amount_fen": 5, "item": HELD, "name": name}
    ]
    reads["customer"] = row
    reads["units"] = [
        {"unit_code": "3205", "name_zh": name, "name_en": name, "level": "city", "unit_path": "/CN/32/3205"}
    ]
    told = explained(explanation=[name])
    for code in ("3205000000011", "A1", "B2", name):
        services.say("GET", f"/v1/customers/{code}/tiers", 200, told)
    letter = {"id": 3, "service": "tiering", "reason": "not_json", "detail": name, "state": "open", "topic": "t",
    "partition": 0, "offset": 1, "failed_at": "2026-03-09T10:00:00+08:00"}  # fmt: skip
    services.say("GET", "/v1/dead-letters", 200, {"items": [letter], "next": "3", "more": False})
    services.say(
        "GET",
        "/v1/dead-letters/3",
        200,
        {**letter, "value_text": name, "headers": [{"name": name, "value_base64": "eA=="}]},
    )


def summary() -> dict[str, Any]:
    reason = {"reason": "unknown_code", "count": 2, "amount_fen": 1250, "customers": 1, "oldest": NOW}
    ages = [{"age": age, "count": 1, "amount_fen": 3} for age in ("1d", "7d", "30d", "older")]
    return {"held": 2, "amount_fen": 1250, "customers": 1, "by_reason": [reason], "by_age": ages}


def shape(page: str) -> list[str]:
    """The tags of a page, each with the names of its attributes."""
    tags = re.findall(r"<(/?[a-z][a-z0-9]*)((?:\s+[^<>=\s]+(?:=\"[^\"]*\")?)*)\s*/?>", page)
    return [tag + "".join(sorted(re.findall(r'\s([a-z-]+)(?==")', said))) for tag, said in tags]


@pytest.mark.req("REP-16")
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_can_be_shown_in_both_languages(bench: Bench, path: str) -> None:
    filled(bench)
    for language, lang in (("zh", "zh-CN"), ("en", "en")):
        async with bench.browser("operator", language) as browser:
            answer = await browser.get(path)
        assert answer.status_code == 200, answer.text[:2000]
        assert f'<html lang="{lang}"' in answer.text
        assert answer.text.count("<h1") == 1 and "<main" in answer.text
        # What a script or a style in the page would do is refused by the policy, so there is none.
        assert " style=" not in answer.text and not re.search(
            r"<(script|style)(?![^>]*src=)[ >]", answer.text
        )
        assert "http://" not in answer.text and "https://" not in answer.text
        assert len(set(re.findall(r' id="([^"]+)"', answer.text))) == answer.text.count(' id="')


@pytest.mark.req("REP-16")
@pytest.mark.parametrize(
    "path", [page for page in PAGES if not re.search(r"\d|-1", page) and "reason" not in page]
)
async def test_a_page_with_nothing_to_show_says_what_to_do(bench: Bench, path: str) -> None:
    bench.services.say("GET", "/v1/merges", 200, {"items": [], "next_cursor": None})
    bench.services.say("GET", "/v1/cases", 200, {"items": [], "next_cursor": None})
    bench.services.say("GET", "/v1/suspense", 200, {"items": [], "next": "0", "more": False})
    bench.services.say("GET", "/v1/dead-letters", 200, {"items": [], "next": "0", "more": False})
    async with bench.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code == 200, answer.text[:2000]
    assert 'class="empty"' in answer.text or path.endswith("/new")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="<>&\"'ab=/{}", min_size=1))
async def test_nothing_from_outside_becomes_markup(bench: Bench, said: str) -> None:
    async with bench.browser() as browser:
        for path in (
            "/",
            "/customers",
            "/customers/3205000000011",
            "/declarations/d-1",
            "/plans/p-1",
            "/merges/4",
        ):
            filled(bench)
            plain = shape((await browser.get(path)).text)
            filled(bench, said)
            assert shape((await browser.get(path)).text) == plain


async def test_what_has_no_input_yet_is_no_data_and_never_zero(bench: Bench) -> None:
    async with bench.browser() as browser:
        page = (await browser.get("/")).text
    assert "No revenue has been booked yet" in page and "0.00" not in page and ">–<" in page


async def test_the_filters_of_a_list_stand_in_the_address_and_go_into_the_question(bench: Bench) -> None:
    filled(bench)
    async with bench.browser() as browser:
        page = (await browser.get("/customers?q=织造&tier=gold&unit=&key_account=yes")).text
    asked = next(arguments for name, arguments in bench.reads.asked if name == "customers")
    assert asked[0] == CustomerFilter(q="织造", tier="gold", key_account=True)
    assert "苏州<mark>织造</mark>" in page
    assert 'href="/customers?q=%E7%BB%87%E9%80%A0&amp;tier=gold&amp;key_account=yes&amp;cursor=next"' in page
    assert 'href="/exports/customers.csv?q=%E7%BB%87%E9%80%A0&amp;tier=gold&amp;key_account=yes"' in page


@pytest.mark.req("PLT-13")
async def test_the_rooms_shown_are_those_that_the_roles_open(bench: Bench) -> None:
    async with bench.browser("manager") as browser:
        page = (await browser.get("/")).text
        assert 'href="/declarations"' in page
        for closed in ("/suspense", "/dead-letters", "/merges", "/cases"):
            assert f'href="{closed}"' not in page
            assert (await browser.get(closed)).status_code == 403
    async with bench.browser("admin") as browser:
        refused = await browser.get("/customers")
        assert refused.status_code == 403 and "Code: <code>forbidden</code>" in refused.text


async def test_whoever_keeps_the_organisation_finds_units_and_people_on_the_first_page(bench: Bench) -> None:
    bench.reads.answers["units"] = [
        {
            "unit_code": "3205",
            "name_zh": "苏州市大客户中心",
            "name_en": "Suzhou centre",
            "level": "city",
            "unit_path": "/CN/32/3205",
        }
    ]
    roles = [{"role": "manager", "unit": "3205"}]
    person = {"user": "manager", "name_zh": "李明", "name_en": "Li Ming", "office": "sales", "roles": roles}
    bench.services.say("GET", "/v1/staff", 200, {"items": [person], "next_cursor": None})
    async with bench.browser("admin") as browser:
        page = await browser.get("/")
    assert page.status_code == 200 and "Li Ming" in page.text and "Account manager Suzhou centre" in page.text
    assert not [name for name, _ in bench.reads.asked if name.startswith(("customer", "dashboard"))]


async def test_the_page_says_how_old_its_data_is(bench: Bench) -> None:
    bench.reads.answers["latest_event"] = datetime(2026, 3, 9, 2, 11, 12, tzinfo=UTC)
    async with bench.browser("operator", "zh") as browser:
        page = (await browser.get("/customers")).text
    assert "数据截至" in page and "2026-03-09 10:11:12" in page


async def test_a_filter_that_breaks_its_rule_is_a_page_and_not_json(bench: Bench) -> None:
    async with bench.browser() as browser:
        answer = await browser.get("/declarations?standing=nonsense")
    assert answer.status_code == 422 and "A filter in the address breaks its rule." in answer.text


async def test_a_customer_outside_the_scope_is_a_page_that_says_so(bench: Bench) -> None:
    async with bench.browser() as browser:
        answer = await browser.get("/customers/999")
    assert answer.status_code == 404 and "No such customer in your scope." in answer.text


async def test_where_a_service_is_away_the_view_still_shows_what_it_knows(bench: Bench) -> None:
    bench.reads.answers["declaration"] = declaration_row()
    bench.services.answers["GET", "/v1/declarations/d-1"] = lambda _: httpx.Response(503, text="gone")
    async with bench.browser() as browser:
        answer = await browser.get("/declarations/d-1")
    assert answer.status_code == 200 and "苏州云锦" in answer.text and "does not answer" in answer.text


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
