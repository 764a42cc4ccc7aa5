"""Counter systems with a topic of their own speak for themselves and for nobody else (ADR 11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest

from services.tiering.entrypoints.transactions import topic_of
from shared.clock import SHANGHAI
from shared.contracts.counter_systems import CounterSystem
from shared.contracts.topics import COUNTER_TRANSACTIONS, RECEIPTS
from tests.integration.tiering.conftest import MakeBench
from tests.integration.tiering.test_http import CODE, sale
from tests.support.ledger_bench import LedgerBench
from tests.support.model import Customer

pytestmark = [pytest.mark.engines, pytest.mark.req("PLT-12")]

START = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)
SUZHOU = CounterSystem("suzhou", "3205", ("/counters/3205*",), ("3205*", "X-9"))
NANJING = CounterSystem("nanjing", "3201", ("/counters/3201*",), ("3201*",), exclusive=True)


async def arrive(bench: LedgerBench, topic: str, *events: dict[str, Any]) -> None:
    headers = [("content-type", b"application/cloudevents+json")]
    await bench.publish([(None, orjson.dumps(event), headers) for event in events], topic)


async def receipts(bench: LedgerBench, topic: str) -> list[tuple[str, str, str]]:
    rows = await bench.rows(f"SELECT value FROM outbox WHERE topic = '{topic}' ORDER BY id")
    said = [orjson.loads(row.value) for row in rows]
    return [(one["id"], one["state"], one["reason"]) for one in said]


async def test_what_a_system_sends_in_another_ones_name_is_a_dead_letter_and_takes_no_number(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(START, systems=(SUZHOU, NANJING))
    await bench.tell_units("/CN/32/3201/32010001", "/CN/32/3205/32050001", "/CN/32/3201/X-9")
    await bench.tell([Customer(CODE)])
    stolen = sale("next", "0.01") | {"source": "/counters/320100"}
    await arrive(
        bench,
        SUZHOU.transactions_topic,
        sale("own", "5"),
        stolen,
        sale("counter", "5", counter_id="32010001"),
        # Named in the list, and yet the organisation says that it stands elsewhere.
        sale("moved", "5", counter_id="X-9"),
    )
    genuine = sale("next", "8888", counter_id="32010001") | {"source": "/counters/320100"}
    await arrive(bench, NANJING.transactions_topic, genuine)
    assert sorted(await bench.booked()) == [("/counters/320100", "next"), ("/counters/320500", "own")]
    assert await bench.held() == []
    assert await bench.dead_letters() == {"bad_field": 3}
    details = await bench.rows("SELECT detail FROM dead_letters ORDER BY id")
    assert [row.detail.split()[0] for row in details] == ["source", "counter_id", "counter_id"]
    rejected = [(id, "rejected", "bad_field") for id in ("next", "counter", "moved")]
    assert await receipts(bench, SUZHOU.receipts_topic) == rejected
    assert await receipts(bench, RECEIPTS) == rejected


async def test_sources_that_come_by_their_own_topic_alone_are_refused_on_the_shared_one(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(START, systems=(SUZHOU, NANJING))
    await bench.tell([Customer(CODE)])
    await arrive(bench, COUNTER_TRANSACTIONS, sale("a", "1"), sale("b", "1") | {"source": "/counters/320100"})
    assert await bench.booked() == [("/counters/320500", "a")]
    assert await bench.dead_letters() == {"bad_field": 1}
    systems = (SUZHOU, NANJING)
    assert topic_of("/counters/320100", systems) == NANJING.transactions_topic
    assert topic_of("/counters/320500", systems) == topic_of("/imports/3205", systems) == COUNTER_TRANSACTIONS


async def test_a_system_reads_the_receipts_of_its_own_counters(make_bench: MakeBench) -> None:
    bench = await make_bench(START, systems=(SUZHOU, NANJING))
    await arrive(bench, COUNTER_TRANSACTIONS, sale("s", "1", code="L-1"))
    theirs = sale("n", "1", code="L-1", counter_id="32010001") | {"source": "/counters/320100"}
    await arrive(bench, NANJING.transactions_topic, theirs)
    assert await receipts(bench, SUZHOU.receipts_topic) == [("s", "held", "unknown_code")]
    assert await receipts(bench, NANJING.receipts_topic) == [("n", "held", "unknown_code")]
    await bench.tell([Customer("L-1")])
    assert (await receipts(bench, NANJING.receipts_topic))[-1] == ("n", "released", "unknown_code")
    assert len(await receipts(bench, RECEIPTS)) == 4
