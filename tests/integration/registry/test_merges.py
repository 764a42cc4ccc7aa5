"""Merges over HTTP: shown before, signed by three offices, carried out in one step, known for ever after."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS
from shared.db import plain_dsn
from shared.ids import new_id
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines, pytest.mark.req("REG-7")]

PATH = "/v1/merges"
FIRST, SECOND, THIRD = "approver-business", "approver-supervision", "approver"
USCC, OTHER_USCC = "91330100799655058B", "91110108551385082Q"


async def proposed(registry: Registry, survivor: str, alias: str, user: str = "operator") -> dict[str, Any]:
    body = {"survivor": survivor, "alias": alias, "reason": "同一营业执照"}
    answer = await registry.post(PATH, body, user)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def signed(
    registry: Registry, merge: dict[str, Any], user: str, if_match: str | None = "*", **body: Any
) -> httpx.Response:
    return await registry.post(f"{PATH}/{merge['id']}/sign", body, user, if_match=if_match)


async def merged(registry: Registry, survivor: str, alias: str) -> dict[str, Any]:
    merge = await proposed(registry, survivor, alias)
    for user in (FIRST, SECOND):
        assert (await signed(registry, merge, user)).status_code == 200
    answer = await signed(registry, merge, THIRD)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def agreed(registry: Registry, code: str, number: str, **more: Any) -> None:
    body = {"agreement_no": number, "signed_on": "2026-03-02", **more}
    assert (await registry.post(f"/v1/customers/{code}/agreements", body)).status_code == 201


async def mapped(registry: Registry, counter: str, customer: str) -> None:
    body = {"code": counter, "customer_code": customer}
    assert (await registry.post("/v1/counter-codes", body)).status_code == 201


@pytest.mark.req("REG-19")
async def test_the_third_signature_merges_in_one_step_and_nothing_before_it(registry: Registry) -> None:
    survivor = await registry.customer("留存公司", manager_a="manager")
    alias = await registry.customer(
        "并入公司", uscc=USCC, kind="active", industry="C", manager_a="manager-b", division="320500"
    )
    await agreed(registry, survivor, "A-1")
    await agreed(registry, alias, "B-1", ends_on="2026-12-31")
    await mapped(registry, "M-1", survivor)
    await mapped(registry, "M-2", alias)

    merge = await proposed(registry, survivor, alias)
    assert (merge["state"], merge["signatures_missing"], merge["requester_office"]) == (
        "proposed",
        3,
        "centre",
    )
    preview = merge["preview"]
    assert [each["agreement_no"] for each in preview["before"]["alias"]["agreements"]] == ["B-1"]
    after = preview["after"]["survivor"]
    assert [each["agreement_no"] for each in after["agreements"]] == ["A-1", "B-1"]
    assert ([each["code"] for each in after["counter_codes"]], after["aliases"]) == (["M-1", "M-2"], [alias])
    assert (after["uscc"], after["manager_b"], after["kind"]) == (USCC, "manager-b", "active")
    assert preview["after"]["alias"]["uscc"] is None
    assert preview["warnings"] == ["name_differs"]

    once = await signed(registry, merge, FIRST, comment="核实无误")
    assert (once.json()["state"], once.json()["signatures_missing"]) == ("proposed", 2)
    # Of the requester's own office, and not the requester.
    again = await signed(registry, merge, THIRD, if_match=once.headers["etag"])
    assert (again.json()["state"], again.json()["signatures_missing"]) == ("proposed", 1)
    counts = (
        len(await registry.published(CUSTOMERS, survivor)),
        len(await registry.published(CUSTOMERS, alias)),
    )
    done = await signed(registry, merge, SECOND)
    assert (done.json()["state"], done.json()["decided_by"]) == ("merged", SECOND)
    assert [(each["person"], each["office"], each["comment"]) for each in done.json()["signatures"]] == [
        (THIRD, "centre", None),
        (FIRST, "business", "核实无误"),
        (SECOND, "supervision", None),
    ]
    assert done.json()["preview"]["after"]["survivor"]["aliases"] == [alias]

    states = await registry.published(CUSTOMERS, survivor)
    others = await registry.published(CUSTOMERS, alias)
    assert (len(states), len(others)) == (counts[0] + 1, counts[1] + 1)
    gone, goes_on = others[-1], states[-1]
    assert (gone["status"], gone["merged_into"], gone["uscc"]) == ("merged", survivor, None)
    assert (gone["agreements"], gone["counter_codes"], gone["lead"]) == ([], [], "A")
    assert (goes_on["aliases"], goes_on["uscc"], goes_on["kind"]) == ([alias], USCC, "active")
    assert (goes_on["industry"], goes_on["division"]) == ("C", "320500")
    assert (goes_on["manager_a"], goes_on["manager_b"]) == ("manager", "manager-b")
    assert [each["agreement_no"] for each in goes_on["agreements"]] == ["A-1", "B-1"]
    assert [each["code"] for each in goes_on["counter_codes"]] == ["M-1", "M-2"]
    last = (await registry.published(CUSTOMER_EVENTS, survivor))[-1]
    assert (last["event"], last["alias"], last["merged_into"]) == ("merged", alias, None)
    last = (await registry.published(CUSTOMER_EVENTS, alias))[-1]
    assert (last["event"], last["alias"], last["merged_into"]) == ("merged", None, survivor)

    timers = await registry.sql("SELECT payload FROM timers WHERE due_at = '2026-12-31T16:00:00Z'")
    assert {"customer_code": survivor, "agreement_no": "B-1"} in [row.payload for row in timers]
    file = (await registry.get(f"/v1/customers/{survivor}")).json()
    assert {each["customer_code"] for each in file["agreement_steps"]} == {survivor, alias}
    assert [(each["part"], each["manager"]) for each in file["managers"]] == [
        ("A", "manager"),
        ("B", "manager-b"),
    ]


async def test_an_alias_answers_with_its_survivor_and_cannot_be_acted_on(registry: Registry) -> None:
    survivor, alias = await registry.customer("别名甲"), await registry.customer("别名乙")
    await merged(registry, survivor, alias)
    file = (await registry.get(f"/v1/customers/{alias}")).json()
    assert file["survivor"] == {"customer_code": survivor, "name": "别名甲"}
    assert (file["status"], file["merged_into"]) == ("merged", survivor)
    assert (await registry.get(f"/v1/customers/{survivor}")).json()["survivor"] is None
    agreement = {"agreement_no": "X", "signed_on": "2026-03-02"}
    end = {"agreement_no": "X", "reason": "x"}
    third = await registry.customer("别名丙")
    for answer in (
        await registry.post(f"/v1/customers/{alias}/agreements", agreement),
        await registry.post(f"/v1/customers/{alias}/agreements/end", end, if_match="*"),
        await registry.post("/v1/counter-codes", {"code": "M-ALIAS", "customer_code": alias}),
        await registry.post(PATH, {"survivor": alias, "alias": third, "reason": "x"}),
        await registry.post(PATH, {"survivor": third, "alias": alias, "reason": "x"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "merged_into")
        assert answer.json()["merged_into"] == survivor
    refused = await registry.post("/v1/counter-codes", {"code": alias, "customer_code": third})
    assert refused.json()["code"] == "code_is_registered"
    (row,) = await registry.results([{"name": "别名乙", "customer_code": alias, "industry": "5199"}])
    assert row["reasons"] == ["customer_merged"]
    (row,) = await registry.results([{"name": "别名乙", "customer_code": alias}])
    assert row["result"] == "unchanged"


async def test_merges_one_after_another_lead_to_the_last_survivor(registry: Registry) -> None:
    a, b, c = [await registry.customer(f"链条{n}") for n in "甲乙丙"]
    await agreed(registry, a, "CHAIN")
    await merged(registry, b, a)
    await merged(registry, c, b)
    for alias in (a, b):
        file = (await registry.get(f"/v1/customers/{alias}")).json()
        assert file["survivor"]["customer_code"] == c
    file = (await registry.get(f"/v1/customers/{c}")).json()
    assert (file["aliases"], [each["agreement_no"] for each in file["agreements"]]) == (
        sorted([a, b]),
        ["CHAIN"],
    )
    assert (await registry.published(CUSTOMERS, c))[-1]["aliases"] == sorted([a, b])
    assert (await registry.published(CUSTOMERS, b))[-1]["aliases"] == []
    # A state that comes later still names them all.
    await agreed(registry, c, "LATER")
    assert (await registry.published(CUSTOMERS, c))[-1]["aliases"] == sorted([a, b])
    answer = await registry.post(
        f"/v1/customers/{a}/agreements", {"agreement_no": "X", "signed_on": "2026-03-02"}
    )
    assert answer.json()["merged_into"] == c


@pytest.mark.parametrize(
    ("requester", "signers", "problem"),
    [
        ("steward", [THIRD, THIRD], (409, "already_signed")),
        ("steward", [FIRST, "operator"], (403, "forbidden")),
        ("operator", [FIRST, SECOND, THIRD, FIRST], (409, "merge_already_decided")),
        ("operator", ["centre"], (403, "forbidden")),
        ("operator", ["admin"], (403, "forbidden")),
    ],
)
async def test_three_people_of_three_offices_sign_a_merge_and_the_requester_is_none_of_them(
    registry: Registry, requester: str, signers: list[str], problem: tuple[int, str]
) -> None:
    survivor, alias = [await registry.customer(f"三签{n}{new_id()}") for n in "甲乙"]
    merge = await proposed(registry, survivor, alias, requester)
    answers = [await signed(registry, merge, user) for user in signers]
    assert [each.status_code for each in answers[:-1]] == [200] * (len(signers) - 1)
    assert (answers[-1].status_code, answers[-1].json()["code"]) == problem


async def test_the_database_itself_refuses_a_merge_that_three_others_have_not_signed(
    registry: Registry,
) -> None:
    survivor, alias = [await registry.customer(f"库中约束{n}") for n in "甲乙"]
    merge = await proposed(registry, survivor, alias)
    for user in (FIRST, SECOND):
        await signed(registry, merge, user)
    connection = await asyncpg.connect(plain_dsn(registry.database.writer))
    try:
        # The requester's own is no signature either.
        await connection.execute(
            "INSERT INTO merge_signatures (merge_id, person, office, signed_at) VALUES ($1, 'operator', 'centre', now())",
            merge["id"],
        )
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE merges SET state = 'merged', decided_by = 'x', decided_at = now(), effect = '{}' WHERE id = $1",
                merge["id"],
            )
    finally:
        await connection.close()


async def test_signatures_that_come_at_one_moment_merge_once(registry: Registry) -> None:
    for n in range(4):
        survivor, alias = [await registry.customer(f"同时并{n}{each}") for each in "甲乙"]
        merge = await proposed(registry, survivor, alias, "steward")
        answers = await asyncio.gather(
            *(signed(registry, merge, user) for user in (FIRST, SECOND, THIRD) for _ in range(2))
        )
        assert sorted(each.status_code for each in answers) == [200, 200, 200, 409, 409, 409]
        assert len(await registry.published(CUSTOMERS, survivor)) == 2
        assert len(await registry.published(CUSTOMERS, alias)) == 2
        states = [each.json().get("state") for each in answers if each.status_code == 200]
        assert sorted(states) == ["merged", "proposed", "proposed"]


async def test_an_agreement_signed_while_the_customer_merges_passes_over_or_is_refused(
    registry: Registry,
) -> None:
    for n in range(6):
        survivor, alias = [await registry.customer(f"边签边并{n}{each}") for each in "甲乙"]
        merge = await proposed(registry, survivor, alias)
        for user in (FIRST, THIRD):
            await signed(registry, merge, user)
        body = {"agreement_no": "RACE", "signed_on": "2026-03-02"}
        merging, signing = await asyncio.gather(
            signed(registry, merge, SECOND), registry.post(f"/v1/customers/{alias}/agreements", body)
        )
        assert merging.status_code == 200
        state = (await registry.published(CUSTOMERS, survivor))[-1]
        numbers = [each["agreement_no"] for each in state["agreements"]]
        assert (signing.status_code, numbers) in [(201, ["RACE"]), (409, [])]
        assert (await registry.published(CUSTOMERS, alias))[-1]["agreements"] == []


async def test_crossing_proposals_end_in_one_merge(registry: Registry) -> None:
    one, other = await registry.customer("交叉甲"), await registry.customer("交叉乙")
    there, back = await proposed(registry, one, other), await proposed(registry, other, one)
    for merge in (there, back):
        for user in (FIRST, THIRD):
            assert (await signed(registry, merge, user)).status_code == 200
    answers = await asyncio.gather(*(signed(registry, merge, SECOND) for merge in (there, back)))
    assert sorted(each.status_code for each in answers) == [200, 409]
    (lost,) = [each for each in answers if each.status_code == 409]
    assert lost.json()["code"] == "merged_into"
    (left,) = [
        each
        for each in (await registry.get(PATH, state="proposed", customer=one)).json()["items"]
        if each["id"] in (there["id"], back["id"])
    ]
    found = (await registry.get(f"{PATH}/{left['id']}")).json()
    assert (found["preview"], found["obstacle"] is not None) == (None, True)


async def test_agreements_of_one_number_are_told_apart_or_stand_in_the_way(registry: Registry) -> None:
    survivor, alias = await registry.customer("同号甲"), await registry.customer("同号乙")
    for customer in (survivor, alias):
        await agreed(registry, customer, "SAME")
    await agreed(registry, survivor, "N-1")
    await agreed(registry, alias, "N-1", ends_on="2026-06-30")
    body = {"survivor": survivor, "alias": alias, "reason": "x"}
    clash = await registry.post(PATH, body)
    assert (clash.status_code, clash.json()["code"]) == (409, "agreements_clash")
    assert clash.json()["agreement_nos"] == ["N-1"]
    end = {"agreement_no": "N-1", "ends_on": "2026-03-05", "reason": "重号"}
    assert (
        await registry.post(f"/v1/customers/{alias}/agreements/end", end, if_match="*")
    ).status_code == 200
    done = await merged(registry, survivor, alias)
    assert done["preview"]["agreements_moved"] == [{"from": "N-1", "to": f"N-1@{alias}"}]
    agreements = (await registry.get(f"/v1/customers/{survivor}")).json()["agreements"]
    assert [(each["agreement_no"], each["state"]) for each in agreements] == [
        ("SAME", "in_force"),
        ("N-1", "in_force"),
        (f"N-1@{alias}", "ended"),
    ]


async def test_what_changed_since_it_was_looked_at_is_not_signed_unseen(registry: Registry) -> None:
    survivor, alias = await registry.customer("所见甲"), await registry.customer("所见乙")
    merge = await proposed(registry, survivor, alias)
    seen = {"survivor_version": 1, "alias_version": 1}
    assert (await signed(registry, merge, FIRST, **seen)).status_code == 200
    await agreed(registry, alias, "NEW")
    stale = await signed(registry, merge, SECOND, **seen)
    assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
    shown = (await registry.get(f"{PATH}/{merge['id']}")).json()["preview"]
    assert [each["agreement_no"] for each in shown["after"]["survivor"]["agreements"]] == ["NEW"]
    missing = await signed(registry, merge, SECOND, if_match=None)
    assert (missing.status_code, missing.json()["code"]) == (428, "if_match_missing")
    old = await signed(registry, merge, SECOND, if_match='"1"')
    assert (old.status_code, old.json()["current_version"]) == (412, 2)
    fresh = await signed(registry, merge, SECOND, if_match='"2"', survivor_version=1, alias_version=2)
    assert (fresh.status_code, fresh.json()["signatures_missing"]) == (200, 1)


async def test_a_refused_merge_ends_and_may_be_proposed_anew(registry: Registry) -> None:
    survivor, alias = await registry.customer("否决甲"), await registry.customer("否决乙")
    merge = await proposed(registry, survivor, alias)
    again = await registry.post(PATH, {"survivor": survivor, "alias": alias, "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "merge_already_proposed")
    assert again.json()["merge_id"] == merge["id"]

    async def refuse(
        merge: dict[str, Any], reason: str, user: str, if_match: str | None = "*"
    ) -> httpx.Response:
        path = f"{PATH}/{merge['id']}/refuse"
        return await registry.post(path, {"reason": reason}, user, if_match=if_match)

    assert (await refuse(merge, "x", "centre")).status_code == 403
    assert (await refuse(merge, " ", FIRST)).status_code == 422
    assert (await refuse(merge, "x", FIRST, None)).status_code == 428
    assert (await refuse(merge, "x", FIRST, '"7"')).status_code == 412
    refused = await refuse(merge, "不是同一客户", FIRST)
    assert (refused.json()["state"], refused.json()["decision_reason"]) == ("refused", "不是同一客户")
    for answer in (await refuse(merge, "x", SECOND), await signed(registry, merge, SECOND)):
        assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (
            409,
            "merge_already_decided",
            "refused",
        )
    anew = await proposed(registry, survivor, alias)
    withdrawn = await refuse(anew, "撤回", "operator")
    assert withdrawn.json()["state"] == "withdrawn"
    assert len(await registry.published(CUSTOMERS, alias)) == 1


async def test_two_credit_codes_are_a_warning_and_both_are_kept(registry: Registry) -> None:
    survivor = await registry.customer("两证甲", uscc=OTHER_USCC)
    alias = await registry.customer("两证乙", uscc="91440300708461136T")
    merge = await proposed(registry, survivor, alias)
    assert "uscc_differs" in merge["preview"]["warnings"]
    assert merge["preview"]["after"]["alias"]["uscc"] == "91440300708461136T"


async def test_a_customer_is_not_merged_with_itself_nor_with_nobody(registry: Registry) -> None:
    one = await registry.customer("独自公司")
    same = await registry.post(PATH, {"survivor": one, "alias": one, "reason": "x"})
    assert (same.status_code, same.json()["code"]) == (422, "same_customer")
    nobody = await registry.post(PATH, {"survivor": one, "alias": "9999999999999", "reason": "x"})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown_customer")
    assert (await signed(registry, {"id": 999999}, FIRST)).json()["code"] == "unknown_merge"
    unknown = await registry.post(f"{PATH}/999999/refuse", {"reason": "x"}, FIRST, if_match="*")
    assert unknown.status_code == 404


@pytest.mark.req("PLT-13")
async def test_a_merge_is_seen_and_signed_by_those_who_cover_both_customers(registry: Registry) -> None:
    near, far = await registry.customer("跨市甲"), await registry.customer("跨市乙", unit_code="3201")
    outside = await registry.post(PATH, {"survivor": near, "alias": far, "reason": "x"}, "steward")
    assert (outside.status_code, outside.json()["code"]) == (404, "unknown_customer")
    merge = await proposed(registry, near, far)
    for user, status in (("operator", 200), ("province", 200), ("steward", 404), (FIRST, 404)):
        assert (await registry.get(f"{PATH}/{merge['id']}", user)).status_code == status, user
    assert (await registry.get(f"{PATH}/{merge['id']}", "manager")).status_code == 403
    listed = (await registry.get(PATH, "steward", limit="500")).json()["items"]
    assert merge["id"] not in [each["id"] for each in listed]
    for path, body in (("sign", {}), ("refuse", {"reason": "x"})):
        answer = await registry.post(f"{PATH}/{merge['id']}/{path}", body, FIRST, if_match="*")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_merge")


async def test_merges_are_listed_by_state_and_customer_in_pages(registry: Registry) -> None:
    survivor = await registry.customer("列表甲")
    aliases = [await registry.customer(f"列表乙{n}") for n in range(3)]
    ids = [(await proposed(registry, survivor, each))["id"] for each in aliases]
    first = (await registry.get(PATH, customer=survivor, limit="2")).json()
    rest = (await registry.get(PATH, customer=survivor, limit="2", cursor=first["next_cursor"])).json()
    assert [each["id"] for each in [*first["items"], *rest["items"]]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert (await registry.get(PATH, customer=survivor, state="merged")).json()["items"] == []
    one = await registry.get(f"{PATH}/{ids[0]}")
    assert one.headers["etag"] == '"1"'
