"""What a person does in the console goes to the service that owns it, once, with their own token; what is refused is told
on the same page, with everything they typed."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from services.reporting.entrypoints.console.visitor import TOKEN_COOKIE
from tests.support.console import (
    HELD,
    Bench,
    customer_page,
    customer_row,
    declaration,
    declaration_row,
    explained,
    fields_of,
    held,
    merge,
    plan,
    sent,
    suspense_row,
)

pytestmark = pytest.mark.req("REP-16")


async def opened(browser: httpx.AsyncClient, path: str, action: str) -> dict[str, str]:
    """The form of a page, as a person finds it."""
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:1000]
    return fields_of(page.text, action)


def at_the_centre(bench: Bench) -> None:
    bench.reads.answers["declaration"] = declaration_row()
    bench.services.say("GET", "/v1/declarations/d-1", 200, declaration())


async def test_a_decision_goes_to_the_registry_with_the_persons_token_the_version_shown_and_a_key_of_its_form(
    bench: Bench,
) -> None:
    at_the_centre(bench)
    bench.services.say("POST", "/v1/declarations/d-1/decide", 200, declaration(state="approved"))
    async with bench.browser("centre") as browser:
        form = await opened(browser, "/declarations/d-1", "/declarations/d-1/decide")
        answer = await browser.post(
            "/declarations/d-1/decide", data={**form, "decision": "approve", "comment": " 好 "}
        )
        token = browser.cookies[TOKEN_COOKIE]
    assert answer.status_code == 303
    assert answer.headers["location"] == "/declarations/d-1?done=declaration_approved"
    (told,) = bench.services.told()
    assert told.headers["authorization"] == f"Bearer {token}"
    assert told.headers["if-match"] == '"3"' and told.headers["accept-language"] == "en"
    assert told.headers["idempotency-key"] == form["form_key"]
    assert sent(told) == {
        "decision": "approve",
        "comment": "好",
        "manager_a": "manager",
        "manager_b": "manager-b",
    }


async def test_a_form_sent_twice_carries_the_same_key_so_that_the_service_does_it_once(bench: Bench) -> None:
    at_the_centre(bench)
    bench.services.say("POST", "/v1/declarations/d-1/decide", 200, declaration(state="approved"))
    async with bench.browser("centre") as browser:
        form = await opened(browser, "/declarations/d-1", "/declarations/d-1/decide")
        for _ in range(2):
            answer = await browser.post("/declarations/d-1/decide", data={**form, "decision": "approve"})
            assert answer.status_code == 303
    first, second = bench.services.told()
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_a_changed_version_is_told_on_the_page_which_shows_the_new_one_and_keeps_what_was_typed(
    bench: Bench,
) -> None:
    at_the_centre(bench)
    bench.services.refuse("POST", "/v1/declarations/d-1/decide", 412, "changed_meanwhile", "Others changed it.",
    current_version=4)  # fmt: skip
    async with bench.browser("centre") as browser:
        form = await opened(browser, "/declarations/d-1", "/declarations/d-1/decide")
        bench.services.say("GET", "/v1/declarations/d-1", 200, declaration(version=4))
        answer = await browser.post(
            "/declarations/d-1/decide", data={**form, "decision": "reject", "comment": "不符合条件"}
        )
    assert answer.status_code == 412
    assert "Others changed it." in answer.text and "Below is the latest state" in answer.text
    assert ">不符合条件</textarea>" in answer.text and 'value="reject" required checked' in answer.text
    again = fields_of(answer.text, "/declarations/d-1/decide")
    assert again["version"] == "4" and again["form_key"] != form["form_key"]


async def test_while_a_service_is_away_the_form_keeps_its_key_so_that_a_later_press_does_it_once(
    bench: Bench,
) -> None:
    at_the_centre(bench)

    def cut(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too late")

    bench.services.answers["POST", "/v1/declarations/d-1/decide"] = cut
    async with bench.browser("centre") as browser:
        form = await opened(browser, "/declarations/d-1", "/declarations/d-1/decide")
        answer = await browser.post("/declarations/d-1/decide", data={**form, "decision": "approve"})
    assert answer.status_code == 503 and "Sending it twice does it once" in answer.text
    assert fields_of(answer.text, "/declarations/d-1/decide")["form_key"] == form["form_key"]
    assert len(bench.services.told()) == 2, "a command with a key is tried once more"


async def test_a_window_of_another_is_told_with_who_and_until_when_in_the_readers_language(
    bench: Bench,
) -> None:
    bench.services.refuse(
        "POST", "/v1/plans", 409, "window_held", "昆山市局正在独家开发该客户。", holder_unit="320583",
        holder_name_zh="昆山市局", holder_name_en="Kunshan", until="2026-05-10T00:00:00.000+08:00", queue_possible=True,
    )  # fmt: skip
    async with bench.browser("manager", "zh") as browser:
        form = await opened(browser, "/plans/new?customer=3205000000011", "/plans/new")
        typed = {**form, "plan_text": "先速递", "lines": ["express", "letters"], "act": "submit"}
        answer = await browser.post("/plans/new", data=typed)
    assert answer.status_code == 409
    assert "昆山市局" in answer.text and "2026-05-10 00:00" in answer.text and "排队" in answer.text
    assert ">先速递</textarea>" in answer.text and 'value="letters" checked' in answer.text
    assert sent(bench.services.told()[0]) == {
        "unit_code": "3205", "kind": "regular", "plan_text": "先速递", "manager_a": "manager",
        "customer_code": "3205000000011", "lines": ["express", "letters"], "queue": False, "submit": True,
    }  # fmt: skip


async def test_broken_fields_are_told_at_the_field_itself(bench: Bench) -> None:
    bench.services.refuse(
        "POST", "/v1/declarations", 422, "invalid_fields", "Some fields break their rules.",
        errors=[{"pointer": "/uscc", "code": "bad_uscc", "detail": "is not a credit code"},
                {"pointer": "/contacts/0/phone", "code": "bad_phone", "detail": "is not a number"}],
    )  # fmt: skip
    async with bench.browser("manager") as browser:
        form = await opened(browser, "/declarations/new", "/declarations/new")
        typed = {
            **form,
            "name": "X",
            "uscc": "1",
            "contact_name_0": "张三",
            "contact_phone_0": "a",
            "act": "submit",
        }
        answer = await browser.post("/declarations/new", data=typed)
    assert answer.status_code == 422
    for field in ("uscc", "contact_phone_0"):
        assert f'aria-describedby="h-{field}"' in answer.text and f'id="h-{field}"' in answer.text
    assert 'value="张三"' in answer.text


@pytest.mark.req("REG-6")
async def test_a_rehearsal_shows_who_decides_by_when_and_leaves_the_form_as_it_was(bench: Bench) -> None:
    unit = {"unit_code": "3205", "name_zh": "苏州市大客户中心", "name_en": "Suzhou centre"}
    bench.services.say("POST", "/v1/declarations/rehearse", 200, {
        "acceptable": False, "missing": ["expected_lines"], "advised": ["uscc"], "errors": [], "similar": [],
        "blocks": [{"code": "declared_earlier", "holder_unit": "320583", "holder_name_zh": "昆山",
        "holder_name_en": "Kunshan"}],
        "pre_review_unit": None, "deciding_unit": unit, "deciders": [], "decided_by_at": "2026-03-11T10:00:00+08:00",
        "would_be_code": {"form": "320500nnnnnnc"},
    })  # fmt: skip
    async with bench.browser("manager") as browser:
        form = await opened(browser, "/declarations/new", "/declarations/new")
        answer = await browser.post("/declarations/new", data={**form, "name": "云锦", "act": "rehearse"})
    assert answer.status_code == 200 and 'value="云锦"' in answer.text
    for shown in ("Suzhou centre", "2026-03-11 10:00", "320500nnnnnnc", "Kunshan", "It would be refused"):
        assert shown in answer.text


@pytest.mark.req("PLT-14")
async def test_without_the_forms_token_or_from_another_site_nothing_is_done(bench: Bench) -> None:
    at_the_centre(bench)
    async with bench.browser("centre") as browser:
        form = await opened(browser, "/declarations/d-1", "/declarations/d-1/decide")
        wrong: list[tuple[dict[str, str], dict[str, str]]] = [
            ({**form, "form_token": ""}, {}),
            ({**form, "form_token": "0" * 64}, {}),
            (form, {"origin": "http://evil.example"}),
            (form, {"origin": "null"}),
            (form, {"sec-fetch-site": "cross-site"}),
        ]
        for data, headers in wrong:
            answer = await browser.post(
                "/declarations/d-1/decide", data={**data, "decision": "approve"}, headers=headers
            )
            assert answer.status_code == 403, headers
    async with bench.browser("reviewer") as other:
        answer = await other.post("/declarations/d-1/decide", data={**form, "decision": "approve"})
        assert answer.status_code == 403, "the token of somebody else's form"
    assert bench.services.told() == []


@pytest.mark.parametrize(
    ("act", "typed", "body", "version"),
    [
        ("review", {"decision": "register", "reason": ""}, {"decision": "register"}, '"2"'),
        ("progress", {"stage": "trial", "note": "试用", "evidence": "a\r\n\r\n b "}, {"stage": "trial", "note": "试用",
        "evidence": ["a", "b"]}, '"2"'),
        ("judge", {"significant": "yes", "note": "好"}, {"note": "好", "significant": True}, '"2"'),
        ("extend", {"until": "2026-06-01", "reason": "r", "evidence": "e"}, {"until": "2026-06-01", "reason": "r",
        "evidence": ["e"]}, '"2"'),
        ("withdraw", {"reason": "不做了"}, {"reason": "不做了"}, '"2"'),
    ],
)  # fmt: skip
async def test_each_act_on_a_plan_sends_what_it_takes(
    bench: Bench, act: str, typed: dict[str, str], body: dict[str, Any], version: str | None
) -> None:
    state = "submitted" if act == "review" else "active"
    bench.services.say("GET", "/v1/plans/p-1", 200, plan(state=state, significant=act == "extend"))
    bench.services.say("POST", f"/v1/plans/p-1/{act}", 200, plan(state="active"))
    async with bench.browser() as browser:
        form = await opened(browser, "/plans/p-1", f"/plans/p-1/{act}")
        answer = await browser.post(f"/plans/p-1/{act}", data={**form, **typed})
    assert answer.status_code == 303 and "done=plan_" in answer.headers["location"]
    (told,) = bench.services.told()
    assert sent(told) == body and told.headers.get("if-match") == version


@pytest.mark.req("REP-12")
async def test_held_transactions_are_decided_at_tiering_and_their_codes_mapped_at_the_registry(
    bench: Bench,
) -> None:
    bench.reads.answers["suspense_item"] = suspense_row()
    bench.services.say("GET", "/v1/suspense", 200, {"items": [held()], "next": "7", "more": False})
    bench.services.say("POST", "/v1/suspense/7/decision", 200, {"number": 7, "state": "closed"})
    bench.services.say("POST", "/v1/counter-codes", 201, {"id": 1})
    async with bench.browser() as browser:
        form = await opened(browser, f"/suspense/{HELD}", f"/suspense/{HELD}/map")
        mapped = await browser.post(f"/suspense/{HELD}/map", data={**form, "customer_code": "3205000000011"})
        form = await opened(browser, f"/suspense/{HELD}", f"/suspense/{HELD}/decision")
        closed = await browser.post(
            f"/suspense/{HELD}/decision", data={**form, "decision": "close", "comment": "错"}
        )
    assert (mapped.status_code, closed.status_code) == (303, 303)
    first, second = bench.services.told()
    assert first.url.host == "registry.test" and sent(first) == {
        "code": "SZ-1",
        "customer_code": "3205000000011",
    }
    assert second.url.host == "tiering.test" and sent(second) == {"decision": "close", "comment": "错"}


@pytest.mark.req("REP-12")
async def test_a_dead_letter_goes_back_as_it_was_or_corrected(bench: Bench) -> None:
    letter = {"id": 3, "reason": "not_json", "state": "open", "topic": "t", "partition": 0, "offset": 1,
    "failed_at": "2026-03-09T10:00:00+08:00", "value_text": "{", "headers": []}  # fmt: skip
    bench.services.say("GET", "/v1/dead-letters/3", 200, letter)
    bench.services.say("POST", "/v1/dead-letters/3/replay", 200, {"id": 3})
    async with bench.browser() as browser:
        action = "/dead-letters/claims/3/replay"
        form = await opened(browser, "/dead-letters/claims/3", action)
        await browser.post(action, data=form)
        await browser.post(action, data={**form, "corrected": "{"})
        await browser.post(action, data={**form, "corrected": "{\r\n}"})
        broken = await browser.post(action, data={**form, "corrected": "{not json"})
        assert broken.status_code == 422 and "{not json</textarea>" in broken.text
        assert (await browser.get("/dead-letters/nonsense/3")).status_code == 404
    plain, untouched, corrected = bench.services.told()
    assert plain.url.host == "claims.test" and sent(plain) == sent(untouched) == {}
    assert base64.b64decode(sent(corrected)["value_base64"]) == b"{\n}"


@pytest.mark.req("REG-7")
async def test_a_merge_is_signed_as_it_was_shown(bench: Bench) -> None:
    bench.services.say("GET", "/v1/merges/4", 200, merge())
    bench.services.say("POST", "/v1/merges/4/sign", 200, merge(state="merged"))
    async with bench.browser("approver") as browser:
        form = await opened(browser, "/merges/4", "/merges/4/sign")
        answer = await browser.post("/merges/4/sign", data=form)
    assert answer.headers["location"] == "/merges/4?done=merge_merged"
    (told,) = bench.services.told()
    assert sent(told) == {"survivor_version": 3, "alias_version": 5}
    assert told.headers["if-match"] == '"1"'


@pytest.mark.req("REG-7")
async def test_a_merge_is_looked_at_before_it_is_proposed_and_looking_saves_nothing(bench: Bench) -> None:
    def both(_: Any, code: str) -> Any:
        name = "甲公司" if code == "3205000000011" else "乙公司"
        return customer_page(customer=customer_row(customer_code=code, name=name))

    bench.reads.answers["customer360"] = both
    for code in ("3205000000011", "3205000000029"):
        bench.services.say("GET", f"/v1/customers/{code}/tiers", 200, explained(code))
    bench.services.say("POST", "/v1/merges", 201, merge())
    address = "/merges/new?survivor=3205000000011&alias=3205000000029"
    async with bench.browser("steward") as browser:
        form = await opened(browser, address, "/merges")
        page = (await browser.get(address)).text
        assert bench.services.told() == []
        assert "甲公司" in page and "<mark>乙公司</mark>" in page
        assert "199,999.00" in page and "399,998.00" in page and "Gold" in page, (
            "the total and tier of the one"
        )
        answer = await browser.post("/merges", data={**form, "reason": "同一家"})
    assert answer.headers["location"] == "/merges/4?done=merge_proposed"
    (told,) = bench.services.told()
    assert sent(told) == {"survivor": "3205000000011", "alias": "3205000000029", "reason": "同一家"}


async def test_codes_that_are_not_two_customers_lead_back_to_where_they_are_typed(bench: Bench) -> None:
    bench.services.say("GET", "/v1/merges", 200, {"items": [], "next_cursor": None})
    async with bench.browser("steward") as browser:
        answer = await browser.get("/merges/new?survivor=X&alias=Y")
    assert answer.status_code == 404 and 'value="X"' in answer.text
    assert "have to mean two different customers" in answer.text


async def test_an_export_is_passed_on_with_its_name_and_a_refused_one_is_a_page(bench: Bench) -> None:
    bench.services.answers["GET", "/v1/exports/customers.csv"] = lambda _: httpx.Response(
        200, content=b"\xef\xbb\xbfcode", headers={"content-type": "text/csv",
        "content-disposition": 'attachment; filename="c.csv"'}
    )  # fmt: skip
    bench.services.refuse("GET", "/v1/exports/suspense.xlsx", 403, "forbidden", "Not yours.")
    async with bench.browser() as browser:
        file = await browser.get("/exports/customers.csv?q=a&tier=&lang=en")
        refused = await browser.get("/exports/suspense.xlsx")
        assert (await browser.get("/exports/secrets.csv")).status_code == 422
    assert file.content == b"\xef\xbb\xbfcode" and 'filename="c.csv"' in file.headers["content-disposition"]
    assert str(bench.services.requests[0].url.query, "ascii") == "q=a"
    assert refused.status_code == 403 and "Not yours." in refused.text and "<html" in refused.text


async def test_a_file_narrowed_to_a_unit_by_its_name_has_the_rows_of_the_page(bench: Bench) -> None:
    bench.reads.answers["units"] = [
        {"unit_code": "320583", "name_zh": "昆山市局", "name_en": "Kunshan office"}
    ]
    bench.services.answers["GET", "/v1/exports/customers.csv"] = lambda _: httpx.Response(
        200, content=b"code"
    )
    async with bench.browser() as browser:
        page = (await browser.get("/customers?unit=昆山市局")).text
        assert 'value="昆山市局"' in page, "what was typed stands in its field"
        assert (await browser.get("/exports/customers.csv?unit=昆山市局")).status_code == 200
    asked = dict(bench.reads.asked)
    assert asked["customers"][0].unit == "320583"
    assert bench.services.requests[-1].url.params["unit"] == "320583"


async def test_a_name_in_the_address_cannot_leave_its_place_in_the_path(bench: Bench) -> None:
    async with bench.browser() as browser:
        await browser.get("/declarations/..%2Funits")
    paths = [request.url.raw_path for request in bench.services.requests]
    assert all(path.startswith(b"/v1/declarations/") for path in paths), paths
