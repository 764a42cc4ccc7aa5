"""Declarations and people: whose unit pre-reviews, who decides in whose place, and who sees the contacts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.clock import business_date
from shared.ids import new_id
from tests.integration.registry.conftest import Registry
from tests.integration.registry.declaring import act, acted, body, declared, post

pytestmark = pytest.mark.engines


@pytest.mark.req("REG-2")
async def test_a_manager_who_names_the_city_is_pre_reviewed_by_the_unit_of_their_post(
    registry: Registry,
) -> None:
    asked = body(name="绕道公司", unit_code="3205")
    told = (await post(registry, "/v1/declarations/rehearse", "manager", asked)).json()
    assert told["pre_review_unit"]["unit_code"] == "320583"
    found = await declared(registry, name="绕道公司", unit_code="3205")
    assert (found["waiting_for"], found["pre_review_unit"], found["deciding_unit"]) == (
        "pre_review",
        "320583",
        "3205",
    )
    for user in ("reviewer", "centre"):
        answer = await act(registry, user, found, "pre-review", decision="pass")
        assert answer.status_code in (403, 404), user
    waiting = await registry.get(
        "/v1/declarations", "reviewer-kunshan", waiting_for="pre_review", limit="500"
    )
    assert found["id"] in {each["id"] for each in waiting.json()["items"]}
    passed = await acted(registry, "reviewer-kunshan", found, "pre-review", decision="pass")
    assert passed["waiting_for"] == "centre"


@pytest.mark.req("REG-2")
async def test_who_belongs_to_the_centre_is_pre_reviewed_by_a_second_person_of_it(registry: Registry) -> None:
    async with registry.platform.writer.begin() as connection:
        await connection.execute(text("UPDATE staff SET unit_code = '3205' WHERE user_name = 'manager-b'"))
    try:
        found = await declared(registry, "manager-b", name="中心人员申请公司")
    finally:
        async with registry.platform.writer.begin() as connection:
            await connection.execute(
                text("UPDATE staff SET unit_code = '3205-express' WHERE user_name = 'manager-b'")
            )
    assert (found["waiting_for"], found["pre_review_unit"]) == ("pre_review", "3205")
    assert (await act(registry, "centre", found, "decide", decision="approve")).json()[
        "code"
    ] == "not_at_centre"
    assert (await act(registry, "reviewer-kunshan", found, "pre-review", decision="pass")).status_code == 403
    own = await act(registry, "manager-b", found, "pre-review", decision="pass")
    assert own.status_code == 403
    passed = await acted(registry, "centre", found, "pre-review", decision="pass")
    assert passed["waiting_for"] == "centre"


@pytest.mark.req("REG-17", "PLT-13")
async def test_contacts_are_whole_for_those_whose_turn_it_is_and_masked_for_everybody_else(
    registry: Registry,
) -> None:
    contact = {"name": "钱多多", "phone": "13812345678", "email": "qian@example.com", "position": None}
    key = new_id()
    asked = body(name="保密公司", address="昆山市前进路100号", contacts=[contact], manager_b="manager-b")
    declared_once = await post(registry, "/v1/declarations", "manager", asked, idempotency_key=key)
    found = declared_once.json()
    whole = ([contact], "昆山市前进路100号")
    hidden = {"name": "钱***", "phone": "***5678", "email": "q***@example.com", "position": None}
    masked = ([hidden], "昆山市***")
    path = f"/v1/declarations/{found['id']}"

    async def seen(user: str) -> tuple[Any, Any]:
        shown = (await registry.get(path, user)).json()
        evidence = (await registry.get(f"{path}/evidence", user)).json()
        content = evidence["steps"][0]["content"]
        assert (content["contacts"], content["address"]) == (shown["contacts"], shown["address"]), user
        assert shown["contacts_masked"] == evidence["contacts_masked"] == (shown["address"] == masked[1]), (
            user
        )
        assert evidence["intact"]
        return shown["contacts"], shown["address"]

    onlookers = ("steward", "approver", "auditor", "province", "national")
    assert (found["contacts"], found["address"]) == whole
    for user in ("manager", "manager-b", "reviewer-kunshan"):
        assert await seen(user) == whole, user
    for user in ("centre", "operator", *onlookers):
        assert await seen(user) == masked, user
    for machine in ("service:subscriber", "service:verifier"):
        for asked_for in (path, f"{path}/evidence"):
            assert (await registry.get(asked_for, machine)).json()["code"] == "forbidden", machine
    # The centre's turn: not the unit's any more.
    passed = await acted(registry, "reviewer-kunshan", found, "pre-review", decision="pass")
    assert (passed["contacts"], passed["address"]) == masked
    for user in ("centre", "operator", "manager"):
        assert await seen(user) == whole, user
    for user in ("reviewer-kunshan", *onlookers):
        assert await seen(user) == masked, user
    # The same request again tells its declarer what they may see now, and what is kept for it tells nobody anything.
    again = await post(registry, "/v1/declarations", "manager", asked, idempotency_key=key)
    assert (again.status_code, again.json()) == (201, found)
    kept = await registry.sql(
        "SELECT answer::text AS answer FROM idempotency_keys WHERE key LIKE :key", key=f"%{key}"
    )
    assert kept and not any(
        secret in kept[0].answer for secret in ("钱多多", "13812345678", "qian@", "前进路")
    )
    decided = await acted(registry, "centre", passed, "decide", decision="reject", comment="不符合")
    assert (decided["contacts"], decided["address"]) == masked


@pytest.mark.req("REG-3")
async def test_somebody_decides_in_anothers_place_on_the_days_of_the_delegation(registry: Registry) -> None:
    today = business_date(registry.clock.now())
    asked = {"to_user": "approver", "unit_code": "3205", "from_on": str(today), "to_on": str(today)}
    for user, status in (("manager", 403), ("centre-nanjing", 403)):
        assert (await post(registry, "/v1/decision-delegations", user, asked)).status_code == status
    found = await declared(registry, "operator", name="代批公司")
    assert (await act(registry, "approver", found, "decide", decision="approve")).status_code == 403
    given = await post(registry, "/v1/decision-delegations", "centre", asked)
    assert given.status_code == 201, given.text
    listed = await registry.get("/v1/decision-delegations", "approver", active="true")
    assert [each["id"] for each in listed.json()["items"]] == [given.json()["id"]]
    own = await declared(registry, "centre", name="代批自家公司")
    refused = await act(registry, "approver", own, "decide", decision="approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_request")
    approved = await acted(registry, "approver", found, "decide", decision="approve")
    assert (approved["decided_by"], approved["decided_for"]) == ("approver", "centre")
    assert approved["steps"][-1]["acted_for"] == "centre"
    theirs = await declared(registry, "operator", name="代批人自管公司", manager_b="approver")
    barred = await act(registry, "approver", theirs, "decide", decision="approve", manager_b="manager-b")
    assert (barred.status_code, barred.json()["code"]) == (403, "own_customer")
    second = await declared(registry, "operator", name="代批公司二")
    barred = await act(registry, "approver", second, "decide", decision="approve", manager_a="approver")
    assert barred.json()["code"] == "own_customer"
    path = f"/v1/decision-delegations/{given.json()['id']}/revoke"
    assert (await post(registry, path, "approver", {})).status_code == 403
    revoked = await post(registry, path, "centre", {})
    assert revoked.status_code == 200 and revoked.json()["revoked_by"] == "centre"
    assert (await act(registry, "approver", second, "decide", decision="approve")).status_code == 403
    tomorrow = today + timedelta(days=1)
    later = {**asked, "from_on": str(tomorrow), "to_on": str(tomorrow)}
    assert (await post(registry, "/v1/decision-delegations", "centre", later)).status_code == 201
    assert (await act(registry, "approver", second, "decide", decision="approve")).status_code == 403
    for wrong, code in (
        ({**later, "to_on": str(today)}, "ends_before_begin"),
        ({**later, "to_user": "nobody"}, "unknown_user"),
        ({**later, "to_user": "centre"}, "same_user"),
        ({**later, "from_on": str(today - timedelta(days=1))}, "in_the_past"),
        ({**later, "to_on": str(tomorrow + timedelta(days=62))}, "too_long"),
        ({**later, "to_on": "9999-12-31"}, "day_out_of_range"),
        ({**later, "to_user": "manager-nanjing"}, "not_of_the_unit"),
        ({**later, "to_user": "manager"}, "not_of_the_unit"),
        ({**later, "to_user": "steward"}, "not_of_the_unit"),
    ):
        answer = await post(registry, "/v1/decision-delegations", "centre", wrong)
        assert code in {each["code"] for each in answer.json()["errors"]}
