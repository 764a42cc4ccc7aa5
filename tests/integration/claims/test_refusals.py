"""Who may do what on a plan, and what a refusal says: who, and until when, in both languages."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from shared.clock import SHANGHAI
from shared.contracts.topics import CLAIMS_EVENTS, PLANS
from tests.integration.claims.conftest import Claims
from tests.support.people import credit_code
from tests.support.states import NANJING, customer

pytestmark = pytest.mark.engines

REGISTER = {"decision": "register"}


@pytest.mark.req("CLM-4")
async def test_a_second_plan_is_told_who_holds_the_customer_and_until_when(desk: Claims) -> None:
    code = await desk.new_customer()
    waiting = await desk.filed(code, "manager-nanjing", unit_code="3201", manager_a="manager-nanjing")
    held = await desk.opened(code)
    other = desk.plan(code, unit_code="3201", manager_a="manager-nanjing")
    no = await desk.refused("window_held", "/v1/plans", other, "manager-nanjing")
    assert (no["status"], no["holder_unit"], no["until"]) == (409, "3205", held["ends_at"])
    assert (no["holder_name_zh"], no["holder_name_en"]) == ("苏州市分公司", "Suzhou")
    assert no["queue_possible"] is True
    path = f"/v1/plans/{waiting['plan_id']}/review"
    late = await desk.refused("window_held", path, REGISTER)
    assert (late["holder_unit"], late["barred_until"]) == ("3205", held["settled_at"])
    zh = (await desk.post(path, REGISTER, language="zh-CN")).json()
    assert (
        "苏州市分公司" in zh["detail"]
        and "2026年05月10日 00:00" in zh["detail"]
        and "2026年05月11日 00:00" in zh["detail"]
    )
    # Another manager of the same unit is barred as well.
    same = desk.plan(code, manager_a="manager-b")
    assert (await desk.refused("window_held", "/v1/plans", same, "manager-b"))["holder_unit"] == "3205"


@pytest.mark.req("CLM-1")
async def test_a_plan_tells_nothing_of_a_customer_that_its_filer_may_not_read_until_its_window_does(
    desk: Claims,
) -> None:
    uscc = credit_code(31)
    code = await desk.new_customer(name="苏州不外传有限公司", uscc=uscc)
    mine = {"unit_code": "3201", "manager_a": "manager-nanjing", "submit": False}
    by_code = await desk.filed(code, "manager-nanjing", **mine)
    prospect = {"uscc": uscc.lower(), "name": "听说的名字"}
    by_uscc = await desk.filed(None, "manager-nanjing", prospect=prospect, **mine)

    def shown(plan: dict[str, Any]) -> tuple[str | None, str | None, str]:
        return plan["customer_code"], plan["uscc"], plan["name"]

    named_by_code, named_by_uscc = (code, None, code), (None, uscc, "听说的名字")
    everything = (code, uscc, "苏州不外传有限公司")
    # Its filer, and the centre above them; whoever reads the customer anyway is told it.
    for user in ("manager-nanjing", "centre-nanjing"):
        assert shown(await desk.read(by_code, user)) == named_by_code
        assert shown(await desk.read(by_uscc, user)) == named_by_uscc
        listed = {one["plan_id"]: shown(one) for one in (await desk.get("/v1/plans", user)).json()["items"]}
        assert (listed[by_code["plan_id"]], listed[by_uscc["plan_id"]]) == (named_by_code, named_by_uscc)
        # Nor does a filter tell which credit code is behind which code.
        found = (await desk.get("/v1/plans", user, customer=code)).json()["items"]
        assert [one["plan_id"] for one in found] == [by_code["plan_id"]]
        found = (await desk.get("/v1/plans", user, customer=f"uscc:{uscc}")).json()["items"]
        assert [one["plan_id"] for one in found] == [by_uscc["plan_id"]]
    assert (shown(by_code), shown(by_uscc)) == (named_by_code, named_by_uscc)
    assert shown(await desk.read(by_uscc, "operator")) == everything
    for plan, named in ((by_code, named_by_code), (by_uscc, named_by_uscc)):
        assert {shown(one) for one in await desk.published(PLANS, plan["plan_id"])} == {named}
    handed = await desk.ok(f"/v1/plans/{by_uscc['plan_id']}/submit", None, "manager-nanjing")
    assert shown(handed) == named_by_uscc
    events = [one for one in await desk.published(CLAIMS_EVENTS) if one["plan_id"] == by_uscc["plan_id"]]
    assert {(one["customer_code"], one["subject"]) for one in events} == {(None, f"uscc:{uscc}")}
    # Once its window is published to everybody inside, so is the plan's customer.
    await desk.review(handed)
    assert shown(await desk.read(by_uscc, "manager-nanjing")) == everything
    assert shown((await desk.published(PLANS, by_uscc["plan_id"]))[-1]) == everything


@pytest.mark.req("CLM-1")
async def test_a_plan_by_the_manager_of_its_customer_names_it_from_the_beginning(desk: Claims) -> None:
    code = await desk.new_customer(name="熟客公司", manager_a="manager")
    assert (await desk.filed(code, submit=False))["name"] == "熟客公司"
    # Of two who file for one prospect, neither is told what the other calls it.
    prospect = {"uscc": "91110108551385082Q", "name": "甲的叫法"}
    await desk.filed(None, prospect=prospect, submit=False)
    other = await desk.filed(
        None,
        "manager-nanjing",
        prospect={**prospect, "name": "乙的叫法"},
        unit_code="3201",
        manager_a="manager-nanjing",
        submit=False,
    )
    assert other["name"] == "乙的叫法"


@pytest.mark.req("CLM-4")
async def test_a_plan_may_queue_and_its_review_begins_when_the_window_is_released(desk: Claims) -> None:
    code = await desk.new_customer()
    held = await desk.opened(code)
    queued = await desk.filed(
        code, "manager-nanjing", unit_code="3201", manager_a="manager-nanjing", queue=True
    )
    assert (queued["state"], queued["queued"], queued["due_at"]) == ("submitted", True, None)
    await desk.wait(days=66)
    assert (await desk.read(held))["state"] == "expired"
    freed = await desk.read(queued)
    assert freed["queued"] is False
    assert [one[0] for one in await desk.happened(queued)] == [
        "plan_submitted",
        "plan_queued",
        "window_released",
        "review_overdue",
    ]
    released = (await desk.happened(queued))[2]
    assert released[1:] == ((await desk.read(held))["settled_at"], "service:claims")
    assert (await desk.review(queued))["state"] == "active"


@pytest.mark.req("CLM-9")
async def test_who_lost_a_customer_may_not_claim_it_again_for_thirty_days(desk: Claims) -> None:
    code = await desk.new_customer()
    held = await desk.opened(code)
    await desk.wait(days=64)
    no = await desk.refused("cooling_down", "/v1/plans", desk.plan(code), "manager")
    lost = await desk.read(held)
    assert no["lost_plan"] == held["plan_id"]
    assert no["until"] > lost["ends_at"]
    await desk.wait(days=29)
    assert (await desk.filed(code))["state"] == "submitted"


@pytest.mark.req("CLM-9")
async def test_a_late_timer_lets_nobody_act_and_leaves_the_same_behind(desk: Claims) -> None:
    prompt, late = await desk.new_customer(), await desk.new_customer()
    one, two = await desk.opened(prompt), await desk.opened(late)
    await desk.wait(days=55)
    desk.pass_time(days=20)
    path = f"/v1/plans/{two['plan_id']}/progress"
    no = await desk.refused("window_over", path, {"stage": "trial", "note": "x"}, "manager")
    assert no["ended_at"] == two["ends_at"]
    assert (await desk.read(two))["state"] == "active", "a refusal leaves nothing behind"
    await desk.refused(
        "window_over",
        f"/v1/plans/{two['plan_id']}/extend",
        {"until": "2026-12-31", "reason": "x", "evidence": ["y"]},
    )
    # Somebody else's claim meets the deadline before its timer does, and finds the customer free.
    new = desk.plan(late, unit_code="3201", manager_a="manager-nanjing")
    filed = await desk.ok("/v1/plans", new, "manager-nanjing")
    opened = await desk.review(filed)
    await desk.fire()
    ended, same = await desk.read(two), await desk.read(one)
    for name in ("state", "version", "closed_at", "ends_at"):
        assert ended[name] == same[name]
    differing = {
        (event, at.replace(one["plan_id"], ""))
        for plan in (one, two)
        for event, at, _ in await desk.happened(plan)
    }
    assert len([event for event, _ in differing if event in ("window_settling", "window_expired")]) == 2
    windows = await desk.published("claims.windows.v1", late)
    assert windows[-1]["plan_id"] == opened["plan_id"], "the late timer does not take the new window away"


@pytest.mark.req("CLM-2")
async def test_a_review_is_overdue_after_48_hours_and_can_still_be_done(desk: Claims) -> None:
    plan = await desk.filed(await desk.new_customer())
    desk.pass_time(hours=100)
    await desk.fire()
    overdue = await desk.read(plan)
    assert overdue["breached_at"] == plan["due_at"]
    assert (await desk.happened(plan))[-1] == ("review_overdue", plan["due_at"], "service:claims")
    assert (await desk.review(plan))["state"] == "active"


@pytest.mark.req("CLM-2")
async def test_nobody_reviews_their_own_plan_and_only_a_centre_reviews(desk: Claims) -> None:
    code = await desk.new_customer()
    own = await desk.filed(code, "operator")
    path = f"/v1/plans/{own['plan_id']}/review"
    await desk.refused("own_request", path, REGISTER)
    await desk.refused("forbidden", path, REGISTER, "manager")
    await desk.refused("unknown_plan", path, REGISTER, "centre-nanjing")
    refused = await desk.ok(path, {"decision": "refuse", "reason": "不属本局"}, "centre")
    assert (refused["state"], refused["review_reason"]) == ("refused", "不属本局")
    again = await desk.refused("already_decided", path, REGISTER, "centre")
    assert again["decided_by"] == "centre"
    answer = await desk.post(path, {"decision": "refuse"}, "centre")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")


async def test_a_write_says_which_version_it_means(desk: Claims) -> None:
    plan = await desk.filed(await desk.new_customer())
    path = f"/v1/plans/{plan['plan_id']}/review"
    missing = await desk.post(path, REGISTER, match=None)
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    stale = await desk.post(path, REGISTER, match='"1"')
    assert (stale.status_code, stale.json()["current_version"]) == (412, plan["version"])
    done = await desk.post(path, REGISTER, match=f'"{plan["version"]}"')
    assert done.status_code == 200
    assert done.headers["etag"] == f'"{done.json()["version"]}"'
    read = await desk.client.get(
        f"/v1/plans/{plan['plan_id']}",
        headers=desk.headers("operator", **{"If-None-Match": done.headers["etag"]}),
    )
    assert read.status_code == 304


@pytest.mark.parametrize(
    ("act", "body", "hand_in"),
    [
        ("submit", None, False),
        ("withdraw", None, True),
        ("review", REGISTER, True),
        ("progress", {"stage": "contact", "note": "已联系"}, True),
        ("judge", {"significant": True, "note": "很好"}, True),
    ],
)
async def test_every_act_on_a_plan_is_for_the_version_that_was_read(
    desk: Claims, act: str, body: Any, hand_in: bool
) -> None:
    plan = await desk.filed(await desk.new_customer(), submit=hand_in)
    if act in ("progress", "judge"):
        plan = await desk.review(plan)
    path, user = f"/v1/plans/{plan['plan_id']}/{act}", "operator"
    missing = await desk.post(path, body, user, match=None)
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    stale = await desk.post(path, body, user, match=f'"{plan["version"] + 7}"')
    assert (stale.status_code, stale.json()["current_version"]) == (412, plan["version"])
    assert (await desk.post(path, body, user, match=f'"{plan["version"]}"')).status_code == 200


async def test_a_change_that_is_sent_again_with_its_key_is_made_once(desk: Claims) -> None:
    plan = await desk.filed(await desk.new_customer(), submit=False)
    headers = desk.headers("manager", **{"If-Match": '"1"', "Idempotency-Key": "edit-1"})
    path = f"/v1/plans/{plan['plan_id']}"
    first = await desk.client.patch(path, json={"plan_text": "一"}, headers=headers)
    again = await desk.client.patch(path, json={"plan_text": "一"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert (await desk.read(plan))["version"] == 2
    other = await desk.client.patch(path, json={"plan_text": "二"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_same_request_again_gets_the_same_answer_and_adds_nothing(desk: Claims) -> None:
    code = await desk.new_customer()
    first = await desk.post("/v1/plans", desk.plan(code), "manager", key="k-1")
    again = await desk.post("/v1/plans", desk.plan(code), "manager", key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    no = await desk.refused("already_filed", "/v1/plans", desk.plan(code), "manager")
    assert no["plan_id"] == first.json()["plan_id"]


@pytest.mark.req("CLM-1")
async def test_a_draft_is_changed_handed_in_and_taken_back(desk: Claims) -> None:
    plan = await desk.filed(await desk.new_customer(), submit=False)
    assert (plan["state"], plan["version"]) == ("draft", 1)
    changed = await desk.client.patch(
        f"/v1/plans/{plan['plan_id']}",
        json={"plan_text": "新的预案", "lines": ["express", "parcels"], "expected_margin": "1.5"},
        headers=desk.headers("manager", **{"If-Match": '"1"'}),
    )
    assert changed.status_code == 200, changed.text
    body = changed.json()
    assert (body["version"], body["plan_text"], body["expected_margin"]) == (2, "新的预案", "1.50")
    assert body["comparison_missing"] is True
    handed = await desk.ok(f"/v1/plans/{plan['plan_id']}/submit", None, "manager")
    assert handed["state"] == "submitted"
    await desk.refused("wrong_state", f"/v1/plans/{plan['plan_id']}/submit", None, "manager")
    back = await desk.ok(f"/v1/plans/{plan['plan_id']}/withdraw", {"reason": "客户搬迁"}, "manager")
    assert (back["state"], back["steps"][-1]["reason"]) == ("withdrawn", "客户搬迁")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"kind": "festival", "festival": "mid_autumn", "opens_on": "2150-08-01"},
            "festival_not_reckoned",
        ),
        ({"customer_code": "NOBODY"}, "unknown_customer"),
        ({"unit_code": "9999"}, "unknown_unit"),
        ({"unit_code": "3201"}, "out_of_scope"),
        ({"prospect": {"uscc": "91350100M000100Y43", "name": "x"}}, "invalid_fields"),
        ({"customer_code": None, "prospect": {"uscc": "1", "name": "x"}}, "bad_credit_code"),
        ({"kind": "festival"}, "invalid_fields"),
        ({"festival": "new_year"}, "invalid_fields"),
        ({"lines": ["air"]}, "invalid_fields"),
        ({"expected_margin": 30000}, "invalid_fields"),
        ({"opens_on": "2020-01-01"}, "opens_too_early"),
        ({"plan_text": ""}, "invalid_fields"),
    ],
)
async def test_what_cannot_be_filed_is_refused(desk: Claims, change: dict[str, object], code: str) -> None:
    body = desk.plan(await desk.new_customer(), **change)
    await desk.refused(code, "/v1/plans", body, "manager")


async def test_merged_and_retired_customers_take_no_plan(desk: Claims) -> None:
    await desk.tell(
        customer("GONE1", status="merged", merged_into="C00001"), customer("GONE2", status="retired")
    )
    no = await desk.refused("merged_into", "/v1/plans", desk.plan("GONE1"), "manager")
    assert no["merged_into"] == "C00001"
    await desk.refused("customer_not_active", "/v1/plans", desk.plan("GONE2"), "manager")


@pytest.mark.req("CLM-3")
async def test_a_festival_plan_must_touch_its_season(desk: Claims) -> None:
    code = await desk.new_customer()
    today = desk.clock.now().astimezone(SHANGHAI).date()
    # A day on which neither the next month nor this day touches the New Year's season.
    opens = date(today.year + (today.month > 5), 6, 1)
    far = desk.plan(code, kind="festival", festival="new_year", opens_on=opens.isoformat())
    no = await desk.refused("outside_season", "/v1/plans", far, "manager")
    assert no["season_first"] == f"{opens.year}-11-17"
    near = {**far, "opens_on": f"{opens.year}-11-17"}
    plan = await desk.ok("/v1/plans", near, "manager")
    registered = await desk.review(plan)
    assert (registered["state"], registered["last_day"]) == ("registered", f"{opens.year}-12-17")
    held = await desk.refused("window_held", "/v1/plans", desk.plan(code, manager_a="manager-b"), "manager-b")
    assert held["holder_unit"] == "3205"
    await desk.ok(f"/v1/plans/{plan['plan_id']}/withdraw", None, "manager")
    assert (await desk.filed(code))["state"] == "submitted", "a window that never opened was not lost"


@pytest.mark.req("CLM-7", "CLM-9")
async def test_a_window_is_extended_once_for_significant_progress(desk: Claims) -> None:
    plan = await desk.opened(await desk.new_customer())
    path = f"/v1/plans/{plan['plan_id']}"
    last = date.fromisoformat(plan["last_day"])
    longer = {"until": (last + timedelta(days=10)).isoformat(), "reason": "签约在即", "evidence": ["纪要"]}
    await desk.refused("not_significant", f"{path}/extend", longer)
    judged = await desk.ok(f"{path}/judge", {"significant": True, "note": "抓紧"}, "centre")
    assert (judged["significant"], judged["guidance"]) == (True, "抓紧")
    extended = await desk.ok(f"{path}/extend", longer, "centre")
    assert extended["last_day"] == longer["until"]
    await desk.refused("already_extended", f"{path}/extend", longer, "centre")
    await desk.wait(days=(last - desk.clock.now().astimezone(SHANGHAI).date()).days + 2)
    assert (await desk.read(plan))["state"] == "active", "the timers of the first end found nothing to do"
    await desk.wait(days=12)
    assert (await desk.read(plan))["state"] == "expired"
    events = [one[0] for one in await desk.happened(plan)]
    assert events.count("window_settling") == events.count("window_expired") == 1
    # 14, 7 and 1 day before the first end and again before the second; the extension came before all of them.
    assert events.count("window_ending") == 3


@pytest.mark.req("CLM-3", "CLM-9")
async def test_a_window_keeps_the_rule_that_it_opened_under(desk: Claims) -> None:
    far = await desk.new_customer(path="/CN/33")
    plan = await desk.filed(far, "centre-zhejiang", unit_code="33", manager_a="someone")
    there = await desk.review(plan)
    assert (there["reviewing_unit"], there["rule_version"]) == ("33", 1)
    assert (date.fromisoformat(there["last_day"]) - date.fromisoformat(there["opens_at"][:10])).days in range(
        28, 32
    )
    here = await desk.opened(await desk.new_customer())
    assert here["rule_version"] == 2
    rules = await desk.sql("SELECT version FROM rule_versions ORDER BY 1")
    assert [row.version for row in rules] == [1, 2]


@pytest.mark.req("CLM-6")
async def test_the_centre_sees_the_ranking_and_gives_its_reason_when_it_departs(desk: Claims) -> None:
    code = await desk.new_customer(division="320583")
    first = await desk.filed(code)
    second = await desk.filed(
        code, "manager-nanjing", unit_code="3201", manager_a="manager-nanjing", expected_margin="99999.00"
    )
    ranking = (await desk.get(f"/v1/plans/{second['plan_id']}/ranking", "centre-nanjing")).json()
    assert ranking["order"] == ["declaration", "territory", "benefit"]
    assert [(one["plan_id"], one["declared"], one["behind"]) for one in ranking["items"]] == [
        (first["plan_id"], True, None),
        (second["plan_id"], False, "declaration"),
    ]
    assert ranking["items"][0]["expected_margin"] is None, "another centre's figures stay with it"
    assert ranking["items"][1]["expected_margin"] == "99999.00"
    path = f"/v1/plans/{second['plan_id']}/review"
    no = await desk.refused("reason_required", path, REGISTER, "centre-nanjing")
    assert no["before"] == [first["plan_id"]]
    done = await desk.ok(path, {**REGISTER, "reason": "客户指定"}, "centre-nanjing")
    assert (done["state"], done["review_reason"]) == ("active", "客户指定")


@pytest.mark.req("PLT-13", "CLM-2")
async def test_plans_are_seen_in_scope_and_windows_by_everybody_without_what_the_plan_says(
    desk: Claims,
) -> None:
    code = await desk.new_customer()
    plan = await desk.opened(code)
    for user, sees in [("manager", True), ("manager-b", False), ("centre", True), ("centre-nanjing", False)]:
        answer = await desk.get(f"/v1/plans/{plan['plan_id']}", user)
        assert answer.status_code == (200 if sees else 404), user
        listed = (await desk.get("/v1/plans", user, customer=code)).json()["items"]
        assert [one["plan_id"] for one in listed] == ([plan["plan_id"]] if sees else []), user
        window = await desk.get(f"/v1/windows/{code}", user)
        assert (window.status_code, window.json()["unit_code"]) == (200, "3205"), user
        assert not {"plan_text", "expected_margin", "expected_yearly_revenue"} & window.json().keys()
        found = (await desk.get("/v1/windows", user, customer=code)).json()["items"]
        assert [one["plan_id"] for one in found] == [plan["plan_id"]]
    assert (await desk.get("/v1/windows", "admin")).status_code == 403
    told = [one for one in await desk.published(PLANS) if one["plan_id"] == plan["plan_id"]]
    told += await desk.published(CLAIMS_EVENTS, code)
    assert not [one for one in told if "上门洽谈" in str(one) or "30000" in str(one)]


async def test_lists_go_on_page_by_page(desk: Claims) -> None:
    codes = [await desk.new_customer(path=NANJING) for _ in range(5)]
    for code in codes:
        await desk.opened(code, "manager-nanjing", unit_code="3201", manager_a="manager-nanjing")
    for path in ("/v1/plans", "/v1/windows"):
        seen: list[tuple[str, str]] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await desk.get(path, "centre-nanjing", unit="3201", limit=2, **cursor)).json()
            seen += [(one["plan_id"], one["customer_code"]) for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)), "each once"
        assert set(codes) <= {code for _, code in seen}, "and none left out"
    assert (await desk.get("/v1/plans", cursor="x")).status_code == 400
