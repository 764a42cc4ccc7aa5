"""The bulk import on a real database: codes, repetition, concurrency, one step downstream."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from services.registry.main import build
from shared.contracts.topics import CUSTOMER_EVENTS, CUSTOMERS
from shared.db import plain_dsn
from shared.ids import new_id
from tests.integration.registry.conftest import Registry

pytestmark = pytest.mark.engines


@pytest.mark.req("REG-4")
async def test_the_first_customer_of_suzhou_gets_the_first_code(registry: Registry) -> None:
    (result,) = await registry.results([{"name": "第一公司"}])
    assert result["result"] == "created"
    assert result["customer_code"] == "3205000000011"


@pytest.mark.req("REG-4", "REG-20")
async def test_a_row_is_one_state_record_and_its_events(registry: Registry) -> None:
    (result,) = await registry.results(
        [
            {
                "name": "一步公司",
                "customer_code": "12345678901234",
                "unit_code": "3201",
                "agreement_no": "A-1",
                "agreement_signed_on": "2026-01-05",
                "agreement_ends_on": "2027-01-04",
                "manager_a": "manager",
            }
        ]
    )
    assert result["result"] == "created"
    (state,) = await registry.published(CUSTOMERS, "12345678901234")
    assert (state["version"], state["unit_path"], state["city_group"]) == (1, "/CN/32/3201", 1)
    (agreement,) = state["agreements"]
    assert (agreement["state"], agreement["signed_on"], agreement["ends_on"]) == (
        "in_force",
        "2026-01-05",
        "2027-01-04",
    )
    events = await registry.published(CUSTOMER_EVENTS, "12345678901234")
    assert [each["event"] for each in events] == [
        "code_adopted",
        "imported",
        "managers_bound",
        "agreement_signed",
    ]
    assert {each["by"] for each in events} == {"operator"}


async def test_the_same_rows_again_add_nothing(registry: Registry) -> None:
    rows: list[dict[str, Any]] = [
        {"name": f"重复公司{n}", "agreement_no": "A", "agreement_signed_on": "2026-01-05"} for n in range(50)
    ]
    first = await registry.results(rows)
    count = len(await registry.published(CUSTOMERS)), len(await registry.published(CUSTOMER_EVENTS))
    again = await registry.results(rows)
    assert {each["result"] for each in again} == {"unchanged"}
    assert [each["customer_code"] for each in again] == [each["customer_code"] for each in first]
    assert (len(await registry.published(CUSTOMERS)), len(await registry.published(CUSTOMER_EVENTS))) == count


@pytest.mark.req("REG-4")
async def test_concurrent_imports_give_unique_codes_and_explain_every_gap(registry: Registry) -> None:
    before = (await registry.sql("SELECT last_serial FROM code_ranges WHERE division = '320500'"))[0][0]
    adopted = [f"320500{before + step:06d}9" for step in (3, 40, 41, 90)]
    chunks: list[list[dict[str, Any]]] = [
        [{"name": f"并发{worker}-{n}"} for n in range(25)]
        + [{"name": f"旧码{worker}", "customer_code": adopted[worker % len(adopted)]}]
        for worker in range(8)
    ]
    answers = await asyncio.gather(*(registry.load(chunk) for chunk in chunks))
    results = [result for answer in answers for result in answer.json()["results"]]
    created = [each["customer_code"] for each in results if each["result"] == "created"]
    assert len(set(created)) == len(created) == 8 * 25 + 4
    refused = [each["reasons"] for each in results if each["result"] == "rejected"]
    assert len(refused) == 4
    assert all("code_taken" in reasons for reasons in refused)
    issued = await registry.sql(
        "SELECT division, serial, code FROM code_assignments WHERE origin = 'issued' ORDER BY division, serial"
    )
    skipped = await registry.sql("SELECT division, serial FROM code_skips")
    for division, last in await registry.sql("SELECT division, last_serial FROM code_ranges"):
        serials = [row.serial for row in issued if row.division == division]
        gaps = [row.serial for row in skipped if row.division == division]
        assert not set(serials) & set(gaps)
        assert {*serials, *gaps} >= set(range(1, last + 1))


@pytest.mark.req("REG-6")
async def test_two_imports_of_one_credit_code_at_one_moment_register_one_customer(registry: Registry) -> None:
    row = {"name": "同时公司", "uscc": "91330100799655058B"}
    answers = await asyncio.gather(*(registry.load([row]) for _ in range(8)))
    results = [answer.json()["results"][0] for answer in answers]
    assert sorted(each["result"] for each in results) == ["created"] + ["unchanged"] * 7
    assert len({each["customer_code"] for each in results}) == 1


async def test_a_key_used_again_gives_the_same_answer_and_another_body_is_refused(registry: Registry) -> None:
    key, import_id = new_id(), new_id()
    rows = [{"name": "钥匙公司"}]
    answers = await asyncio.gather(*(registry.load(rows, key=key, import_id=import_id) for _ in range(4)))
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["counts"]["created"] == 1
    other = await registry.load([{"name": "别的公司"}], key=key, import_id=import_id)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    record = (await registry.get(f"/v1/customer-imports/{import_id}")).json()
    assert (record["rows_done"], record["created"], record["person"]) == (1, 1, "operator")


async def test_rejected_rows_do_not_hold_back_the_good_ones(registry: Registry) -> None:
    results = await registry.results(
        [
            {"name": "好公司一"},
            {"name": ""},
            {"name": "坏公司", "uscc": "91330100799655058C", "division": "999999"},
            {"name": "坏公司", "unit_code": "nowhere\x00"},
            {"name": "好公司二"},
        ]
    )
    assert [each["result"] for each in results] == ["created", "rejected", "rejected", "rejected", "created"]
    assert [each["reasons"] for each in results[1:4]] == [
        ["missing_name"],
        ["bad_uscc", "unknown_division"],
        ["unknown_unit"],
    ]


async def test_an_import_is_one_persons_and_one_files(registry: Registry) -> None:
    import_id = new_id()
    assert (await registry.load([{"name": "归属公司"}], import_id=import_id)).status_code == 200
    other = await registry.load([{"name": "归属公司二"}], user="centre", import_id=import_id)
    assert (other.status_code, other.json()["code"]) == (409, "import_conflict")
    assert (await registry.get(f"/v1/customer-imports/{import_id}", "centre")).status_code == 404


async def test_rows_beyond_the_limit_and_doubled_row_numbers_are_refused(registry: Registry) -> None:
    many = await registry.load([{"name": f"n{n}"} for n in range(501)])
    assert many.status_code == 422
    twice = await registry.client.post(
        "/v1/customer-imports",
        json={
            "import_id": new_id(),
            "file_name": "f",
            "file_sha256": "0" * 64,
            "rows_total": 2,
            "rows": [{"row": 2, "name": "a"}, {"row": 2, "name": "b"}],
        },
        headers=registry.headers("operator"),
    )
    assert (twice.status_code, twice.json()["code"]) == (422, "duplicate_rows")


@pytest.mark.req("REG-4")
async def test_the_database_itself_refuses_to_edit_or_reuse_a_code(registry: Registry) -> None:
    connection = await asyncpg.connect(plain_dsn(registry.database.writer))
    try:
        for statement in (
            "UPDATE code_assignments SET code = 'x'",
            "DELETE FROM code_assignments",
            "DELETE FROM code_skips",
            "UPDATE customers SET code = 'x'",
            "DELETE FROM customers",
            "UPDATE units_history SET version = 9",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_starting_again_loads_nothing_twice(registry: Registry) -> None:
    before = await registry.sql("SELECT topic, count(*) FROM outbox GROUP BY topic ORDER BY topic")
    for start in build(registry.platform).on_start:
        await start()
    assert await registry.sql("SELECT topic, count(*) FROM outbox GROUP BY topic ORDER BY topic") == before
    units = await registry.published("registry.units.v1")
    assert len(units) == len({unit["unit_code"] for unit in units}) > 200


@pytest.mark.req("REG-6")
@pytest.mark.parametrize("typed", ["昆山(搜寻)", " 搜寻 ", "［搜寻］工贸", "ａｂ搜"])
async def test_a_customer_is_found_by_its_name_however_the_name_is_typed(
    registry: Registry, typed: str
) -> None:
    await registry.results([{"name": "昆山（搜寻）工贸有限公司"}, {"name": "ＡＢ搜公司"}])
    found = (await registry.get("/v1/customers", name=typed)).json()["items"]
    assert [one["name"] for one in found] == ["ＡＢ搜公司" if "ａ" in typed else "昆山（搜寻）工贸有限公司"]
