"""The end of a Kafka transaction without a clear answer: no record is lost or doubled, and the producer is thrown away.

What was sent may still arrive. On a producer that has begun again it would end the *next* transaction in its middle.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from shared.messaging.relay import Relay
from shared.messaging.relay_producers import PRODUCERS
from tests.integration.messaging.test_relay import commit, each_once_in_order, published
from tests.support.kafka_proxy import (
    ADD_PARTITIONS,
    CONCURRENT_TRANSACTIONS,
    COORDINATOR_NOT_AVAILABLE,
    END_TXN,
    PRODUCER_FENCED,
    Fault,
    KafkaProxy,
    kafka_proxy,
)
from tests.support.messaging import Bench
from tests.support.waiting import until

pytestmark = pytest.mark.engines

UNCLEAR: list[tuple[Fault, dict[str, Any]]] = [
    ("error", {"code": COORDINATOR_NOT_AVAILABLE}),
    ("error", {"code": PRODUCER_FENCED}),
    ("disconnect before", {"seconds": 1.0}),
    ("disconnect after", {}),
    ("silence", {}),
    ("deafness", {}),
]
CLEAR: list[tuple[Fault, dict[str, Any]]] = [
    ("refusal", {"code": CONCURRENT_TRANSACTIONS}),
    ("delay", {"seconds": 1.5}),
]


@pytest.mark.req("PLT-2")
@pytest.mark.parametrize(
    ("fault", "more", "clear"),
    [(*one, False) for one in UNCLEAR] + [(*one, True) for one in CLEAR],
)
async def test_rows_are_published_once_and_in_order_whatever_becomes_of_the_end_of_a_transaction(
    bench: Bench, fault: Fault, more: dict[str, Any], clear: bool
) -> None:
    topic = bench.engines.scratch_topic()
    async with kafka_proxy(bench.kafka.bootstrap) as proxy:
        kafka = replace(bench.kafka, bootstrap=proxy.bootstrap)
        relay = Relay(bench.service, bench.dsn, kafka)
        running = asyncio.create_task(relay.run())
        await commit(bench, topic, range(10))
        await published(bench, topic, 10)
        proxy.spoil(END_TXN, fault, **more)
        written = 10

        async def every_producer_had_its_turn() -> bool:
            # Rows keep coming, so that the next transactions begin at once.
            nonlocal written
            await commit(bench, topic, range(written, written + 1))
            written += 1
            return bool(proxy.spoilt) and len(ends_after(proxy)) > 2 * PRODUCERS

        await until(every_producer_had_its_turn, 60)
        messages = await published(bench, topic, written)
        relay.stop()
        await running
    each_once_in_order(messages, range(written))
    # After a clear answer the same producers go on: a refusal that is repeated is part of every day.
    assert (begun_again(proxy) != []) == clear


def ends_after(proxy: KafkaProxy) -> list[Any]:
    later = proxy.requests[proxy.requests.index(proxy.spoilt[0]) + 1 :]
    return [one for one in later if one.api == END_TXN]


def begun_again(proxy: KafkaProxy) -> list[Any]:
    """Transactions that were begun by a producer the end of whose last one was spoilt."""
    spoilt = proxy.spoilt[0]
    later = proxy.requests[proxy.requests.index(spoilt) + 1 :]
    return [one for one in later if one.api == ADD_PARTITIONS and one.producer == spoilt.producer]
