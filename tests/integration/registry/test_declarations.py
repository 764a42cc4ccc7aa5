"""Declarations over HTTP: the way from a manager's declaration to a customer with its code."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.registry.adapters.declaration_files import read_industries, read_time_limits
from services.registry.adapters.files import read_configuration
from services.registry.entrypoints.declaration_desk import Desks
from services.registry.entrypoints.declaration_timers import follow_organisation, handlers
from shared import failpoints
from shared.clock import business_date
from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS, DECLARATIONS, events_topic
from shared.ids import new_id
from shared.messaging.timers import TimerLoop
from tests.integration.registry.conftest import Registry
from tests.integration.registry.declaring import act, acted, body, declared, post
from tests.support.people import credit_code
from tests.support.waiting import until

pytestmark = [pytest.mark.engines]

DESKS = Desks(read_configuration().rules, read_time_limits(), read_industries())


def instant(said: str) -> datetime:
    return datetime.fromisoformat(said)


async def fire_all(registry: Registry, instances: int = 1) -> None:
    """Runs instances of the timer loop side by side until nothing is due."""
    fired = handlers(DESKS)
    loops = [TimerLoop(registry.platform.unit_of_work, fired, poll_seconds=0.02) for _ in range(instances)]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]

    async def nothing_due() -> bool:
        due = "SELECT count(*) FROM timers WHERE fired_at IS NULL AND due_at <= :now"
        return (await registry.sql(due, now=registry.clock.now()))[0][0] == 0

    try:
        await until(nothing_due)
    finally:
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)


@pytest.mark.req("REG-1", "REG-2", "REG-4")
async def test_a_managers_declaration_is_pre_reviewed_decided_and_ends_in_a_code(registry: Registry) -> None:
    found = await declared(registry, manager_b="manager-b")
    assert (found["state"], found["waiting_for"], found["declared_by"]) == (
        "submitted",
        "pre_review",
        "manager",
    )
    assert (found["pre_review_unit"], found["deciding_unit"], found["manager_a"]) == (
        "320583",
        "3205",
        "manager",
    )
    found = await acted(registry, "reviewer-kunshan", found, "pre-review", decision="pass")
    assert (found["state"], found["waiting_for"]) == ("pre_reviewed", "centre")
    found = await acted(registry, "centre", found, "decide", decision="approve")
    assert (found["state"], found["waiting_for"], found["decided_by"]) == ("approved", None, "centre")
    code = found["customer_code"]
    assert code.startswith("320500") and len(code) == 13

    customer = (await registry.get(f"/v1/customers/{code}")).json()
    assert (customer["name"], customer["unit_code"], customer["kind"]) == (
        "昆山示例纺织有限公司",
        "320583",
        "potential",
    )
    assert (customer["manager_a"], customer["manager_b"], customer["version"]) == ("manager", "manager-b", 1)
    states = await registry.published(DECLARATIONS, found["id"])
    assert [(each["version"], each["state"]) for each in states] == [
        (1, "submitted"),
        (2, "pre_reviewed"),
        (3, "approved"),
    ]
    assert states[-1]["customer_code"] == code
    (state,) = await registry.published(CUSTOMERS, code)
    assert (state["version"], state["kind"], state["unit_path"]) == (1, "potential", "/CN/32/3205/320583")
    events = await registry.published(CUSTOMER_EVENTS, code)
    assert [(each["event"], each["by"]) for each in events] == [
        ("declared", "manager"),
        ("approved", "centre"),
        ("code_assigned", "centre"),
        ("managers_bound", "centre"),
    ]
    assert {each["declaration_id"] for each in events} == {found["id"]}
    steps = [(each["step"], each["person"]) for each in found["steps"]]
    assert steps == [
        ("declared", "manager"),
        ("submitted", "manager"),
        ("pre_reviewed", "reviewer-kunshan"),
        ("approved", "centre"),
    ]


@pytest.mark.req("REG-1")
async def test_every_field_is_kept_and_a_broken_one_is_named_in_both_languages(registry: Registry) -> None:
    found = await declared(
        registry,
        name="多字段公司",
        uscc=credit_code(900),
        nature="民营企业",
        industry="纺织业",
        address="昆山市前进路900号",
        division="320583",
        contacts=[{"name": "张三", "phone": "0512-57300900", "position": "经理"}],
    )
    read = await registry.get(f"/v1/declarations/{found['id']}", "reviewer-kunshan")
    assert read.headers["etag"] == '"1"'
    whole = read.json()
    assert (whole["industry"], whole["division"], whole["nature"]) == ("C17", "320583", "民营企业")
    assert whole["contacts"] == [
        {"name": "张三", "position": "经理", "phone": "0512-57300900", "email": None}
    ]
    assert whole["expected_yearly_revenue"] == "120000.00"
    headers = registry.headers("reviewer-kunshan", **{"If-None-Match": '"1"'})
    assert (await registry.client.get(f"/v1/declarations/{found['id']}", headers=headers)).status_code == 304
    for language, detail in (
        ("zh-CN", "统一社会信用代码不正确（校验位不符）"),
        ("en", "is not a unified social credit code"),
    ):
        headers = registry.headers("manager", **{"Accept-Language": language})
        wrong = body(uscc=credit_code(900)[:-1] + "0", manager_b="nobody")
        answer = await registry.client.post("/v1/declarations", json=wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
        errors = {each["pointer"]: each for each in answer.json()["errors"]}
        assert errors["/uscc"]["detail"] == detail and errors["/manager_b"]["code"] == "unknown_manager"


@pytest.mark.req("REG-1")
async def test_a_draft_is_changed_handed_in_returned_changed_and_handed_in_again(registry: Registry) -> None:
    draft = await declared(registry, name="草稿公司", submit=False)
    assert (draft["state"], draft["waiting_for"], draft["limit"]) == ("draft", "declarer", None)
    path = f"/v1/declarations/{draft['id']}"

    async def patch(content: dict[str, Any], version: str | None, user: str = "manager") -> httpx.Response:
        more = {} if version is None else {"If-Match": version}
        return await registry.client.patch(path, json=content, headers=registry.headers(user, **more))

    assert (await patch({"name": "定稿公司"}, None)).status_code == 428
    stale = await patch({"name": "定稿公司"}, '"9"')
    assert (stale.status_code, stale.json()["code"], stale.json()["current_version"]) == (
        412,
        "changed_meanwhile",
        1,
    )
    assert (await patch({"name": "定稿公司"}, '"1"', "manager-b")).status_code in (403, 404)
    changed = await patch({"name": "定稿公司", "address": "昆山市人民路1号"}, '"1"')
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.json()["expected_lines"] == ["express"], "what is left out stays"
    for verb in ("submit", "withdraw"):
        stale = await act(registry, "manager", draft, verb)
        assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
        missing = await registry.post(f"{path}/{verb}", {}, "manager", if_match=None)
        assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    submitted = await acted(registry, "manager", changed.json(), "submit")
    assert (submitted["state"], submitted["version"]) == ("submitted", 3)
    refused = await patch({"name": "再改"}, '"3"')
    assert (refused.status_code, refused.json()["code"]) == (409, "not_editable")
    no_reason = await act(registry, "reviewer-kunshan", submitted, "pre-review", decision="return")
    assert no_reason.json()["errors"][0]["code"] == "missing_comment"
    back = await acted(
        registry, "reviewer-kunshan", submitted, "pre-review", decision="return", comment="补充地址"
    )
    assert (back["state"], back["waiting_for"]) == ("returned", "declarer")
    again = await acted(registry, "manager", (await patch({"address": None}, '"4"')).json(), "submit")
    assert (again["state"], again["waiting_for"], again["address"]) == ("submitted", "pre_review", None)
    withdrawn = await acted(registry, "manager", again, "withdraw", comment="不报了")
    assert (withdrawn["state"], withdrawn["waiting_for"]) == ("withdrawn", None)
    assert [each["step"] for each in withdrawn["steps"]] == [
        "declared",
        "edited",
        "submitted",
        "returned",
        "edited",
        "resubmitted",
        "withdrawn",
    ]
    evidence = (await registry.get(f"{path}/evidence", "centre")).json()
    assert evidence["intact"] and len(evidence["steps"]) == 7
    assert evidence["steps"][0]["content"]["name"] == "草稿公司"


@pytest.mark.req("REG-2")
async def test_a_units_own_goes_straight_to_the_centre_and_nobody_decides_their_own(
    registry: Registry,
) -> None:
    found = await declared(registry, "operator", name="单位申报公司")
    assert (found["declared_by"], found["pre_review_unit"], found["waiting_for"]) == ("unit", None, "centre")
    assert found["arrived_at"] == found["submitted_at"]
    own = await act(registry, "operator", found, "decide", decision="approve")
    assert (own.status_code, own.json()["code"]) == (403, "own_request")
    early = await act(registry, "centre-nanjing", found, "decide", decision="approve")
    assert (early.status_code, early.json()["code"]) == (404, "unknown_declaration")
    manager = await act(registry, "reviewer-kunshan", found, "decide", decision="approve")
    assert (manager.status_code, manager.json()["code"]) == (403, "forbidden")
    approved = await acted(
        registry, "centre", found, "decide", decision="approve", manager_a="manager", manager_b="manager-b"
    )
    customer = (await registry.get(f"/v1/customers/{approved['customer_code']}")).json()
    assert (customer["manager_a"], customer["manager_b"]) == ("manager", "manager-b")


@pytest.mark.req("REG-6")
async def test_the_same_credit_code_blocks_and_who_holds_it_is_told_by_scope(registry: Registry) -> None:
    uscc = credit_code(1)
    first = await declared(registry, name="先到公司", uscc=uscc)
    near = await post(registry, "/v1/declarations", "centre", body(name="后到公司", uscc=uscc))
    assert (near.status_code, near.json()["code"]) == (409, "declared_earlier")
    assert (near.json()["holder_unit"], near.json()["declaration_id"]) == ("320583", first["id"])
    far = await post(
        registry, "/v1/declarations", "centre-nanjing", body(name="外地公司", uscc=uscc, unit_code="320104")
    )
    assert far.json()["code"] == "declared_earlier"
    assert (
        far.json()["holder_unit"] == "320583" and "先到公司" not in far.text and first["id"] not in far.text
    )
    # A draft is no declaration yet; it is refused when it is handed in.
    draft = await declared(registry, "centre", name="草稿公司", uscc=uscc, submit=False)
    handed = await act(registry, "centre", draft, "submit")
    assert (handed.status_code, handed.json()["code"]) == (409, "declared_earlier")
    # One that is no longer open makes way.
    await acted(registry, "manager", first, "withdraw")
    second = await acted(registry, "centre", draft, "submit")
    third = await acted(registry, "operator", second, "decide", decision="approve")
    taken = await post(registry, "/v1/declarations", "manager", body(name="再来公司", uscc=uscc))
    assert (taken.status_code, taken.json()["code"]) == (409, "duplicate_credit_code")
    assert "customer_code" not in taken.json(), "not the manager's own customer"
    assert third["customer_code"]


@pytest.mark.req("REG-6")
async def test_a_customer_that_was_registered_meanwhile_blocks_the_approval(registry: Registry) -> None:
    uscc = credit_code(2)
    found = await declared(registry, "operator", name="抢先公司", uscc=uscc)
    (loaded,) = await registry.results([{"name": "抢先导入", "uscc": uscc}])
    refused = await act(registry, "centre", found, "decide", decision="approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_credit_code")
    assert refused.json()["customer_code"] == loaded["customer_code"]
    await acted(registry, "centre", found, "decide", decision="reject", comment="已注册")


@pytest.mark.req("REG-6")
async def test_similar_names_addresses_and_telephones_are_shown_and_never_block(registry: Registry) -> None:
    await registry.results(
        [{"name": "相似科技有限公司", "unit_code": "320583"}, {"name": "相似科技集团", "unit_code": "3201"}]
    )
    other = await declared(
        registry,
        "operator",
        name="别名公司",
        address="昆山市长江路88号",
        contacts=[{"name": "王五", "phone": "+86 0512 57308888"}],
    )
    found = await declared(
        registry,
        "centre",
        name="相似科技股份有限公司",
        address="昆山市 长江路 88号",
        contacts=[{"name": "赵六", "phone": "0512-57308888"}],
    )
    shown = {(each["kind"], each["name"], tuple(each["signs"]), each["masked"]) for each in found["similar"]}
    assert shown == {
        ("customer", "相似科技有限公司", ("name",), False),
        ("customer", None, ("name",), True),
        ("declaration", "别名公司", ("address", "phone"), False),
    }
    (hidden,) = (each for each in found["similar"] if each["masked"])
    assert (hidden["unit_code"], hidden["id"], hidden["uscc"]) == ("3201", None, None)
    await acted(registry, "operator", other, "withdraw")


@pytest.mark.req("REG-6")
async def test_a_rehearsal_tells_everything_and_keeps_nothing(registry: Registry) -> None:
    before = await registry.sql("SELECT (SELECT count(*) FROM declarations), (SELECT max(id) FROM outbox)")
    asked = body(name="排练公司")
    answer = await post(registry, "/v1/declarations/rehearse", "manager", asked)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["acceptable"], told["errors"], told["blocks"], told["missing"]) == (True, [], [], [])
    assert (told["declared_by"], told["pre_review_unit"]["unit_code"]) == ("manager", "320583")
    assert (told["deciding_unit"]["unit_code"], told["mode"]) == ("3205", "clock")
    now = registry.clock.now()
    assert datetime.fromisoformat(told["pre_review_due_at"]) == now + timedelta(hours=48)
    assert datetime.fromisoformat(told["decided_by_at"]) == now + timedelta(hours=96)
    assert [each["user"] for each in told["deciders"]] == ["centre"]
    assert told["would_be_code"]["form"] == "320500nnnnnnc"
    assert "uscc" in told["advised"]
    broken = (await post(registry, "/v1/declarations/rehearse", "manager", {"uscc": "1"})).json()
    assert (broken["acceptable"], broken["missing"]) == (False, ["name", "unit_code"])
    assert {each["code"] for each in broken["errors"]} == {"missing_name", "missing_unit_code", "bad_uscc"}
    held = credit_code(3)
    await registry.results([{"name": "他处公司", "uscc": held, "unit_code": "3201"}])
    masked = (await post(registry, "/v1/declarations/rehearse", "manager", {**asked, "uscc": held})).json()
    (block,) = masked["blocks"]
    assert (block["code"], block["holder_unit"], block["customer_code"], block["name"]) == (
        "duplicate_credit_code",
        "3201",
        None,
        None,
    )
    foreign = await post(registry, "/v1/declarations/rehearse", "manager", {**asked, "unit_code": "3201"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "out_of_scope")
    after = await registry.sql("SELECT (SELECT count(*) FROM declarations), (SELECT max(id) FROM outbox)")
    assert after[0][0] == before[0][0]


@pytest.mark.req("REG-4", "PLT-2")
async def test_a_decided_declaration_tells_who_decided_it_whatever_version_was_meant(
    registry: Registry,
) -> None:
    found = await declared(registry, "operator", name="已决公司")
    key = new_id()
    path = f"/v1/declarations/{found['id']}/decide"
    ask = {"decision": "approve"}
    approved = await post(registry, path, "centre", ask, if_match='"1"', idempotency_key=key)
    assert approved.status_code == 200
    again = await post(registry, path, "centre", ask, if_match='"1"', idempotency_key=key)
    assert again.json() == approved.json(), "the same key, the same answer"
    code = approved.json()["customer_code"]
    for version in ('"1"', '"2"', '"77"', "*"):
        late = await post(registry, path, "centre", ask, if_match=version)
        assert (late.status_code, late.json()["code"]) == (409, "already_decided")
        assert (late.json()["decided_by"], late.json()["customer_code"]) == ("centre", code)
    assert len(await registry.published(CUSTOMERS, code)) == 1
    for act_of_declarer in ("submit", "withdraw"):
        late = await act(registry, "operator", found, act_of_declarer)
        assert late.json()["code"] == "already_decided"


@pytest.mark.req("REG-4")
async def test_of_ten_who_approve_at_one_moment_one_does_and_nine_are_told(registry: Registry) -> None:
    found = await declared(registry, "operator", name="同时审批公司", uscc=credit_code(10))
    answers = await asyncio.gather(
        *(act(registry, "centre", found, "decide", decision="approve") for _ in range(10))
    )
    assert sorted(each.status_code for each in answers) == [200] + [409] * 9
    codes = {each.json()["customer_code"] for each in answers}
    assert len(codes) == 1, "the nine are told the code that the one got"
    assert {each.json().get("code") for each in answers if each.status_code == 409} == {"already_decided"}
    (state,) = await registry.published(CUSTOMERS, codes.pop())
    assert state["version"] == 1


@pytest.mark.req("REG-6")
async def test_of_twenty_declarations_of_one_customer_one_is_the_earliest(registry: Registry) -> None:
    uscc = credit_code(11)
    asked = [body(name=f"抢报公司{number}", uscc=uscc) for number in range(20)]
    answers = await asyncio.gather(*(post(registry, "/v1/declarations", "operator", each) for each in asked))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 19
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"declared_earlier"}
    (count,) = await registry.sql("SELECT count(*) FROM declarations WHERE uscc = :uscc", uscc=uscc)
    assert count[0] == 1


@pytest.mark.req("REG-4", "REG-6")
async def test_approvals_and_imports_side_by_side_leave_no_gap_and_no_double(registry: Registry) -> None:
    found = [
        await declared(registry, "operator", name=f"并行公司{number}", uscc=credit_code(20 + number))
        for number in range(8)
    ]

    async def load(start: int) -> list[Any]:
        # Each import holds the credit code of one of the declarations as well.
        rows = [{"name": f"并行导入{start}-{number}"} for number in range(10)]
        return await registry.results([*rows, {"name": f"并行公司{start}", "uscc": credit_code(20 + start)}])

    approvals = [act(registry, "centre", each, "decide", decision="approve") for each in found]
    answers = await asyncio.gather(*approvals, *(load(number) for number in range(4)))
    for number, answer in enumerate(answers[:8]):
        assert answer.status_code == 200 or number < 4, answer.text
        if answer.status_code != 200:
            assert answer.json()["code"] == "duplicate_credit_code"
    held = await registry.sql(
        "SELECT uscc, count(*) FROM customers WHERE uscc = ANY(:codes) GROUP BY uscc",
        codes=[credit_code(20 + number) for number in range(8)],
    )
    assert [each[1] for each in held] == [1] * 8
    issued = await registry.sql(
        "SELECT r.last_serial, array_agg(a.serial ORDER BY a.serial) FROM code_ranges r JOIN code_assignments a"
        " USING (scheme, division) WHERE division = '320500' GROUP BY r.last_serial"
    )
    ((last, serials),) = issued
    assert list(serials) == list(range(1, last + 1))


@pytest.mark.req("REG-4")
@pytest.mark.parametrize("place", ["before_commit", "outbox_after_id"])
async def test_an_approval_that_fails_half_way_has_not_happened(registry: Registry, place: str) -> None:
    found = await declared(registry, "operator", name=f"中断公司{place}")
    (before,) = await registry.sql("SELECT coalesce(max(last_serial), 0) FROM code_ranges")
    failpoints.arm(f"{place}=error@1")
    failed = await act(registry, "centre", found, "decide", decision="approve")
    failpoints.arm("")
    assert (failed.status_code, failed.json()["code"]) == (503, "unavailable")
    (after,) = await registry.sql("SELECT coalesce(max(last_serial), 0) FROM code_ranges")
    assert after == before
    assert (await registry.get(f"/v1/declarations/{found['id']}")).json()["state"] == "submitted"
    await acted(registry, "centre", found, "decide", decision="approve")


@pytest.mark.req("REG-4")
async def test_a_range_that_is_used_up_to_90_percent_alerts_its_centre(registry: Registry) -> None:
    found = await declared(registry, "centre-nanjing", name="快满公司", unit_code="320104")
    assert found["deciding_unit"] == "3201"
    await registry.results([{"name": "南京先有", "unit_code": "3201"}])
    async with registry.platform.writer.begin() as connection:
        await connection.execute(
            text("UPDATE code_ranges SET last_serial = 899999 WHERE division = '320100'")
        )
        # Serials that are not explained would be a fault, so that these are made to be.
        await connection.execute(
            text(
                "INSERT INTO code_skips (scheme, division, serial, reason, code, recorded_at) SELECT scheme,"
                " division, 899999, 'adopted_code', 'x', now() FROM code_ranges WHERE division = '320100'"
            )
        )
    approved = await acted(registry, "operator", found, "decide", decision="approve")
    assert approved["customer_code"].startswith("320100900000")
    (alert,) = await registry.published(events_topic("registry"), "320100")
    assert (alert["alert"], alert["subject"], alert["unit_code"]) == ("code_range_low", "320100", "3201")


@pytest.mark.req("PLT-13", "REG-1")
async def test_each_person_sees_the_declarations_of_their_scope(registry: Registry) -> None:
    theirs = await declared(registry, name="范围公司", manager_b="manager-b")
    far = await declared(registry, "centre-nanjing", name="范围外公司", unit_code="320104")

    async def sees(user: str, **filters: str) -> set[str]:
        answer = await registry.get("/v1/declarations", user, limit="500", **filters)
        assert answer.status_code == 200, answer.text
        return {each["id"] for each in answer.json()["items"]} & {theirs["id"], far["id"]}

    assert await sees("operator") == {theirs["id"], far["id"]}
    for user in ("centre", "manager", "manager-b", "reviewer-kunshan"):
        assert await sees(user) == {theirs["id"]}, user
    assert await sees("centre-nanjing") == {far["id"]}
    assert await sees("manager-nanjing") == set()
    assert await sees("operator", unit="3201") == {far["id"]}
    assert await sees("operator", mine="true") == set()
    assert await sees("centre-nanjing", mine="true") == {far["id"]}
    assert await sees("operator", waiting_for="pre_review", state="submitted") == {theirs["id"]}
    assert (await registry.get("/v1/declarations", "admin")).status_code == 403
    for path in (f"/v1/declarations/{theirs['id']}", f"/v1/declarations/{theirs['id']}/evidence"):
        assert (await registry.get(path, "centre-nanjing")).status_code == 404
        assert (await registry.client.get(path)).status_code == 401
    async with registry.platform.reader.connect() as connection:
        for table in ("declarations", "declaration_steps", "decision_delegations"):
            assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table


@pytest.mark.req("REG-1")
async def test_a_list_is_paged_from_the_latest_and_its_cursor_belongs_to_it(registry: Registry) -> None:
    ids = [
        (await declared(registry, "operator", name=f"分页公司{n}", unit_code="320585"))["id"]
        for n in range(3)
    ]
    found, cursor = [], None
    for _ in range(3):
        params = {"unit": "320585", "limit": "1", **({"cursor": cursor} if cursor else {})}
        page = (await registry.get("/v1/declarations", **params)).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (ids[::-1], None)
    first = (await registry.get("/v1/declarations", limit="1", unit="320585")).json()["next_cursor"]
    other = await registry.get("/v1/declarations", cursor=first)
    assert (other.status_code, other.json()["code"]) == (400, "bad_cursor")


# What follows moves the clock, and nothing above may wait for a limit.


@pytest.mark.req("REG-3")
async def test_an_undecided_declaration_warns_and_is_a_breach_at_the_true_times_however_late_the_timers(
    registry: Registry,
) -> None:
    waiting = await declared(registry, "operator", name="逾期公司")
    reviewed = await declared(registry, name="预审逾期公司")
    decided = await declared(registry, "operator", name="及时公司")
    start = registry.clock.now()
    registry.clock.advance_to(start + timedelta(hours=36) - timedelta(seconds=1))
    await fire_all(registry)
    await acted(registry, "centre", decided, "decide", decision="approve")
    assert len(await registry.published(DECLARATIONS, waiting["id"])) == 1
    # Days pass without any timer; then they all fire.
    registry.clock.advance_to(start + timedelta(hours=100))
    await fire_all(registry, instances=3)
    states = await registry.published(DECLARATIONS, waiting["id"])
    assert [each["version"] for each in states] == [1, 2, 3]
    assert instant(states[1]["warned_at"]) == start + timedelta(hours=36)
    assert states[1]["breached_at"] is None
    assert instant(states[2]["breached_at"]) == start + timedelta(hours=48)
    assert states[2]["escalated_to"] == "32"
    alerts = await registry.published(events_topic("registry"), waiting["id"])
    assert [(each["alert"], each["escalated_to"]) for each in alerts] == [
        ("decision_due_soon", None),
        ("decision_overdue", "32"),
    ]
    assert instant(alerts[1]["at"]) == start + timedelta(hours=48)
    (overdue,) = await registry.published(events_topic("registry"), reviewed["id"])
    assert (overdue["alert"], overdue["unit_code"], overdue["escalated_to"]) == (
        "pre_review_overdue",
        "320583",
        "3205",
    )
    assert await registry.published(events_topic("registry"), decided["id"]) == []

    shown = (await registry.get(f"/v1/declarations/{waiting['id']}", "centre")).json()
    assert shown["limit"]["hours_left"] == -52.0 and shown["limit"]["mode"] == "clock"
    late = await acted(registry, "centre", shown, "decide", decision="approve")
    assert late["decision_seconds"] == 100 * 3600
    day = str(business_date(registry.clock.now()))
    times = (
        await registry.get("/v1/time-to-decision", "centre", unit="3205", **{"from": day, "to": day})
    ).json()
    assert (times["count"], times["within_limit"], times["breached"]) == (1, 0, 1)
    assert times["median_seconds"] == times["p90_seconds"] == 360_000
    assert times["by_unit"][0]["unit_code"] == "3205"
    everything = (await registry.get("/v1/time-to-decision", "operator")).json()
    assert everything["count"] > 1 and everything["open_breached"] >= 1
    assert (await registry.get("/v1/time-to-decision", "centre-nanjing", unit="3205")).json()["count"] == 0


@pytest.mark.req("REG-3")
async def test_a_command_and_a_timer_at_the_same_instant_mark_the_breach_once(registry: Registry) -> None:
    found = await declared(registry, "operator", name="同刻公司")
    registry.clock.advance_to(registry.clock.now() + timedelta(hours=48))
    answer, _ = await asyncio.gather(
        act(
            registry,
            "centre",
            {**found, "version": found["version"]},
            "decide",
            decision="return",
            comment="补",
        ),
        fire_all(registry, instances=2),
    )
    # The timer may have been first, and made a new version of it.
    assert answer.status_code in (200, 412)
    alerts = await registry.published(events_topic("registry"), found["id"])
    assert sorted(each["alert"] for each in alerts) == ["decision_due_soon", "decision_overdue"]
    states = await registry.published(DECLARATIONS, found["id"])
    assert [each["version"] for each in states] == list(range(1, len(states) + 1))
    assert [each["breached_at"] is not None for each in states].count(True) >= 1


@pytest.mark.req("REG-3")
async def test_a_returned_declaration_is_not_overdue_and_its_time_goes_on_at_resubmission(
    registry: Registry,
) -> None:
    found = await declared(registry, "operator", name="退回公司")
    start = registry.clock.now()
    registry.clock.advance_to(start + timedelta(hours=10))
    back = await acted(registry, "centre", found, "decide", decision="return", comment="补充材料")
    registry.clock.advance_to(start + timedelta(hours=200))
    await fire_all(registry)
    assert await registry.published(events_topic("registry"), found["id"]) == []
    again = await acted(registry, "operator", back, "submit")
    assert again["version"] == back["version"] + 1
    assert instant(again["limit"]["due_at"]) == start + timedelta(hours=238)
    assert again["limit"]["hours_left"] == 38.0


@pytest.mark.req("REG-1")
async def test_declarations_follow_a_unit_that_moves(registry: Registry) -> None:
    found = await declared(registry, "operator", name="随迁公司", unit_code="320581")
    move = "UPDATE units SET path = :path WHERE code = '320581'"
    async with registry.platform.writer.begin() as connection:
        await connection.execute(text(move), {"path": "/CN/32/3201/320581"})
    await follow_organisation(registry.platform.unit_of_work, DESKS)
    await follow_organisation(registry.platform.unit_of_work, DESKS)
    states = await registry.published(DECLARATIONS, found["id"])
    assert [(each["version"], each["unit_path"]) for each in states] == [
        (1, "/CN/32/3205/320581"),
        (2, "/CN/32/3201/320581"),
    ]
    async with registry.platform.writer.begin() as connection:
        await connection.execute(text(move), {"path": "/CN/32/3205/320581"})
