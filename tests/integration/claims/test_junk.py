"""Whatever stands in a path or a query: claims answers what is wrong with it and never with a fault of its own."""

from __future__ import annotations

import pytest

from tests.integration.claims.conftest import Claims
from tests.support.junk import junk_answers

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-14")]

BODIES = {
    "/v1/plans/{plan_id}/review": {"decision": "register"},
    "/v1/plans/{plan_id}/progress": {"stage": "contact", "note": "x"},
    "/v1/plans/{plan_id}/judge": {"significant": True, "note": "x"},
    "/v1/plans/{plan_id}/extend": {"until": "2026-04-01", "reason": "x", "evidence": ["x"]},
    "/v1/cases/{case_id}/decide": {"decision": "holder", "reason": "x"},
}


async def test_junk_in_any_parameter_is_refused_and_never_a_fault(desk: Claims) -> None:
    description = (await desk.client.get("/openapi.json")).json()
    headers = desk.headers("operator", **{"If-Match": "*"})
    asked = [each async for each in junk_answers(desk.client, description, headers, BODIES)]
    assert len(asked) > 500
    assert {
        (each.method, each.path, each.place, each.junk[:20]) for each in asked if each.status >= 500
    } == set()


async def test_a_window_opens_early_enough_to_end_on_a_day_that_may_be_named(desk: Claims) -> None:
    far = await desk.post("/v1/plans", desk.plan(await desk.new_customer(), opens_on="2199-01-01"), "manager")
    assert (far.status_code, far.json()["errors"][0]["pointer"]) == (422, "/opens_on")


@pytest.mark.parametrize("day", ["0001-01-01", "1900-12-31", "2200-01-01", "9999-12-31"])
async def test_a_day_outside_the_stated_range_is_refused_with_its_field(desk: Claims, day: str) -> None:
    code = await desk.new_customer()
    far = await desk.post("/v1/plans", desk.plan(code, opens_on=day), "manager")
    assert (far.status_code, far.json()["errors"][0]["pointer"]) == (422, "/opens_on")
    plan = await desk.filed(code, submit=False)
    changed = await desk.client.patch(
        f"/v1/plans/{plan['plan_id']}",
        json={"opens_on": day},
        headers=desk.headers("manager", **{"If-Match": "*"}),
    )
    assert (changed.status_code, changed.json()["errors"][0]["pointer"]) == (422, "/opens_on")
    until = {"until": day, "reason": "x", "evidence": ["x"]}
    refused = await desk.post(f"/v1/plans/{plan['plan_id']}/extend", until)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/until")


async def test_the_last_day_on_which_a_window_may_open_can_be_registered_and_refused(desk: Claims) -> None:
    for decision in ({"decision": "register"}, {"decision": "refuse", "reason": "太远"}):
        plan = await desk.filed(await desk.new_customer(), opens_on="2198-12-31")
        await desk.ok(f"/v1/plans/{plan['plan_id']}/review", decision)


@pytest.mark.parametrize("flag", ["no", "1", "yes", "True", ""])
async def test_a_flag_is_true_or_false(desk: Claims, flag: str) -> None:
    assert (await desk.get("/v1/plans", mine=flag)).status_code == 422
    assert (await desk.get("/v1/plans", mine="false")).status_code == 200
    for name in ("queue", "submit"):
        refused = await desk.post("/v1/plans", {**desk.plan("X"), name: flag}, "manager")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{name}")
