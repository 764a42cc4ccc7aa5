"""Tiering's own consumers, rewound to the beginning as an operator does it, change nothing (PLT-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from confluent_kafka import Producer

from shared.auth.development import mint
from shared.clock import SHANGHAI, SystemClock
from shared.contracts.topics import COUNTER_TRANSACTIONS, CUSTOMERS
from tests.integration.tiering.test_http import sale
from tests.support.engines import Engines
from tests.support.services import ServiceProcess
from tests.support.states import agreement, customer, publish
from tests.support.waiting import until

pytestmark = pytest.mark.engines

CODE = "3205000000011"
CONTENT = {
    "ledger": "SELECT seq, source, id, account, amount_fen FROM ledger ORDER BY seq",
    "totals": "SELECT account, line, month, amount_fen, count FROM month_totals ORDER BY 1, 2, 3",
    "held": "SELECT source, id, reason, state FROM suspense ORDER BY 1, 2",
    "changes": "SELECT event FROM tier_changes ORDER BY number",
    "dead": 'SELECT topic, partition, "offset", reason FROM dead_letters ORDER BY 1, 2, 3',
    # What was published has gone; the numbering says whether anything came after it.
    "outgoing": "SELECT last_value FROM outbox_id_seq",
}


@pytest.fixture
async def tiering(engines: Engines, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    database = engines.scratch_database("tiering")
    process = ServiceProcess(engines, database, tmp_path)
    process.migrate()
    process.start()
    await process.wait_ready()
    yield process
    process.kill()
    engines.drop_database(database)


async def content(tiering: ServiceProcess) -> dict[str, Any]:
    connection = await asyncpg.connect(tiering.database.dsn("tiering_owner", "postgresql"))
    try:
        return {
            name: [tuple(row) for row in await connection.fetch(query)] for name, query in CONTENT.items()
        }
    finally:
        await connection.close()


async def quiet(tiering: ServiceProcess) -> None:
    await tiering.at_rest((COUNTER_TRANSACTIONS, CUSTOMERS))

    async def nothing_left() -> bool:
        said = (await tiering.get("/ops/progress", "service:cli")).json()
        return bool(said["outbox_pending"] == said["work_pending"] == 0)

    await until(nothing_left, 40)


async def rewind(
    tiering: ServiceProcess, consumer: str, body: dict[str, Any], user: str = "operator"
) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(
            f"{tiering.url}/v1/consumers/{consumer}/rewind",
            json=body,
            headers={"authorization": f"Bearer {mint(tiering.secrets, user)}", "accept-language": "en"},
        )


@pytest.mark.req("PLT-5", "TIE-1")
async def test_both_consumers_rewound_to_the_beginning_change_nothing(
    engines: Engines, tiering: ServiceProcess
) -> None:
    day = str((SystemClock().now().astimezone(SHANGHAI) - timedelta(days=1)).date())
    publish(engines, [customer(CODE, agreements=(agreement(),))], "registry")
    producer = Producer(engines.librdkafka())
    records: list[Any] = [sale(f"r-{number}", "4000.00", day) for number in range(6)]
    records += [
        sale("r-0", "4000.00", day),
        sale("r-1", "9.00", day),
        sale("r-9", "1.00", day, code="000123"),
    ]
    for record in (*map(orjson.dumps, records), b"not JSON"):
        producer.produce(COUNTER_TRANSACTIONS, record, CODE.encode())
    assert producer.flush(20) == 0
    await quiet(tiering)
    before = await content(tiering)
    assert len(before["ledger"]) == 6
    assert before["held"]
    assert before["dead"]
    for consumer in ("transactions", "customers"):
        dry = (await rewind(tiering, consumer, {"to": "beginning", "dry_run": True})).json()
        done = (await rewind(tiering, consumer, {"to": "beginning"})).json()
        assert dry["moved"] == done["moved"] != []
        assert {one["after"] for one in done["moved"]} == {0}
        await quiet(tiering)
    after = await content(tiering)
    assert after == before


async def test_a_rewinding_is_an_act_of_the_root_and_names_what_it_can_do(tiering: ServiceProcess) -> None:
    body = {"to": "beginning"}
    for user in ("manager", "steward"):  # The steward of one city.
        assert (await rewind(tiering, "transactions", body, user)).status_code == 403
    unknown = await rewind(tiering, "nobody", body)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "consumer_unknown")
    assert "transactions, customers" in unknown.json()["detail"]
    other = await rewind(tiering, "transactions", {**body, "topic": CUSTOMERS})
    assert (other.status_code, other.json()["code"]) == (422, "topic_not_read")
    for bad in (
        {"to": -1}, {"to": 1.5}, {"to": True}, {"to": "12"}, {"to": 2**63}, {"to": "end"},
        {"to": "2026-03-01T00:00:00"}, {"to": 1, "more": 1},
    ):  # fmt: skip
        assert (await rewind(tiering, "transactions", bad)).status_code == 422, bad
    for good in ({"to": 0}, {"to": 2**62}, {"to": "1901-01-01T00:00:00+08:00"}, {"to": "2199-12-31T00:00Z"}):
        answer = await rewind(tiering, "transactions", {**good, "dry_run": True})
        assert answer.status_code == 200, answer.text
