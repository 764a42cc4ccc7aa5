"""What the registry's states mean for windows: agreements of others and late ones, prospects that get their code, and
customers that are merged."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.clock import business_date
from shared.contracts.registry_v1 import AgreementState
from shared.contracts.topics import CLAIMS_EVENTS, PLANS, WINDOWS
from tests.integration.claims.conftest import Claims
from tests.support.states import agreement, customer

pytestmark = pytest.mark.engines

USCC = ["91350100M000100Y43", "911100001000013428", "91310000631600345B"]


def signed(desk: Claims, number: str, **changes: Any) -> AgreementState:
    now = desk.clock.now()
    return agreement(number, **{"signed_on": business_date(now), "recorded_at": now, **changes})


async def cases(desk: Claims, code: str, user: str = "operator") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await desk.get("/v1/cases", user, customer=code)).json()["items"]
    return items


@pytest.mark.req("CLM-5", "CLM-8")
async def test_another_units_agreement_within_a_window_is_a_case_for_the_centre(desk: Claims) -> None:
    code = await desk.new_customer()
    plan = await desk.opened(code)
    told = await desk.tell(
        customer(code, version=2, agreements=(signed(desk, "NJ-1", unit_code="3201"),)),
        customer(code, version=3, agreements=(signed(desk, "NJ-1", unit_code="3201"),)),
    )
    assert (await desk.read(plan))["state"] == "active"
    (case,) = await cases(desk, code, "centre")
    assert (case["kind"], case["state"], case["other_unit"]) == ("foreign_agreement", "open", "3201")
    assert case["evidence"]["window_state"] == "active"
    assert await cases(desk, code, "centre-nanjing") == []
    await desk.take(told)
    assert len(await cases(desk, code)) == 1
    path = f"/v1/cases/{case['case_id']}/decide"
    decision = {"decision": "holder", "reason": "开发期内"}
    await desk.refused("unknown_case", path, decision, "centre-nanjing")
    await desk.refused("unknown_case", "/v1/cases/none/decide", decision, "centre")
    stale = await desk.post(path, decision, "centre", match='"7"')
    assert stale.status_code == 412
    decided = await desk.ok(path, decision, "centre")
    assert (decided["state"], decided["decided_by"], decided["version"]) == ("decided", "centre", 2)
    again = await desk.refused("already_decided", path, decision, "centre")
    assert again["decision"] == "holder"
    events = [one for one in await desk.published(CLAIMS_EVENTS, code) if one["case"]]
    assert [(one["event"], one["case"]) for one in events] == [
        ("case_opened", "foreign_agreement"),
        ("case_decided", "foreign_agreement"),
    ]


@pytest.mark.req("CLM-9")
async def test_an_agreement_still_counts_while_settling(desk: Claims) -> None:
    code = await desk.new_customer()
    plan = await desk.opened(code)
    inside = desk.clock.now()
    days = (plan_days(plan)) + 1
    await desk.wait(days=days)
    assert (await desk.read(plan))["state"] == "settling"
    await desk.tell(
        customer(code, version=2, agreements=(signed(desk, "XY-9", signed_on=business_date(inside)),))
    )
    assert (await desk.read(plan))["state"] == "succeeded"


@pytest.mark.req("CLM-9")
async def test_a_late_agreement_reopens_nothing_and_is_a_case(desk: Claims) -> None:
    code = await desk.new_customer()
    plan = await desk.opened(code)
    inside = business_date(desk.clock.now())
    await desk.wait(days=plan_days(plan) + 3)
    late = customer(code, version=2, agreements=(signed(desk, "XY-7", signed_on=inside),))
    await desk.tell(late, late)
    assert (await desk.read(plan))["state"] == "expired"
    (case,) = await cases(desk, code)
    assert (case["kind"], case["agreement_no"], case["plan_id"]) == (
        "late_agreement",
        "XY-7",
        plan["plan_id"],
    )


@pytest.mark.req("CLM-8")
async def test_an_agreement_of_before_the_window_is_none_of_its_business(desk: Claims) -> None:
    old = signed(desk, "XY-0")
    code = await desk.new_customer(agreements=(old,))
    desk.pass_time(minutes=5)
    plan = await desk.opened(code)
    await desk.tell(customer(code, version=2, agreements=(old,), name="改名公司"))
    assert (await desk.read(plan))["state"] == "active"
    assert (await desk.read(plan))["name"] == "改名公司"
    assert await cases(desk, code) == []


@pytest.mark.req("CLM-1")
async def test_a_prospects_window_follows_when_the_customer_gets_its_code(desk: Claims) -> None:
    prospect = {"uscc": USCC[0], "name": "未来公司"}
    plan = await desk.opened(None, prospect=prospect)
    assert (plan["customer_code"], plan["uscc"]) == (None, USCC[0])
    key = f"uscc:{USCC[0]}"
    assert (await desk.get(f"/v1/windows/{key}")).json()["name"] == "未来公司"
    told = await desk.tell(customer("NEW1", uscc=USCC[0], name="未来有限公司"))
    await desk.take(told)
    now = await desk.read(plan)
    assert (now["customer_code"], now["name"], now["version"]) == (
        "NEW1",
        "未来有限公司",
        plan["version"] + 1,
    )
    assert [one if one is None else one["state"] for one in await desk.published(WINDOWS, key)] == [
        "active",
        None,
    ]
    (window,) = await desk.published(WINDOWS, "NEW1")
    assert (window["plan_id"], window["version"]) == (plan["plan_id"], now["version"])
    no = await desk.refused("window_held", "/v1/plans", desk.plan("NEW1", manager_a="manager-b"), "manager-b")
    assert no["holder_plan"] == plan["plan_id"]
    known = await desk.refused(
        "window_held",
        "/v1/plans",
        desk.plan(None, prospect=prospect, manager_a="manager-b"),
        "manager-b",
    )
    assert known["holder_plan"] == plan["plan_id"]
    await desk.tell(customer("NEW1", version=2, uscc=USCC[0], agreements=(signed(desk, "XY-N"),)))
    assert (await desk.read(plan))["state"] == "succeeded"


@pytest.mark.req("CLM-4")
async def test_of_two_windows_of_merged_customers_the_earlier_opened_stays(desk: Claims) -> None:
    survivor, alias = await desk.new_customer(), await desk.new_customer()
    earlier = await desk.opened(alias, "manager-nanjing", unit_code="3201", manager_a="manager-nanjing")
    desk.pass_time(minutes=1)
    later = await desk.opened(survivor)
    queued = await desk.filed(survivor, "manager-b", manager_a="manager-b", queue=True)
    told = await desk.tell(customer(alias, version=2, status="merged", merged_into=survivor))
    await desk.take(told)
    stays, goes = await desk.read(earlier), await desk.read(later)
    assert (stays["state"], stays["customer_code"]) == ("active", survivor)
    assert goes["state"] == "withdrawn"
    assert (await desk.read(queued))["queued"] is True
    (case,) = await cases(desk, survivor)
    assert (case["kind"], case["other_unit"]) == ("merged_windows", "3201")
    assert (await desk.published(WINDOWS, alias))[-1] is None
    assert (await desk.published(WINDOWS, survivor))[-1]["plan_id"] == earlier["plan_id"]
    assert (await desk.get(f"/v1/windows/{survivor}")).json()["unit_code"] == "3201"
    await desk.refused("merged_into", "/v1/plans", desk.plan(alias), "manager")
    states = [one for one in await desk.published(PLANS) if one["plan_id"] == earlier["plan_id"]]
    assert [one["version"] for one in states] == list(range(1, len(states) + 1))


@pytest.mark.req("CLM-4")
@pytest.mark.parametrize("order", ["near first", "far first"])
async def test_a_chain_of_merges_ends_at_the_last_survivor(desk: Claims, order: str) -> None:
    first, second, last = [await desk.new_customer() for _ in range(3)]
    plan = await desk.opened(first)
    chain = [
        customer(first, version=2, status="merged", merged_into=second),
        customer(second, version=2, status="merged", merged_into=last),
    ]
    for state in chain if order == "near first" else chain[::-1]:
        await desk.tell(state)
    assert (await desk.read(plan))["customer_code"] == last
    await desk.tell(customer(last, version=2, agreements=(signed(desk, "XY-C"),)))
    assert (await desk.read(plan))["state"] == "succeeded"


def plan_days(plan: dict[str, Any]) -> int:
    """Days from the opening to the last day."""
    return (date.fromisoformat(plan["last_day"]) - date.fromisoformat(plan["opens_at"][:10])).days
