"""Agreements over HTTP: signed once, ended on their day or at once, and who leads meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS
from shared.ids import new_id
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines, pytest.mark.req("REG-20")]

SIGNED = {"agreement_no": "S-1", "signed_on": "2026-03-02", "ends_on": "2027-03-01"}


def path(code: str) -> str:
    return f"/v1/customers/{code}/agreements"


@pytest.mark.req("REG-19")
async def test_a_signed_agreement_is_in_force_at_once_and_turns_the_lead_to_b(registry: Registry) -> None:
    code = await registry.customer("签约公司", manager_a="manager", manager_b="manager-b")
    body = {**SIGNED, "lines": ["express", "letters", "express"], "unit_code": "3205-express"}
    answer = await registry.post(path(code), body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"2"'
    told = answer.json()
    assert (told["version"], told["lead"]) == (2, "B")
    (agreement,) = told["agreements"]
    assert (agreement["state"], agreement["lines"], agreement["unit_code"]) == (
        "in_force",
        ["express", "letters"],
        "3205-express",
    )
    before, after = await registry.published(CUSTOMERS, code)
    assert (before["lead"], after["lead"]) == ("A", "B")
    assert after["agreements"][0]["unit_code"] == "3205-express"
    assert after["agreements"][0]["lines"] == ["express", "letters"]
    event = (await registry.published(CUSTOMER_EVENTS, code))[-1]
    assert (event["event"], event["signing_unit"], event["signed_on"]) == (
        "agreement_signed",
        "3205-express",
        "2026-03-02",
    )
    file = (await registry.get(f"/v1/customers/{code}")).json()
    assert file["lead"] == "B"
    (step,) = file["agreement_steps"]
    assert (step["step"], step["person"], step["ends_on"]) == ("signed", "operator", "2027-03-01")


async def test_the_customers_unit_signs_where_nobody_else_is_named(registry: Registry) -> None:
    code = await registry.customer("默认公司", unit_code="320581")
    answer = await registry.post(path(code), SIGNED, "centre")
    assert answer.json()["agreements"][0]["unit_code"] == "320581"


async def test_the_same_agreement_again_changes_nothing_and_other_terms_are_refused(
    registry: Registry,
) -> None:
    code = await registry.customer("重签公司")
    assert (await registry.post(path(code), SIGNED)).status_code == 201
    again = await registry.post(path(code), SIGNED)
    assert (again.status_code, again.json()["version"]) == (200, 2)
    for other in (
        {"ends_on": None},
        {"signed_on": "2026-03-03"},
        {"lines": ["press"]},
        {"unit_code": "3201"},
    ):
        refused = await registry.post(path(code), {**SIGNED, **other})
        assert (refused.status_code, refused.json()["code"]) == (409, "agreement_exists")
        assert refused.json()["agreement"]["ends_on"] == "2027-03-01"
    assert len(await registry.published(CUSTOMERS, code)) == 2


async def test_a_repeated_request_has_the_answer_and_status_of_the_first(registry: Registry) -> None:
    code = await registry.customer("钥匙签约公司")
    key = new_id()
    answers = await asyncio.gather(*(registry.post(path(code), SIGNED, key=key) for _ in range(3)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert len(await registry.published(CUSTOMERS, code)) == 2


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"signed_on": "2026-03-10"}, 422, "signed_in_future"),
        ({"ends_on": "2026-03-01"}, 422, "ends_before_signed"),
        ({"unit_code": "nowhere"}, 422, "unknown_unit"),
        ({"lines": ["pigeons"]}, 422, "invalid_fields"),
        ({"agreement_no": "  "}, 422, "invalid_fields"),
        ({"agreement_no": "a\u0000b"}, 422, "invalid_fields"),
        ({"credit": 1}, 422, "invalid_fields"),
    ],
)
async def test_terms_that_cannot_be_are_refused_in_both_languages(
    registry: Registry, change: dict[str, object], status: int, problem: str
) -> None:
    code = await registry.customer(f"错误条款{new_id()}")
    for language in ("en", "zh-CN"):
        answer = await registry.post(path(code), {**SIGNED, **change}, language=language)
        assert (answer.status_code, answer.json()["code"]) == (status, problem)
        assert answer.headers["content-language"] == language
    assert len(await registry.published(CUSTOMERS, code)) == 1


async def test_an_agreement_whose_last_day_has_passed_is_never_in_force(registry: Registry) -> None:
    code = await registry.customer("过期补录公司")
    answer = await registry.post(
        path(code), {"agreement_no": "O-1", "signed_on": "2025-01-01", "ends_on": "2025-12-31"}
    )
    assert answer.status_code == 201
    assert (answer.json()["lead"], answer.json()["agreements"][0]["ended_on"]) == ("A", "2025-12-31")


async def test_a_last_day_before_today_ends_it_now_and_a_later_one_when_it_is_over(
    registry: Registry,
) -> None:
    code = await registry.customer("终止公司")
    await registry.post(path(code), SIGNED)
    end = {"agreement_no": "S-1", "ends_on": "2026-06-30", "reason": "双方协商"}
    shorter = await registry.post(f"{path(code)}/end", end, if_match='"2"')
    assert (shorter.status_code, shorter.json()["version"]) == (200, 3)
    assert shorter.json()["agreements"][0]["state"] == "in_force"
    timers = await registry.sql("SELECT payload FROM timers WHERE due_at = '2026-06-30T16:00:00Z'")
    assert {"customer_code": code, "agreement_no": "S-1"} in [row.payload for row in timers]

    ended = await registry.post(f"{path(code)}/end", {**end, "ends_on": "2026-03-08"}, if_match='"3"')
    assert (ended.json()["lead"], ended.json()["agreements"][0]["state"]) == ("A", "ended")
    events = [each["event"] for each in await registry.published(CUSTOMER_EVENTS, code)]
    assert events[-3:] == ["agreement_changed", "agreement_changed", "agreement_ended"]
    steps = (await registry.get(f"/v1/customers/{code}")).json()["agreement_steps"]
    assert [(each["step"], each["reason"]) for each in steps] == [
        ("signed", None),
        ("end_moved", "双方协商"),
        ("ended", "双方协商"),
    ]
    again = await registry.post(f"{path(code)}/end", {**end, "ends_on": "2026-03-08"}, if_match='"3"')
    assert (again.status_code, again.json()["version"]) == (200, 4)
    refused = await registry.post(f"{path(code)}/end", end, if_match='"4"')
    assert (refused.status_code, refused.json()["code"]) == (409, "agreement_already_ended")


async def test_today_is_its_last_day_unless_it_is_to_end_now(registry: Registry) -> None:
    code = await registry.customer("立即终止公司")
    await registry.post(path(code), SIGNED)
    end = {"agreement_no": "S-1", "reason": "提前终止"}
    today = await registry.post(f"{path(code)}/end", end, if_match="*")
    assert (today.json()["agreements"][0]["ends_on"], today.json()["lead"]) == ("2026-03-09", "B")
    ahead = await registry.post(
        f"{path(code)}/end", {**end, "ends_on": "2026-03-10", "now": True}, if_match="*"
    )
    assert (ahead.status_code, ahead.json()["code"]) == (422, "end_lies_ahead")
    now = await registry.post(f"{path(code)}/end", {**end, "now": True}, if_match="*")
    assert (now.json()["agreements"][0]["ended_on"], now.json()["lead"]) == ("2026-03-09", "A")


async def test_signing_and_ending_say_which_version_of_the_customer_they_mean(registry: Registry) -> None:
    code = await registry.customer("版本公司")
    await registry.post(path(code), SIGNED)
    end = {"agreement_no": "S-1", "ends_on": "2026-06-30", "reason": "x"}
    for act, body in ((path(code), {**SIGNED, "agreement_no": "S-9"}), (f"{path(code)}/end", end)):
        missing = await registry.post(act, body, if_match=None)
        assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    early = await registry.post(path(code), {**SIGNED, "agreement_no": "S-9"}, if_match='"1"')
    assert (early.status_code, early.json()["current_version"]) == (412, 2)
    missing = await registry.post(f"{path(code)}/end", end, if_match=None)
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    stale = await registry.post(f"{path(code)}/end", end, if_match='"1"')
    assert (stale.status_code, stale.json()["code"], stale.json()["current_version"]) == (
        412,
        "changed_meanwhile",
        2,
    )
    unknown = await registry.post(f"{path(code)}/end", {**end, "agreement_no": "S-2"}, if_match='"2"')
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_agreement")
    early = await registry.post(f"{path(code)}/end", {**end, "ends_on": "2026-03-01"}, if_match='"2"')
    assert (early.status_code, early.json()["code"]) == (422, "ends_before_signed")


async def test_two_people_sign_different_agreements_at_one_moment_and_both_stand(registry: Registry) -> None:
    code = await registry.customer("同签公司")
    bodies = [{**SIGNED, "agreement_no": f"P-{n}"} for n in range(6)]
    answers = await asyncio.gather(*(registry.post(path(code), body) for body in bodies))
    assert {each.status_code for each in answers} == {201}
    states = await registry.published(CUSTOMERS, code)
    assert [each["version"] for each in states] == [1, 2, 3, 4, 5, 6, 7]
    assert [len(each["agreements"]) for each in states] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("user", "status", "code"),
    [
        ("centre", 201, None),
        ("centre-nanjing", 404, "unknown_customer"),
        ("manager", 403, "forbidden"),
        ("steward", 403, "forbidden"),
        ("auditor", 403, "forbidden"),
        ("admin", 403, "forbidden"),
    ],
)
async def test_only_the_centre_of_the_customers_unit_signs(
    registry: Registry, user: str, status: int, code: str | None
) -> None:
    customer = await registry.customer(f"权限公司{user}", manager_a="manager")
    answer = await registry.post(path(customer), SIGNED, user)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_a_customer_that_nobody_knows_has_no_agreements(registry: Registry) -> None:
    for code in ("9999999999999", "x/y"):
        answer = await registry.post(path(code), SIGNED)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_customer")


async def test_an_address_that_no_database_can_hold_is_refused_by_the_name_of_its_part(
    registry: Registry,
) -> None:
    answer = await registry.post(path("a%00b"), SIGNED)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "code")
