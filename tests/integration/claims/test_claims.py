"""Claims learns from the registry's topics and lives alone."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from services.claims.handlers.learn import TOPICS
from shared.auth.development import PEOPLE
from shared.db import create_engine
from shared.messaging import positions
from shared.scope import reading
from tests.support.engines import Engines
from tests.support.services import ServiceProcess
from tests.support.states import (
    NANJING,
    SUZHOU,
    HandlerBench,
    agreement,
    customer,
    poisons,
    publish,
    unit,
)
from tests.support.waiting import until

pytestmark = pytest.mark.engines


async def everything(bench: HandlerBench) -> list[Any]:
    return [await bench.rows(f"SELECT * FROM {table} ORDER BY 1") for table in ("units", "customers")]


@pytest.mark.req("PLT-5")
async def test_older_states_and_states_read_again_change_nothing(known: HandlerBench) -> None:
    records = await known.tell(
        unit(),
        unit(version=2, name_en="Suzhou City"),
        customer("A1"),
        customer("A1", version=3, path=NANJING, agreements=(agreement(),)),
        customer("A1", version=2, status="retired"),
    )
    expected = await everything(known)
    for again in (records, records[::-1], records[:1], records[2:3], [*records, *records]):
        await known.take(again)
    assert await everything(known) == expected
    assert await known.rows("SELECT version, unit_path, status FROM customers") == [(3, NANJING, "active")]
    assert await known.rows("SELECT version, name_en FROM units") == [(2, "Suzhou City")]


async def test_each_poison_is_claims_dead_letter_once_and_the_good_record_beside_it_is_learned(
    known: HandlerBench,
) -> None:
    wrong = [one for message in (unit(), customer("A1")) for one in poisons(message).values()]
    records = await known.tell(*wrong, customer("A1"))
    await known.take(records)
    assert await known.rows("SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY 1") == sorted(
        (reason, 2) for reason in poisons(unit())
    )
    assert await known.rows("SELECT customer_code FROM customers") == [("A1",)]


@pytest.mark.req("PLT-13")
@pytest.mark.parametrize(
    ("user", "codes"),
    [
        ("centre", ["S1", "S2"]),
        ("centre-nanjing", ["N1"]),
        ("manager", ["S1"]),
        ("province", ["N1", "S1", "S2"]),
    ],
)
async def test_a_hand_written_select_sees_the_rows_of_the_callers_units_only(
    known: HandlerBench, user: str, codes: list[str]
) -> None:
    await known.tell(customer("S1"), customer("S2", manager_a=None), customer("N1", path=NANJING))
    caller = next(person for person in PEOPLE if person.user == user)
    engine = create_engine(known.database.reader, "tests")
    async with reading(engine, caller, "customers.read") as connection:
        rows = await connection.exec_driver_sql("SELECT customer_code FROM customers ORDER BY 1")
        assert [row[0] for row in rows] == codes
    await engine.dispose()


@pytest.mark.req("PLT-3", "PLT-5")
async def test_claims_starts_where_no_registry_ever_ran_stops_catches_up_and_can_be_rewound(
    engines: Engines, claims: ServiceProcess
) -> None:
    start = f"T{secrets.token_hex(4)}"
    codes = [f"{start}{number}" for number in range(3)]

    async def listed(user: str = "operator", **filters: Any) -> list[dict[str, Any]]:
        found = await claims.items("/v1/customers", user, limit=2, **filters)
        return [row for row in found if row["customer_code"] in codes]

    claims.start()
    await claims.wait_ready()
    assert await listed() == []
    assert (await claims.get("/ops/progress", "service:cli")).json()["service"] == "claims"
    claims.stop()

    # While it is away, the registry goes on.
    signed = (agreement(), agreement("XY-0", state="ended"))
    told = [customer(code, agreements=signed) for code in codes[:2]]
    publish(engines, [unit(), unit("3201", NANJING), *told, customer(codes[2], path=NANJING)], "registry")
    claims.start()
    await claims.wait_ready()

    async def caught_up() -> list[dict[str, Any]] | None:
        found = await listed()
        return found if len(found) == 3 else None

    found = await until(caught_up)
    assert [(row["unit_code"], row["unit_path"]) for row in found] == [
        ("3205", SUZHOU),
        ("3205", SUZHOU),
        ("3201", NANJING),
    ]
    assert [each["agreement_no"] for each in found[0]["agreements"]] == ["XY-1"]
    assert [row["customer_code"] for row in await listed("centre")] == codes[:2]
    assert [row["customer_code"] for row in await listed(unit="3201")] == codes[2:]
    assert (await claims.get("/v1/customers", "admin")).status_code == 403

    await claims.at_rest(TOPICS)
    bench = HandlerBench(claims.database, None)  # type: ignore[arg-type]
    before = await everything(bench)
    reached = "SELECT topic, partition, next_offset FROM positions WHERE consumer = 'claims.registry'"
    stored = await bench.rows(reached)
    async with bench.engine.begin() as connection:
        for topic, partition, _offset in stored:
            await positions.rewind(connection, "claims.registry", topic, partition, 0)

    async def read_again() -> bool:
        return sorted(await bench.rows(reached)) == sorted(stored)

    await until(read_again)
    assert await everything(bench) == before
    await bench.engine.dispose()
    claims.stop()
