"""Counter codes over HTTP: one customer a day, whoever comes first."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS
from shared.db import plain_dsn
from tests.integration.registry.conftest import Registry

pytestmark = [pytest.mark.engines, pytest.mark.req("REG-10")]

PATH = "/v1/counter-codes"


async def mapped(registry: Registry, code: str, customer: str, **more: Any) -> dict[str, Any]:
    answer = await registry.post(PATH, {"code": code, "customer_code": customer, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_mapped_code_is_told_with_its_dates(registry: Registry) -> None:
    customer = await registry.customer("映射公司")
    made = await mapped(registry, "K 001", customer, valid_from="2026-01-01")
    assert (made["code"], made["customer_code"], made["version"]) == ("K 001", customer, 1)
    state = (await registry.published(CUSTOMERS, customer))[-1]
    assert state["counter_codes"] == [
        {"code": "K 001", "valid_from": "2026-01-01", "valid_to": None, "unit_code": None, "counter_id": None}
    ]
    event = (await registry.published(CUSTOMER_EVENTS, customer))[-1]
    assert (event["event"], event["counter_code"]) == ("code_mapped", "K 001")
    file = (await registry.get(f"/v1/customers/{customer}")).json()
    assert [each["code"] for each in file["counter_codes"]] == ["K 001"]
    again = await registry.post(
        PATH, {"code": "K 001", "customer_code": customer, "valid_from": "2026-01-01"}
    )
    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    assert len(await registry.published(CUSTOMERS, customer)) == 2


async def test_a_code_means_one_customer_on_one_day_and_another_on_the_next(registry: Registry) -> None:
    first, second = await registry.customer("先公司"), await registry.customer("后公司")
    await mapped(registry, "K-2", first, valid_to="2026-02-28")
    clash = await registry.post(PATH, {"code": "K-2", "customer_code": second, "valid_from": "2026-02-28"})
    assert (clash.status_code, clash.json()["code"]) == (409, "code_mapped_elsewhere")
    (holder,) = clash.json()["mappings"]
    assert (holder["customer_code"], holder["valid_from"], holder["valid_to"]) == (first, None, "2026-02-28")
    await mapped(registry, "K-2", second, valid_from="2026-03-01")
    own = await registry.post(PATH, {"code": "K-2", "customer_code": second, "valid_from": "2026-04-01"})
    assert own.status_code == 409


@pytest.mark.req("PLT-13")
async def test_who_holds_a_code_outside_ones_scope_is_told_by_unit_alone(registry: Registry) -> None:
    far = await registry.customer("南京公司", unit_code="3201")
    near = await registry.customer("苏州公司")
    await mapped(registry, "K-3", far, unit_code="3205")
    body = {"code": "K-3", "customer_code": near}
    for language, words in (("en", "Nanjing key-account centre"), ("zh-CN", "南京市大客户中心")):
        answer = await registry.post(PATH, body, "steward", language=language)
        assert answer.status_code == 409
        assert words in answer.json()["detail"]
        assert far not in answer.text and "南京公司" not in answer.text
        assert answer.json()["mappings"][0]["unit_code"] == "3201"


@pytest.mark.req("PLT-13")
async def test_a_steward_maps_a_code_for_the_counters_of_their_own_units(registry: Registry) -> None:
    near, far = await registry.customer("苏州甲"), await registry.customer("南京乙", unit_code="3201")
    body = {"code": "000123", "customer_code": near}
    own = await registry.post(PATH, body, "steward")
    assert (own.status_code, own.json()["unit_code"], own.json()["counter_id"]) == (201, "3205", None)
    for counters in (
        {"unit_code": "3201"},
        {"counter_id": "32010001"},
        {"unit_code": "32"},
        {"counter_id": "?"},
    ):
        foreign = await registry.post(PATH, {**body, **counters}, "steward")
        assert (foreign.status_code, foreign.json()["code"]) == (403, "counters_out_of_scope"), counters
    county = await registry.post(PATH, {**body, "unit_code": "320583"}, "steward")
    outlet = await registry.post(PATH, {**body, "counter_id": "32050001"}, "steward")
    assert (county.status_code, outlet.status_code) == (201, 201)
    # The same code of another city's counters is another code, and the root's mapping is for all that have none.
    there = await mapped(registry, "000123", far, unit_code="3201")
    everywhere = await mapped(registry, "000123", far)
    assert (there["unit_code"], everywhere["unit_code"], everywhere["counter_id"]) == ("3201", None, None)
    again = await registry.post(PATH, body, "steward")
    assert (again.status_code, again.json()["id"]) == (200, own.json()["id"])
    clash = await registry.post(PATH, {**body, "customer_code": far, "unit_code": "3205"})
    assert (clash.status_code, clash.json()["code"]) == (409, "code_mapped_elsewhere")
    state = (await registry.published(CUSTOMERS, near))[-1]
    assert [(each["unit_code"], each["counter_id"]) for each in state["counter_codes"]] == [
        (None, "32050001"),
        ("3205", None),
        ("320583", None),
    ]
    listed = (await registry.get(PATH, code="000123", unit="3201")).json()["items"]
    assert [each["customer_code"] for each in listed] == [far]
    for wrong in (
        {"unit_code": "3205", "counter_id": "32050001"},
        {"counter_id": "a\tb"},
        {"unit_code": "9999"},
    ):
        assert (await registry.post(PATH, {**body, **wrong})).status_code == 422, wrong


@pytest.mark.req("REG-4", "REG-5")
async def test_nobody_spends_the_codes_of_a_city_that_they_do_not_act_for(registry: Registry) -> None:
    near = await registry.customer("苏州号段公司")
    theirs, own = "3201009000007", "3205009000007"
    foreign = await registry.post(PATH, {"code": theirs, "customer_code": near}, "steward")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "code_range_foreign")
    assert foreign.json()["unit_code"] == "3201"
    assert (await registry.post(PATH, {"code": own, "customer_code": near}, "steward")).status_code == 201
    (adopted,) = await registry.results([{"name": "号段收养", "customer_code": theirs}], "centre")
    assert adopted["reasons"] == ["code_range_foreign"]
    (kept,) = await registry.results([{"name": "号段自有", "customer_code": "3205009000015"}], "centre")
    assert kept["result"] == "created"
    async with registry.platform.writer.connect() as connection:
        skipped = await connection.execute(text("SELECT count(*) FROM code_skips WHERE division = '320100'"))
        assert skipped.scalar_one() == 0
    (root,) = await registry.results([{"name": "号段收养", "customer_code": theirs}])
    assert root["result"] == "created"


async def test_twenty_people_who_map_one_code_at_once_find_one_who_was_first(registry: Registry) -> None:
    customers = [await registry.customer(f"抢码公司{n}") for n in range(20)]
    answers = await asyncio.gather(
        *(
            registry.post(
                PATH, {"code": "K-RACE", "customer_code": each, "valid_from": f"2026-01-{n + 1:02d}"}
            )
            for n, each in enumerate(customers)
        )
    )
    assert sorted(each.status_code for each in answers) == [201] + [409] * 19
    (winner,) = [each.json()["customer_code"] for each in answers if each.status_code == 201]
    for each in answers:
        if each.status_code == 409:
            assert [m["customer_code"] for m in each.json()["mappings"]] == [winner]
    states = [await registry.published(CUSTOMERS, each) for each in customers]
    assert sum(len(each) for each in states) == 21


async def test_the_database_itself_refuses_two_customers_on_one_day(registry: Registry) -> None:
    first, second = await registry.customer("约束甲"), await registry.customer("约束乙")
    made = await mapped(registry, "K-DB", first)
    connection = await asyncpg.connect(plain_dsn(registry.database.writer))
    try:
        with pytest.raises(asyncpg.ExclusionViolationError):
            await connection.execute(
                "INSERT INTO counter_codes (code_id, customer_code, valid_from, mapped_by, mapped_at, version)"
                " SELECT code_id, $2, '2030-01-01', 'x', now(), 1 FROM counter_codes WHERE id = $1",
                made["id"],
                second,
            )
        for statement in (
            "DELETE FROM counter_codes",
            "UPDATE counter_codes SET code_id = 1",
            "UPDATE counter_codes SET valid_from = NULL",
            "DELETE FROM merge_signatures",
            "UPDATE merge_signatures SET person = 'x'",
            "DELETE FROM agreement_steps",
            "UPDATE merges SET alias = survivor",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.req("REG-4")
async def test_a_code_of_the_registry_is_never_mapped_and_a_mapped_code_never_given(
    registry: Registry,
) -> None:
    one, other = await registry.customer("甲方"), await registry.customer("乙方")
    refused = await registry.post(PATH, {"code": one, "customer_code": other})
    assert (refused.status_code, refused.json()["code"]) == (409, "code_is_registered")
    # A counter's code that looks like the one after the next: it is passed over when codes are given.
    serial = int(other[6:12])
    lookalike = f"320500{serial + 2:06d}X"[:12] + "7"
    await mapped(registry, lookalike, one)
    (adopted,) = await registry.results([{"name": "收养公司", "customer_code": lookalike}])
    assert adopted["reasons"] == ["code_taken"]
    following = [int((await registry.customer(f"顺延公司{n}"))[6:12]) for n in range(2)]
    assert following == [serial + 1, serial + 3]


async def test_a_code_is_adopted_and_mapped_at_one_moment_by_one_of_them_alone(registry: Registry) -> None:
    customer = await registry.customer("竞争公司")
    for n in range(5):
        code = f"77000000000{n:02d}"
        adopted, mapping = await asyncio.gather(
            registry.results([{"name": f"竞争收养{n}", "customer_code": code}]),
            registry.post(PATH, {"code": code, "customer_code": customer}),
        )
        assert (adopted[0]["result"], mapping.status_code) in {("created", 409), ("rejected", 201)}


async def test_a_mapping_ends_earlier_but_never_later_and_can_be_taken_back(registry: Registry) -> None:
    customer, other = await registry.customer("终码公司"), await registry.customer("改码公司")
    made = await mapped(registry, "K-END", customer, valid_from="2026-01-01")
    path = f"{PATH}/{made['id']}"
    assert (await registry.get(path)).headers["etag"] == '"1"'
    end = {"valid_to": "2026-03-31", "reason": "换码"}
    missing = await registry.post(f"{path}/end", end, if_match=None)
    assert missing.status_code == 428
    ended = await registry.post(f"{path}/end", end, if_match='"1"')
    assert (ended.status_code, ended.json()["valid_to"], ended.headers["etag"]) == (200, "2026-03-31", '"2"')
    assert (ended.json()["ended_by"], ended.json()["end_reason"]) == ("operator", "换码")
    event = (await registry.published(CUSTOMER_EVENTS, customer))[-1]
    assert (event["event"], event["counter_code"]) == ("code_unmapped", "K-END")
    again = await registry.post(f"{path}/end", end, if_match='"1"')
    assert (again.status_code, again.json()["version"]) == (200, 2)
    stale = await registry.post(f"{path}/end", {**end, "valid_to": "2026-02-28"}, if_match='"1"')
    assert (stale.status_code, stale.json()["current_version"]) == (412, 2)
    later = await registry.post(f"{path}/end", {**end, "valid_to": "2026-04-30"}, if_match='"2"')
    assert (later.status_code, later.json()["code"]) == (409, "mapping_already_ended")

    back = await registry.post(f"{path}/end", {**end, "valid_to": "2025-12-31"}, if_match='"2"')
    assert back.json()["taken_back"] is True
    assert (await registry.published(CUSTOMERS, customer))[-1]["counter_codes"] == []
    await mapped(registry, "K-END", other, valid_from="2026-01-01")


@pytest.mark.parametrize("code", ["x" * 33, "a\tb", "a\u0000b", "", "   "])
async def test_what_no_counter_can_send_is_no_code(registry: Registry, code: str) -> None:
    customer = await registry.customer(f"坏码公司{len(code)}{code.encode().hex()}")
    answer = await registry.post(PATH, {"code": code, "customer_code": customer})
    assert answer.status_code == 422
    dates = {"valid_from": "2026-02-01", "valid_to": "2026-01-31"}
    refused = await registry.post(PATH, {"code": "K", "customer_code": customer, **dates})
    assert (refused.status_code, refused.json()["code"]) == (422, "ends_before_start")


@pytest.mark.req("PLT-13")
async def test_codes_are_mapped_and_read_within_ones_units(registry: Registry) -> None:
    near = await registry.customer("近处公司", manager_a="manager")
    far = await registry.customer("远处公司", unit_code="3201")
    here, there = await mapped(registry, "K-NEAR", near), await mapped(registry, "K-FAR", far)

    async def seen(user: str) -> set[str]:
        answer = await registry.get(PATH, user, limit="500")
        assert answer.status_code == 200, answer.text
        return {each["code"] for each in answer.json()["items"]} & {"K-NEAR", "K-FAR"}

    assert await seen("operator") == {"K-NEAR", "K-FAR"}
    assert await seen("centre-nanjing") == {"K-FAR"}
    assert await seen("steward") == {"K-NEAR"}
    assert (await registry.get(PATH, "manager")).status_code == 403
    assert (await registry.get(f"{PATH}/{there['id']}", "steward")).status_code == 404
    assert (await registry.get(f"{PATH}/{here['id']}", "steward")).status_code == 200
    end = {"valid_to": "2026-03-31", "reason": "x"}
    far_end = await registry.post(f"{PATH}/{there['id']}/end", end, "steward", if_match="*")
    assert (far_end.status_code, far_end.json()["code"]) == (404, "unknown_mapping")
    far_map = await registry.post(PATH, {"code": "K-9", "customer_code": far}, "steward")
    assert (far_map.status_code, far_map.json()["code"]) == (404, "unknown_customer")
    assert (await registry.post(PATH, {"code": "K-9", "customer_code": near}, "centre")).status_code == 403
    found = (await registry.get(PATH, code="K-NEAR")).json()
    assert [each["customer_code"] for each in found["items"]] == [near]
    page = (await registry.get(PATH, customer=near, limit="1")).json()
    assert page["next_cursor"] is None
    async with registry.platform.reader.connect() as connection:
        for table in ("counter_codes", "counter_code_names", "merges", "merge_signatures", "agreement_steps"):
            count = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            assert count == 0, table
