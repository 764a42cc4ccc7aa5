"""Many at once, over HTTP, on a running instance: the database decides, everybody is told, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from tests.support import aftermath
from tests.support.instance import Instance
from tests.support.outside import Outside, Reply, at_once
from tests.support.people import (
    APPROVERS,
    CITY,
    COUNTY,
    COUNTY_REVIEWER,
    MANAGER,
    OPERATOR,
    STEWARD,
    credit_code,
    path_of,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def outside(instance: Instance) -> Iterator[Outside]:
    found = Outside(instance)
    found.hire(*((f"centre-{number}", "centre", path_of(CITY)) for number in range(10)))
    found.hire(*((f"steward-{number}", "steward", path_of(CITY)) for number in range(2)))
    yield found
    found.close()


def customer(outside: Outside, number: int) -> str:
    """A customer that a county declared by itself, and the operator approved."""
    body = {"name": f"竞速{number}号有限公司", "uscc": credit_code(900_000 + number), "unit_code": COUNTY}
    filed = outside.person(COUNTY_REVIEWER).post("registry", "/v1/declarations", body)
    path = f"/v1/declarations/{filed.must(201)['id']}/decide"
    decided = outside.person(OPERATOR).post("registry", path, {"decision": "approve"}, seen=filed).must()
    return str(decided["customer_code"])


def versions(instance: Instance, code: str) -> list[int]:
    states = aftermath.told(instance, "registry.customers.v1")
    return [one["version"] for one in states if one["customer_code"] == code]


@pytest.mark.req("REG-4")
def test_ten_centres_that_approve_at_once_give_one_code(instance: Instance, outside: Outside) -> None:
    body = {"name": "十个中心一个代码有限公司", "uscc": credit_code(900_100), "unit_code": COUNTY}
    filed = outside.person(MANAGER).post("registry", "/v1/declarations", body)
    path = f"/v1/declarations/{filed.must(201)['id']}"
    passed = outside.person(COUNTY_REVIEWER).post(
        "registry", f"{path}/pre-review", {"decision": "pass"}, seen=filed
    )
    passed.must()
    calls = [
        partial(
            outside.person(f"centre-{number}").post,
            "registry",
            f"{path}/decide",
            {"decision": "approve"},
            seen=passed,
        )
        for number in range(10)
    ]
    replies: list[Reply] = at_once(calls)
    (won,) = [reply for reply in replies if reply.status == 200]
    code = won.body["customer_code"]
    for reply in replies:
        if reply is not won:
            told = reply.refused(409, "already_decided")
            assert (told["decided_by"], told["customer_code"]) == (won.body["decided_by"], code)
    instance.idle()
    assert versions(instance, code) == [1]
    mine = [
        one for one in aftermath.told(instance, "registry.customer-events.v1") if one["customer_code"] == code
    ]
    assert Counter(one["event"] for one in mine)["code_assigned"] == 1
    # The next customer gets the next serial: nine refusals left no gap.
    assert int(customer(outside, 101)[6:12]) == int(code[6:12]) + 1


@pytest.mark.req("CLM-4")
async def test_of_fifty_units_that_want_one_customer_one_gets_the_window(
    instance: Instance, outside: Outside
) -> None:
    units = outside.person(OPERATOR).items("registry", "/v1/units", level="county", limit=200)
    fifty = [unit["unit_code"] for unit in units][:50]
    assert len(fifty) == 50
    outside.hire(*((f"reviewer-{unit}", "reviewer", path_of(unit)) for unit in fifty))
    outside.hire(*((f"national-centre-{number}", "centre", "/CN") for number in range(50)))
    code = customer(outside, 200)
    instance.idle()
    plans = [
        outside.person(f"reviewer-{unit}").post(
            "claims",
            "/v1/plans",
            {
                "customer_code": code,
                "unit_code": unit,
                "lines": ["express"],
                "plan_text": "x",
                "manager_a": "m",
            },
        )
        for unit in fifty
    ]
    assert {plan.must(201)["state"] for plan in plans} == {"submitted"}
    calls = [
        partial(
            outside.person(f"national-centre-{number}").post,
            "claims",
            f"/v1/plans/{plan.body['plan_id']}/review",
            {"decision": "register", "reason": "综合考虑"},
            seen=plan,
        )
        for number, plan in enumerate(plans)
    ]
    replies: list[Reply] = at_once(calls)
    (won,) = [reply for reply in replies if reply.status == 200]
    assert won.body["state"] == "active"
    for reply in replies:
        if reply is not won:
            told = reply.refused(409, "window_held")
            assert told["holder_unit"] == won.body["unit_code"]
            assert datetime.fromisoformat(told["until"]) == datetime.fromisoformat(won.body["ends_at"])
    await until(lambda: len(windows_of(instance, code)) == 1, 20)
    instance.idle()
    assert windows_of(instance, code) == [won.body["plan_id"]]


def windows_of(instance: Instance, code: str) -> list[str]:
    opened = aftermath.told(instance, "claims.events.v1")
    return [
        one["plan_id"] for one in opened if one["customer_code"] == code and one["event"] == "window_opened"
    ]


@pytest.mark.req("REG-10")
def test_two_stewards_cannot_give_one_counter_code_to_two_customers(
    instance: Instance, outside: Outside
) -> None:
    codes = [customer(outside, 300), customer(outside, 301)]
    calls = [
        partial(
            outside.person(f"steward-{number}").post,
            "registry",
            "/v1/counter-codes",
            {"code": "RACE-1", "customer_code": code},
        )
        for number, code in enumerate(codes)
    ]
    replies: list[Reply] = at_once(calls)
    assert sorted(reply.status for reply in replies) == [201, 409]
    lost = next(reply for reply in replies if reply.status == 409)
    lost.refused(409, "code_mapped_elsewhere")
    held = outside.person(STEWARD).items("registry", "/v1/counter-codes", code="RACE-1")
    assert [one["customer_code"] for one in held] == [
        codes[next(number for number, reply in enumerate(replies) if reply.status == 201)]
    ]


@pytest.mark.req("REG-7")
def test_signatures_that_come_at_once_merge_once(instance: Instance, outside: Outside) -> None:
    survivor, alias = customer(outside, 400), customer(outside, 401)
    proposed = outside.person(STEWARD).post(
        "registry", "/v1/merges", {"survivor": survivor, "alias": alias, "reason": "同一客户"}
    )
    path = f"/v1/merges/{proposed.must(201)['id']}/sign"
    calls = [partial(outside.person(user).post, "registry", path, {}) for user in APPROVERS for _ in range(3)]
    replies: list[Reply] = at_once(calls)
    signed = [reply for reply in replies if reply.status == 200]
    assert all(reply.status in (200, 403, 409) for reply in replies), replies
    assert [reply.body["state"] for reply in signed].count("merged") >= 1
    merge = outside.person(APPROVERS[0]).get("registry", f"/v1/merges/{proposed.body['id']}").must()
    assert merge["state"] == "merged"
    assert len({one["person"] for one in merge["signatures"]}) == len(merge["signatures"]) == 3
    instance.idle()
    assert versions(instance, survivor) == [1, 2]
    assert versions(instance, alias) == [1, 2]
